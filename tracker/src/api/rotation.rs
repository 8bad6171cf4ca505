//! A channel takes another key: the old one says so, and the new one agrees.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::ToSchema;
use wire::ChannelId;
use wire::request::check_rotation;

use super::channels::ChannelView;
use super::problem::Problem;
use super::signed::Signed;
use crate::http::Site;

/// From which key to which.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// The new key.
    #[schema(value_type = String)]
    to: ChannelId,
    /// The old key's signature over the new one: shown to those who know only the old.
    by_old: String,
    /// The new key's signature over the old one: proves that somebody has it.
    by_new: String,
}

/// Gives the channel another key. Name, settings and stream keys stay; what the server signs with must be delegated anew.
/// Signed by the old key, which is of no use from then on.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/rotation", tag = "channels", request_body = Rotation,
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 200, body = ChannelView), (status = "default", body = Problem)))]
pub(crate) async fn rotate(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<Json<ChannelView>, Problem> {
    let (old, rotation): (_, Rotation) = (signed.own(&id)?, signed.json()?);
    let new = rotation.to;
    check_rotation(old, new, &rotation.by_old)
        .and_then(|()| check_rotation(new, old, &rotation.by_new))
        .map_err(|_| {
            Problem::unauthorized("`by_old` and `by_new` must be the keys' signatures over each other.")
        })?;
    let statement = rotation.by_old;
    let rotated = site.shell.store.write(move |records| records.rotate(old, new, &statement)).await?;
    let directory = &site.shell.directory;
    directory.forget(old);
    Ok(Json(ChannelView::of(&directory.know(rotated), directory)))
}
