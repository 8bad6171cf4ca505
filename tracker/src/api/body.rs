//! The body of a request: of bounded size, within bounded time, and as JSON.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;
use crate::store::settings::POSTER_BYTES_MAX;

/// Bytes of a body: a poster is the largest.
const BODY_MAX: usize = POSTER_BYTES_MAX;

/// Time for a body. 30 s: a poster on a slow mobile network.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The whole of it.
pub(super) async fn read(body: Body) -> Result<Bytes, Problem> {
    match timeout(BODY_TIMEOUT, to_bytes(body, BODY_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Problem::too_large(BODY_MAX)),
        Err(_) => Err(Problem::timeout("The body did not come in time.")),
    }
}

/// What it says. Unknown fields are the types' own to refuse.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("The body: {error}.")))
}
