//! What goes wrong, as `application/problem+json` (RFC 9457): each kind has a name for programs and words for people.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

/// `Content-Type` of a problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused, and what to do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// For programs: `/problems/` and a name that does not change.
    #[serde(rename = "type")]
    #[schema(example = "/problems/name-taken")]
    kind: String,
    /// The kind in a few words.
    title: &'static str,
    /// The HTTP status, again.
    status: u16,
    /// What is wrong here, and what to do.
    detail: String,
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        name: &str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let kind = format!("/problems/{name}");
        Problem { kind, title, status: status.as_u16(), detail: detail.into(), retry_after_s: None }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read", detail)
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let detail = format!("The body may have at most {bytes_max} bytes.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    pub(crate) fn timeout(detail: &str) -> Self {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "Too slow", detail)
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "The request is not signed as it must be",
            detail,
        )
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", "Another key owns this", detail)
    }

    pub(crate) fn unknown_channel(name: &str) -> Self {
        let detail = format!("There is no channel `{}` here; check its name.", name.escape_debug());
        Problem::new(StatusCode::NOT_FOUND, "unknown-channel", "No such channel", detail)
    }

    pub(crate) fn too_many(what: &str, retry_after_s: u64) -> Self {
        let detail = format!("Too many {what} from your address; try again in {retry_after_s} s.");
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Slow down", detail);
        Problem { retry_after_s: Some(retry_after_s), ..problem }
    }

    pub(crate) fn busy(detail: &str) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Not now", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry = self.retry_after_s;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = retry {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (status, name, title) = match &error {
            StoreError::BadName(_) => (StatusCode::BAD_REQUEST, "bad-name", "Not a channel's name"),
            StoreError::BadSettings(_) => (StatusCode::BAD_REQUEST, "bad-setting", "A value cannot be"),
            StoreError::Exists(_) => {
                let detail = "This name belongs to another key; choose another name.";
                return Problem::new(StatusCode::CONFLICT, "name-taken", "The name is taken", detail);
            }
            StoreError::LabelTaken(_) => (StatusCode::CONFLICT, "label-taken", "The label is taken"),
            StoreError::KeyInUse => (StatusCode::CONFLICT, "key-in-use", "The key is a channel's already"),
            StoreError::Rotated(_) => (StatusCode::GONE, "rotated", "The channel has another key"),
            StoreError::NotDelegate => (StatusCode::CONFLICT, "not-delegate", "The delegation does not fit"),
            StoreError::NotHosted(_) => {
                (StatusCode::CONFLICT, "not-hosted", "The channel is not hosted here")
            }
            StoreError::Unknown(_) => (StatusCode::NOT_FOUND, "unknown-channel", "No such channel"),
            StoreError::UnknownLabel(_) => (StatusCode::NOT_FOUND, "unknown-label", "No such stream key"),
            StoreError::UnknownBan(_) => (StatusCode::NOT_FOUND, "unknown-ban", "No such ban"),
            StoreError::Closed => {
                let detail = "This server does not register channels by itself. Ask its owner for an invite, or to \
                              run `swarmcast-tracker channel add NAME`.";
                let title = "Registration is closed";
                return Problem::new(StatusCode::FORBIDDEN, "registration-closed", title, detail);
            }
            StoreError::BadInvite => (StatusCode::FORBIDDEN, "bad-invite", "The invite is not good"),
            StoreError::Full(_) => (StatusCode::INSUFFICIENT_STORAGE, "full", "No room"),
            _ => {
                // Paths and the database's words are for the log.
                tracing::error!("the store fails: {error}");
                return Problem::busy("The server cannot store or look that up now; try later.");
            }
        };
        Problem::new(status, name, title, error.to_string())
    }
}
