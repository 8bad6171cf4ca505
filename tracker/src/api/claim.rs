//! How a key gets a name: a challenge, a small work or an invite, a signature.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::request::is_solved;

use super::caller::Caller;
use super::channels::ChannelView;
use super::problem::Problem;
use super::seconds;
use super::signed::Signed;
use crate::config::Registration;
use crate::http::Site;
use crate::machine;
use crate::store::{Right, StoreError, secret};

/// What is to be signed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Challenge {
    /// Good for one signed request.
    nonce: String,
    /// Unix time in milliseconds until which it is good.
    expires_ms: u64,
    /// Zero bits that the work of a registration must have.
    work_bits: u32,
    /// Who may register: `open`, `invite` or `closed`.
    registration: &'static str,
}

/// How a name is claimed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    /// A number whose SHA-256 over `swarmcast/1 work\0`, the 32 bytes of the key, the number (8 bytes, big-endian) and
    /// the challenge begins with as many zero bits as the challenge asks for. Needed where registration is open.
    #[serde(default)]
    work: Option<u64>,
    /// Needed where registration is by invite.
    #[serde(default)]
    invite: Option<String>,
}

/// A challenge for one signed request.
#[utoipa::path(post, path = "/api/v1/challenges", tag = "channels", responses((status = 200, body = Challenge)))]
pub(crate) async fn challenge(State(site): State<Site>) -> Json<Challenge> {
    let (nonce, expires_ms) = site.shell.api.challenges.fresh(machine::unix_ms());
    let config = site.shell.config();
    let registration = match config.registration() {
        Registration::Open => "open",
        Registration::Invite => "invite",
        Registration::Closed => "closed",
    };
    Json(Challenge { nonce, expires_ms, work_bits: config.limits.registration_work_bits, registration })
}

/// Claims a free name for the key that signs. A channel that has a name already is renamed.
#[utoipa::path(put, path = "/api/v1/channels/{channel}", tag = "channels", request_body = Claim,
    params(("channel" = String, Path, description = "The name")),
    responses((status = 200, body = ChannelView, description = "It was this key's already"),
        (status = 201, body = ChannelView), (status = "default", body = Problem)))]
pub(crate) async fn claim(
    State(site): State<Site>,
    Caller(address): Caller,
    Path(name): Path<String>,
    signed: Signed,
) -> Result<(StatusCode, Json<ChannelView>), Problem> {
    let claim: Claim = signed.json()?;
    let directory = &site.shell.directory;
    if let Some(known) = directory.find(&name).await?.filter(|known| known.id == signed.channel) {
        return Ok((StatusCode::OK, Json(ChannelView::of(&known, directory))));
    }
    let config = site.shell.config();
    let right = match (config.registration(), &claim.invite) {
        (Registration::Closed, _) | (Registration::Invite, None) => return Err(StoreError::Closed.into()),
        (_, Some(invite)) => Right::Invite(secret::hash(invite)),
        (Registration::Open, None) => {
            let bits = config.limits.registration_work_bits;
            check_work(&signed, claim.work, bits)?;
            let taken = site.shell.api.registrations.take(address, machine::instant());
            taken.map_err(|wait| Problem::too_many("registrations", seconds(wait)))?;
            Right::Open
        }
    };
    let registered = directory.register(signed.channel, &name, right).await?;
    Ok((StatusCode::CREATED, Json(ChannelView::of(&registered, directory))))
}

fn check_work(signed: &Signed, work: Option<u64>, bits: u32) -> Result<(), Problem> {
    if work.is_some_and(|work| is_solved(&signed.nonce, signed.channel, bits, work)) {
        return Ok(());
    }
    let detail =
        format!("Find a `work` for this challenge whose hash begins with {bits} zero bits; see docs/api.md.");
    Err(Problem::new(StatusCode::FORBIDDEN, "work-needed", "A small work is needed", detail))
}
