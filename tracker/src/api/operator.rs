//! A request of the server's operator, who brings the token of the operator's page.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::body;
use super::caller::Caller;
use super::problem::Problem;
use crate::admin::{self, Refused};
use crate::http::Site;

/// What was said by whoever has the token. Nothing is read before that is known.
pub(crate) struct Operator {
    body: Bytes,
}

impl Operator {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        body::json(&self.body)
    }
}

impl FromRequest<Site> for Operator {
    type Rejection = Problem;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Ok(Caller(address)) = Caller::from_request_parts(&mut parts, site).await;
        admin::admit(&site.shell, address, &parts.headers)?;
        Ok(Operator { body: body::read(body).await? })
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown => {
                let detail = "Send `Authorization: Bearer TOKEN` with the token of the operator's page; \
                              `swarmcast-tracker admin new-token` makes another.";
                Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Only for the operator", detail)
            }
            Refused::TooMany => Problem::too_many("attempts", 1),
        }
    }
}

/// How the operator is known, in the description.
pub(super) struct OperatorToken;

impl Modify for OperatorToken {
    fn modify(&self, description: &mut OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        description.components.get_or_insert_default().add_security_scheme("operator", scheme);
    }
}
