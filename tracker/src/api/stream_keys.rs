//! Stream keys: what encoders show. Each is shown once, has a label, and can be revoked.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use wire::ChannelId;

use super::problem::Problem;
use super::signed::Signed;
use crate::http::Site;
use crate::store::{Store, StreamKeyInfo, secret};

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewStreamKey {
    /// What its owner calls it.
    pub(crate) label: String,
    /// For the encoder. Shown this once.
    pub(crate) stream_key: String,
}

/// The labels of a channel's stream keys, oldest first. Signed.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/stream-keys", tag = "stream keys",
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 200, body = Vec<StreamKeyInfo>), (status = "default", body = Problem)))]
pub(crate) async fn list(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<Json<Vec<StreamKeyInfo>>, Problem> {
    let id = signed.own(&id)?;
    Ok(Json(site.shell.store.read(move |records| records.stream_keys(id)).await?))
}

/// Makes a stream key. Signed.
#[utoipa::path(put, path = "/api/v1/channels/{channel}/stream-keys/{label}", tag = "stream keys",
    params(("channel" = String, Path, description = "The signer's id"), ("label" = String, Path)),
    responses((status = 201, body = NewStreamKey), (status = "default", body = Problem)))]
pub(crate) async fn add(
    State(site): State<Site>,
    Path((id, label)): Path<(String, String)>,
    signed: Signed,
) -> Result<(StatusCode, Json<NewStreamKey>), Problem> {
    let id = signed.own(&id)?;
    Ok((StatusCode::CREATED, Json(make(&site.shell.store, id, label).await?)))
}

/// Ends a stream key. An encoder that uses it is let go within two seconds. Signed.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}/stream-keys/{label}", tag = "stream keys",
    params(("channel" = String, Path, description = "The signer's id"), ("label" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn revoke(
    State(site): State<Site>,
    Path((id, label)): Path<(String, String)>,
    signed: Signed,
) -> Result<StatusCode, Problem> {
    let id = signed.own(&id)?;
    site.shell.store.write(move |records| records.revoke_stream_key(id, &label)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a key and stores its hash.
pub(crate) async fn make(store: &Store, id: ChannelId, label: String) -> Result<NewStreamKey, Problem> {
    let stream_key = secret::fresh();
    let (hash, stored) = (secret::hash(&stream_key), label.clone());
    store.write(move |records| records.add_stream_key(id, &stored, hash)).await?;
    Ok(NewStreamKey { label, stream_key })
}
