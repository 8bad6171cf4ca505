//! Bans of a channel, which its owner makes, sees and takes back.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use wire::PeerId;

use super::problem::Problem;
use super::signed::Signed;
use crate::http::Site;
use crate::store::{Ban, Banned, NewBan, prefix};

/// Whom to ban: a peer or a prefix.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// An id as it is in logs, figures and messages. Holds for the household where the peer is, too.
    #[schema(value_type = Option<String>, example = "be45cb2605bf36be")]
    peer: Option<PeerId>,
    /// An address, or a prefix of either family.
    #[schema(example = "203.0.113.0/24")]
    prefix: Option<String>,
    /// For the one who is banned. One line of 200 bytes at most.
    #[serde(default)]
    reason: String,
    /// Seconds. Left out: for good, a peer for a day; a peer for 30 days at most.
    for_s: Option<u64>,
}

impl Request {
    fn banned(&self) -> Result<Banned, Problem> {
        match (self.peer, &self.prefix) {
            (Some(peer), None) => Ok(Banned::Peer(peer)),
            (None, Some(text)) => prefix(text)
                .map(Banned::Prefix)
                .map_err(|wrong| Problem::bad_request(format!("`prefix`: {wrong}."))),
            _ => Err(Problem::bad_request("Name either a `peer` or a `prefix`.")),
        }
    }
}

/// The bans of a channel, oldest first. Signed.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/bans", tag = "bans",
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 200, body = Vec<Ban>), (status = "default", body = Problem)))]
pub(crate) async fn list(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<Json<Vec<Ban>>, Problem> {
    let id = signed.own(&id)?;
    let bans = site.shell.store.read(|records| records.bans()).await?;
    Ok(Json(bans.into_iter().filter(|ban| ban.channel == Some(id)).collect()))
}

/// Bans somebody from a channel. Their session ends within a second, and they read why. Signed.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/bans", tag = "bans", request_body = Request,
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 201, body = Ban), (status = "default", body = Problem)))]
pub(crate) async fn add(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<(StatusCode, Json<Ban>), Problem> {
    let (id, request): (_, Request) = (signed.own(&id)?, signed.json()?);
    let new = NewBan {
        channel: Some(id),
        banned: request.banned()?,
        reason: request.reason,
        for_ms: request.for_s.map(|seconds| seconds.saturating_mul(1000)),
    };
    let ban = site.shell.store.write(move |records| records.ban(&new)).await?;
    Ok((StatusCode::CREATED, Json(ban)))
}

/// Takes a ban back. Signed.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}/bans/{id}", tag = "bans",
    params(("channel" = String, Path, description = "The signer's id"), ("id" = i64, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn lift(
    State(site): State<Site>,
    Path((channel, id)): Path<(String, i64)>,
    signed: Signed,
) -> Result<StatusCode, Problem> {
    let channel = signed.own(&channel)?;
    site.shell.store.write(move |records| records.lift_ban(Some(channel), id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
