//! A channel's picture.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::signed::Signed;
use crate::embedding;
use crate::http::Site;

/// The picture. Its address in a channel's answer carries a tag that changes with it, so that it can be kept.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/poster", tag = "channels",
    params(("channel" = String, Path, description = "Name or id")),
    responses((status = 200, content_type = "image/*"), (status = "default", body = Problem)))]
pub(crate) async fn show(State(site): State<Site>, Path(wanted): Path<String>) -> Result<Response, Problem> {
    let asked = wanted.clone();
    let poster = site.shell.store.read(move |records| records.poster(&asked)).await?;
    let poster = poster.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no-poster", "No picture", "This channel has no poster.")
    })?;
    let headers = [(CONTENT_TYPE, poster.mime), (CACHE_CONTROL, "public, max-age=3600".to_owned())];
    Ok(embedding::readable_everywhere((headers, poster.bytes).into_response()))
}

/// Sets the picture: JPEG, PNG, WebP or AVIF, of at most 256 KiB. Signed.
#[utoipa::path(put, path = "/api/v1/channels/{channel}/poster", tag = "channels",
    request_body(content = Vec<u8>, content_type = "image/*"),
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn put(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<StatusCode, Problem> {
    let id = signed.own(&id)?;
    let change = site.shell.store.write(move |records| records.set_poster(id, Some(&signed.body)));
    change.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the picture away. Signed.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}/poster", tag = "channels",
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn remove(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<StatusCode, Problem> {
    let id = signed.own(&id)?;
    site.shell.store.write(move |records| records.set_poster(id, None)).await?;
    Ok(StatusCode::NO_CONTENT)
}
