//! The way into a chat: a WebSocket at `/chat/NAME`. Whoever cannot be let in hears why, as browsers show no page an answer
//! that is not one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tungstenite::handshake::server::create_response_with_body;
use wire::PeerId;

use super::message::Objection;
use super::visit;
use crate::bans::Address;
use crate::embedding;
use crate::http::{PeerAddress, Site, origin, refuse};
use crate::machine;
use crate::refusals::Reason;

/// The one address.
pub(crate) fn routes() -> Router<Site> {
    Router::new().route("/chat/{channel}", get(open))
}

async fn open(
    State(Site { shell, .. }): State<Site>,
    Extension(PeerAddress(connected)): Extension<PeerAddress>,
    Path(wanted): Path<String>,
    mut request: Request,
) -> Response {
    let answer = match create_response_with_body(&request, Body::empty) {
        Ok(answer) => answer,
        Err(error) => {
            let message = format!("A chat is a WebSocket ({error}). Open this address as `ws:` or `wss:`.\n");
            return (StatusCode::BAD_REQUEST, message).into_response();
        }
    };
    let config = shell.config();
    let address = origin(connected, request.headers(), |address| config.trusts(address));
    let Ok(Some(channel)) = shell.directory.find(&wanted).await else {
        return refuse(Reason::UnknownChannel, StatusCode::NOT_FOUND, "No such channel is known here.\n");
    };
    let objection = embedding::embedding_site(request.headers())
        .and_then(|site| embedding::objection(&channel.settings.embed_origins, &site));
    if let Some(objection) = objection {
        let mut answer = (StatusCode::FORBIDDEN, objection).into_response();
        answer.extensions_mut().insert(Reason::EmbedRefused);
        return answer;
    }
    let Some(address_permit) = shell.addresses.admit(address, &config.limits, machine::instant()) else {
        return refuse(
            Reason::AddressBusy,
            StatusCode::TOO_MANY_REQUESTS,
            "Too many sessions from this address; try later.\n",
        );
    };
    // Whoever writes has no peer id: what counts is where they are.
    let banned = shell.bans.find(Some(channel.id), PeerId::RELAY, Address(address)).is_some();
    let visit_permit = Arc::clone(&shell.chat_visits).try_acquire_owned().ok();
    let household = shell.directory.chats.household(address);
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(stream) = upgrade.await {
            match visit_permit {
                _ if banned => visit::turn_away(stream, Objection::Banned, &shell).await,
                Some(_) => visit::serve(stream, channel, household, &shell).await,
                None => visit::turn_away(stream, Objection::Full, &shell).await,
            }
        }
        drop((address_permit, visit_permit));
    });
    answer
}
