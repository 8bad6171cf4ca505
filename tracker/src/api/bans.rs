//! Bans: of a channel, which its owner makes, sees and takes back, and of the whole server, by its operator.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use wire::{ChannelId, PeerId};

use super::operator::Operator;
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
    listed(&site, Some(signed.own(&id)?)).await
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
    added(&site, Some(signed.own(&id)?), signed.json()?).await
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
    lifted(&site, Some(signed.own(&channel)?), id).await
}

/// The bans of the whole server, oldest first. For its operator.
#[utoipa::path(get, path = "/api/v1/bans", tag = "bans", security(("operator" = [])),
    responses((status = 200, body = Vec<Ban>), (status = "default", body = Problem)))]
pub(crate) async fn list_of_server(
    State(site): State<Site>,
    _operator: Operator,
) -> Result<Json<Vec<Ban>>, Problem> {
    listed(&site, None).await
}

/// Bans somebody from every channel. Their sessions end within a second, and they read why. For the operator.
#[utoipa::path(post, path = "/api/v1/bans", tag = "bans", security(("operator" = [])), request_body = Request,
    responses((status = 201, body = Ban), (status = "default", body = Problem)))]
pub(crate) async fn add_to_server(
    State(site): State<Site>,
    operator: Operator,
) -> Result<(StatusCode, Json<Ban>), Problem> {
    added(&site, None, operator.json()?).await
}

/// Takes a ban of the server back. For the operator.
#[utoipa::path(delete, path = "/api/v1/bans/{id}", tag = "bans", security(("operator" = [])),
    params(("id" = i64, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn lift_from_server(
    State(site): State<Site>,
    Path(id): Path<i64>,
    _operator: Operator,
) -> Result<StatusCode, Problem> {
    lifted(&site, None, id).await
}

async fn listed(site: &Site, channel: Option<ChannelId>) -> Result<Json<Vec<Ban>>, Problem> {
    let bans = site.shell.store.read(|records| records.bans()).await?;
    Ok(Json(bans.into_iter().filter(|ban| ban.channel == channel).collect()))
}

async fn added(
    site: &Site,
    channel: Option<ChannelId>,
    request: Request,
) -> Result<(StatusCode, Json<Ban>), Problem> {
    let new = NewBan {
        channel,
        banned: request.banned()?,
        reason: request.reason,
        for_ms: request.for_s.map(|seconds| seconds.saturating_mul(1000)),
    };
    let ban = site.shell.store.write(move |records| records.ban(&new)).await?;
    Ok((StatusCode::CREATED, Json(ban)))
}

async fn lifted(site: &Site, channel: Option<ChannelId>, id: i64) -> Result<StatusCode, Problem> {
    site.shell.store.write(move |records| records.lift_ban(channel, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
