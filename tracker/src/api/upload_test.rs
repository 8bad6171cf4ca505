//! What a line carries upwards: takes some megabytes and throws them away. Who sends them measures the time.
//!
//! Opened by a setup link's token, or by the signature of any key: a studio measures before its name is claimed.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::caller::Caller;
use super::guide::Invited;
use super::problem::Problem;
use super::signed::Bodiless;
use super::{Api, seconds};
use crate::http::Site;
use crate::machine;
use crate::rate::Households;

/// Bytes of a test: some seconds of a home uplink.
const BYTES_MAX: usize = 8 << 20;

/// Time that it may take. 20 s: what takes longer is too slow for a picture.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Tests of one household. 40 an hour, 10 at once: a studio sends two each time it opens.
const TESTS: (f64, f64) = (40.0 / 3600.0, 10.0);

/// Tests at the same time. 8: more would measure each other, and take the server's line from its viewers.
const AT_ONCE_MAX: usize = 8;

/// How many tests there are, and whose.
pub(super) struct UploadTests {
    households: Households,
    going_on: Semaphore,
}

impl UploadTests {
    pub(super) fn new() -> Self {
        UploadTests { households: Households::new(TESTS), going_on: Semaphore::new(AT_ONCE_MAX) }
    }
}

/// What arrived.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadTest {
    /// Bytes.
    bytes: usize,
}

/// Takes at most 8 MiB within 20 s and throws them away: who sends them measures the time. Signed by any key, over an empty
/// body: what is sent is not covered.
#[utoipa::path(post, path = "/api/v1/upload-tests", tag = "studio",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UploadTest), (status = "default", body = Problem)))]
pub(crate) async fn signed(
    State(site): State<Site>,
    caller: Caller,
    _: Bodiless,
    body: Body,
) -> Result<Json<UploadTest>, Problem> {
    take(&site.shell.api, &caller, body).await
}

/// The same, opened by a setup link's token.
#[utoipa::path(post, path = "/api/v1/setup/upload-test", tag = "setup guide",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UploadTest), (status = "default", body = Problem)))]
pub(crate) async fn invited(
    State(site): State<Site>,
    caller: Caller,
    _: Invited,
    body: Body,
) -> Result<Json<UploadTest>, Problem> {
    take(&site.shell.api, &caller, body).await
}

async fn take(api: &Api, Caller(address): &Caller, body: Body) -> Result<Json<UploadTest>, Problem> {
    let tests = &api.upload_tests;
    let Ok(_place) = tests.going_on.try_acquire() else {
        return Err(Problem::busy("The server measures other lines just now; try in a minute."));
    };
    let allowed = tests.households.take(*address, machine::instant());
    allowed.map_err(|wait| Problem::too_many("upload tests", seconds(wait)))?;
    let bytes = timeout(TIME_MAX, count(body)).await;
    match bytes.map_err(|_| Problem::bad_request("The test took more than 20 s: send less."))? {
        bytes if bytes > BYTES_MAX => Err(Problem::bad_request("A test sends at most 8 MiB.")),
        bytes => Ok(Json(UploadTest { bytes })),
    }
}

/// Bytes that came, or the first number above the limit.
async fn count(body: Body) -> usize {
    let mut chunks = body.into_data_stream();
    let mut bytes = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        bytes += chunk.len();
        if bytes > BYTES_MAX {
            break;
        }
    }
    bytes
}
