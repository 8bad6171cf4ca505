//! A request that a channel's key has signed. Nothing of it is used before the signature is checked.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use wire::ChannelId;
use wire::request::{Authorization, Request as SignedRequest};

use super::body;
use super::challenge::NotGood;
use super::problem::Problem;
use crate::http::Site;
use crate::machine;

/// Who asks, proven, and what was said.
pub(crate) struct Signed {
    pub(crate) channel: ChannelId,
    pub(crate) nonce: String,
    pub(crate) body: Bytes,
}

impl Signed {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        body::json(&self.body)
    }

    /// The channel that the address names, which must be the signer's.
    pub(crate) fn own(&self, id: &str) -> Result<ChannelId, Problem> {
        if id.parse() == Ok(self.channel) {
            return Ok(self.channel);
        }
        Err(Problem::forbidden("Sign with the key of the channel that the address names by its id."))
    }
}

impl FromRequest<Site> for Signed {
    type Rejection = Problem;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let authorization = authorization(&parts)?;
        let body = body::read(body).await?;
        prove(&parts, &authorization, &body, site)?;
        Ok(Signed { channel: authorization.channel, nonce: authorization.nonce.to_owned(), body })
    }
}

/// A request that some key has signed without its body, which may be long and is nothing to believe in.
pub(crate) struct Bodiless;

impl FromRequestParts<Site> for Bodiless {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let authorization = authorization(parts)?;
        prove(parts, &authorization, &[], site)?;
        Ok(Bodiless)
    }
}

fn authorization(parts: &Parts) -> Result<Authorization<'_>, Problem> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(Authorization::parse).ok_or_else(|| {
        Problem::unauthorized("Send `Authorization: Swarmcast CHANNEL.NONCE.SIGNATURE`; see docs/api.md.")
    })
}

/// Checks the signature, and spends the challenge.
fn prove(parts: &Parts, authorization: &Authorization, body: &[u8], site: &Site) -> Result<(), Problem> {
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let signed = SignedRequest { method: parts.method.as_str(), path, nonce: authorization.nonce, body };
    signed.verify(authorization).map_err(|_| {
        Problem::unauthorized(
            "The signature does not verify: sign method, path, nonce and body with the channel's key.",
        )
    })?;
    let spent = site.shell.api.challenges.spend(authorization.nonce, machine::unix_ms());
    spent.map_err(|not_good| match not_good {
        NotGood::Spent => Problem::unauthorized("The challenge is used or too old: ask for another."),
        NotGood::Full => Problem::busy("Too many signed requests; try in a minute."),
    })
}
