//! The operator's page and what it shows: the server in figures, its channels, and each swarm as a picture. Peers are
//! named by their ids, and nobody by an address.

mod door;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use swarm::Picture;
use tokio::sync::oneshot;
use wire::ChannelId;

use crate::channel::ToChannel;
use crate::history::{SAMPLE_EVERY, Sample};
use crate::http::{PeerAddress, origin};
use crate::machine;
use crate::shell::Shell;
pub(crate) use door::{Door, Refused, bearer};
pub use token::AdminToken;

/// Viewers in a picture of a swarm: more of them are no picture, but a cloud.
const PICTURED_MAX: usize = 250;

/// Bytes of a login: a token and its name.
const LOGIN_BYTES_MAX: usize = 1 << 10;

/// The routes below `/admin`.
pub(crate) fn routes() -> Router<Arc<Shell>> {
    Router::new()
        .route("/admin/login", post(login).layer(axum::extract::DefaultBodyLimit::max(LOGIN_BYTES_MAX)))
        .route("/admin/logout", post(logout))
        .route("/admin/state", get(state))
        .route("/admin/swarm/{channel}", get(swarm))
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

#[derive(Serialize)]
struct ServerState {
    version: &'static str,
    uptime_s: u64,
    unready: Option<&'static str>,
    sessions: usize,
    sessions_max: usize,
    sample_every_s: u64,
    channels: Vec<ChannelState>,
    history: Vec<Sample>,
    refusals: Vec<(&'static str, &'static str, u64)>,
}

/// One channel that has sessions.
#[derive(Serialize)]
pub(crate) struct ChannelState {
    pub(crate) id: ChannelId,
    pub(crate) name: String,
    pub(crate) live: bool,
    pub(crate) viewers: u32,
    /// Share of bytes that came from viewers in the last minute; `None` for those without figures of their own.
    pub(crate) offload: Option<f64>,
    /// The encoder of a hosted channel: bits a second, and milliseconds between its keyframes.
    pub(crate) encoder: Option<(u64, u64)>,
}

async fn login(
    State(shell): State<Arc<Shell>>,
    Extension(PeerAddress(connected)): Extension<PeerAddress>,
    request: HeaderMap,
    Json(Login { token }): Json<Login>,
) -> Response {
    let (data, now) = (&shell.config().data, machine::instant());
    match shell.admin.enter(
        origin(connected, &request, |address| shell.config().trusts(address)),
        &token,
        data,
        now,
    ) {
        Ok(cookie) => ([(SET_COOKIE, cookie.header(&request))], uncached(json!({}))).into_response(),
        Err(refused) => refused.into_response(),
    }
}

async fn logout(State(shell): State<Arc<Shell>>, request: HeaderMap) -> Response {
    shell.admin.leave(&request);
    ([(SET_COOKIE, door::EXPIRED_COOKIE)], uncached(json!({}))).into_response()
}

async fn state(
    State(shell): State<Arc<Shell>>,
    Extension(PeerAddress(connected)): Extension<PeerAddress>,
    request: HeaderMap,
) -> Response {
    if let Err(refused) =
        admit(&shell, origin(connected, &request, |address| shell.config().trusts(address)), &request)
    {
        return refused.into_response();
    }
    let config = shell.config();
    let state = ServerState {
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: shell.clock.uptime().as_secs(),
        unready: shell.unready(),
        sessions: shell.sessions_open(),
        sessions_max: config.limits.sessions_max,
        sample_every_s: SAMPLE_EVERY.as_secs(),
        channels: shell.directory.active(&shell.metrics),
        history: shell.history.samples(),
        refusals: shell.metrics.refused_by_reason(),
    };
    uncached(state)
}

async fn swarm(
    State(shell): State<Arc<Shell>>,
    Extension(PeerAddress(connected)): Extension<PeerAddress>,
    Path(channel): Path<String>,
    request: HeaderMap,
) -> Response {
    if let Err(refused) =
        admit(&shell, origin(connected, &request, |address| shell.config().trusts(address)), &request)
    {
        return refused.into_response();
    }
    match picture(&shell, &channel).await {
        Some(picture) => uncached(picture),
        None => (StatusCode::NOT_FOUND, "Nobody is in this channel.\n").into_response(),
    }
}

async fn picture(shell: &Shell, channel: &str) -> Option<Picture> {
    let handle = shell.directory.handle(channel.parse().ok()?)?;
    let (answer, answered) = oneshot::channel();
    handle.tell(ToChannel::Picture { peers_max: PICTURED_MAX, answer }).await.ok()?;
    answered.await.ok()
}

/// Lets in whoever has the operator's token.
pub(crate) fn admit(shell: &Shell, address: IpAddr, request: &HeaderMap) -> Result<(), Refused> {
    shell.admin.admit(address, request, &shell.config().data, machine::instant())
}

fn uncached(answer: impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
