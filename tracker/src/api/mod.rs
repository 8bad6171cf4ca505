//! The REST interface under `/api/v1`: channels for everyone, and their settings for whoever has the key. Described by
//! `/api/v1/openapi.json`, which is made from the code, and shown at `/api/docs`.

mod bans;
mod body;
mod caller;
mod challenge;
mod channels;
mod claim;
mod guide;
mod hosting;
mod operator;
mod poster;
mod problem;
mod rotation;
mod signed;
mod stream_keys;
mod upload_test;

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use utoipa::OpenApi;

use crate::http::Site;
use crate::machine;
use crate::rate::Households;
use caller::Caller;
use challenge::Challenges;
use operator::OperatorToken;
use problem::Problem;
use upload_test::UploadTests;

/// Requests of one household, on average and at once. 5 a second and 60: a page with a list of posters, reloaded.
const REQUESTS: (f64, f64) = (5.0, 60.0);

/// Registrations of one household. 10 an hour, 5 at once: a club that sets up its channels in an evening.
const REGISTRATIONS: (f64, f64) = (10.0 / 3600.0, 5.0);

/// What the interface remembers between requests.
pub(crate) struct Api {
    challenges: Challenges,
    requests: Households,
    registrations: Households,
    upload_tests: UploadTests,
}

impl Api {
    pub(crate) fn new() -> Self {
        Api {
            challenges: Challenges::new(),
            requests: Households::new(REQUESTS),
            registrations: Households::new(REGISTRATIONS),
            upload_tests: UploadTests::new(),
        }
    }
}

/// The interface, as programs read it.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "swarmcast",
        description = "Channels of this server. Requests that change something carry \
            `Authorization: Swarmcast CHANNEL.NONCE.SIGNATURE`: the Ed25519 signature of the channel's key over method, \
            path, a fresh challenge and the body, as docs/api.md says. What is the operator's alone carries \
            `Authorization: Bearer TOKEN`, with the token of the operator's page. Errors are application/problem+json (RFC 9457)."
    ),
    paths(
        claim::challenge,
        claim::claim,
        channels::list,
        channels::show,
        channels::change,
        channels::renew_join_secret,
        bans::list,
        bans::add,
        bans::lift,
        bans::list_of_server,
        bans::add_to_server,
        bans::lift_from_server,
        channels::remove,
        poster::show,
        poster::put,
        poster::remove,
        rotation::rotate,
        hosting::prepare,
        hosting::delegate,
        stream_keys::list,
        stream_keys::add,
        stream_keys::revoke,
        guide::link,
        guide::show,
        guide::add_key,
        upload_test::invited,
        upload_test::signed,
    ),
    modifiers(&OperatorToken)
)]
struct Description;

/// The routes of the interface.
pub(crate) fn router(site: Site) -> Router<Site> {
    Router::new()
        .route("/api/v1/openapi.json", get(description))
        .route("/api/v1/challenges", post(claim::challenge))
        .route("/api/v1/channels", get(channels::list))
        .route(
            "/api/v1/channels/{channel}",
            get(channels::show).put(claim::claim).patch(channels::change).delete(channels::remove),
        )
        .route("/api/v1/channels/{channel}/poster", get(poster::show).put(poster::put).delete(poster::remove))
        .route("/api/v1/channels/{channel}/rotation", post(rotation::rotate))
        .route("/api/v1/channels/{channel}/hosting", put(hosting::prepare))
        .route("/api/v1/channels/{channel}/hosting/delegation", put(hosting::delegate))
        .route("/api/v1/channels/{channel}/stream-keys", get(stream_keys::list))
        .route(
            "/api/v1/channels/{channel}/stream-keys/{label}",
            put(stream_keys::add).delete(stream_keys::revoke),
        )
        .route("/api/v1/channels/{channel}/join-secret", put(channels::renew_join_secret))
        .route("/api/v1/channels/{channel}/bans", get(bans::list).post(bans::add))
        .route("/api/v1/channels/{channel}/bans/{id}", delete(bans::lift))
        .route("/api/v1/bans", get(bans::list_of_server).post(bans::add_to_server))
        .route("/api/v1/bans/{id}", delete(bans::lift_from_server))
        .route("/api/v1/channels/{channel}/setup-links", post(guide::link))
        .route("/api/v1/setup", get(guide::show))
        .route("/api/v1/setup/stream-keys/{label}", put(guide::add_key))
        .route("/api/v1/setup/upload-test", post(upload_test::invited))
        .route("/api/v1/upload-tests", post(upload_test::signed))
        .route("/api/{*path}", get(nothing))
        .layer(from_fn_with_state(site, limit))
}

async fn description() -> Response {
    Json(Description::openapi()).into_response()
}

async fn nothing() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-address",
        "Nothing is here",
        "There is no such address; /api/docs lists those that there are.",
    )
}

/// Holds back households that ask too much. Nothing that this answers is kept by caches, unless it says so itself.
async fn limit(State(site): State<Site>, Caller(address): Caller, request: Request, next: Next) -> Response {
    if let Err(wait) = site.shell.api.requests.take(address, machine::instant()) {
        return Problem::too_many("requests", seconds(wait)).into_response();
    }
    let mut response = in_words(next.run(request).await);
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What the router refuses by itself is a problem like any other.
fn in_words(response: Response) -> Response {
    let status = response.status();
    let said = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == problem::MEDIA_TYPE);
    if said || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let problem = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            let detail = "This address is asked in another way; /api/docs says how.";
            Problem::new(status, "wrong-method", "Not that way", detail)
        }
        _ => Problem::new(
            status,
            "bad-request",
            "The request cannot be read",
            "Check its address and its query.",
        ),
    };
    let mut answer = problem.into_response();
    if let Some(methods) = response.headers().get(ALLOW) {
        answer.headers_mut().insert(ALLOW, methods.clone());
    }
    answer
}

/// Whole seconds, at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil().max(1.0) as u64
}
