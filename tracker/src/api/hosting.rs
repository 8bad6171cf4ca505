//! Hosting without handing over the key: the server has a signing key of its own for the channel, and the owner delegates
//! to it for a while.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::limits::CLOCK_ERROR_MAX_S;
use wire::{DelegateId, Delegation, Verifier};

use super::problem::Problem;
use super::signed::Signed;
use crate::http::Site;
use crate::machine;

/// The server's key for a channel.
#[derive(Serialize, ToSchema)]
pub(crate) struct SigningKey {
    /// Public half: what the owner delegates to.
    #[schema(value_type = String)]
    delegate: DelegateId,
}

/// The owner's word.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delegated {
    /// 192 characters of base64url; see docs/protocol.md.
    delegation: String,
}

/// Tells, and makes if need be, the key that the server would sign the channel's broadcasts with. Signed.
#[utoipa::path(put, path = "/api/v1/channels/{channel}/hosting", tag = "hosting",
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 200, body = SigningKey), (status = "default", body = Problem)))]
pub(crate) async fn prepare(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<Json<SigningKey>, Problem> {
    let (id, seed) = (signed.own(&id)?, machine::random());
    let delegate = site.shell.store.write(move |records| records.signing_key(id, &seed)).await?;
    Ok(Json(SigningKey { delegate }))
}

/// Lets that key sign until the delegation expires; a later one replaces it. Signed.
#[utoipa::path(put, path = "/api/v1/channels/{channel}/hosting/delegation", tag = "hosting", request_body = Delegated,
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn delegate(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<StatusCode, Problem> {
    let (id, said): (_, Delegated) = (signed.own(&id)?, signed.json()?);
    let delegation: Delegation =
        said.delegation.parse().map_err(|error| Problem::bad_request(format!("`delegation`: {error}.")))?;
    let proven = Verifier::new(id).and_then(|owner| delegation.verifier(&owner));
    proven.map_err(|_| Problem::unauthorized("The delegation is not signed by this channel's key."))?;
    if delegation.expires_s() + CLOCK_ERROR_MAX_S <= machine::unix_ms() / 1000 {
        return Err(Problem::bad_request("The delegation has expired; sign another."));
    }
    let delegated = site.shell.store.write(move |records| {
        records.delegate(&delegation)?;
        records.channel(id)
    });
    if let Some(channel) = delegated.await? {
        site.shell.directory.know(channel);
    }
    Ok(StatusCode::NO_CONTENT)
}
