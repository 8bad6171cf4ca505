//! The setup guide of one channel: what to type into which encoder. Opened by a short-lived link, whose token a page carries
//! behind `#` and a program in `Authorization: Bearer`.

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::signed::Signed;
use super::stream_keys::{NewStreamKey, make};
use crate::cards;
use crate::encoder_settings::{EncoderSettings, KEY_PLACEHOLDER, ffmpeg_line, obs_service};
use crate::http::Site;
use crate::machine;
use crate::store::{Channel, setup_link};

/// A link to the guide that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetupLink {
    /// Path and fragment of the page, for a browser.
    page: String,
    /// For programs: `Authorization: Bearer TOKEN`.
    token: String,
    /// Unix time in milliseconds until which it is good.
    expires_ms: u64,
}

/// What the guide is to take into account.
#[derive(Deserialize, IntoParams)]
pub(crate) struct Uplink {
    /// Kilobits a second that your line carries upwards, measured; without it, a middling one is assumed.
    uplink_kbps: Option<u32>,
}

/// How to broadcast on this channel.
#[derive(Serialize, ToSchema)]
pub(crate) struct Guide {
    /// The channel's name.
    name: String,
    /// Its page for viewers, which carries the key that proves the picture.
    watch: String,
    /// What to enter as server in an encoder; absent if the channel is not hosted here.
    server: Option<String>,
    /// Stands where the stream key belongs.
    stream_key: &'static str,
    /// What fits the line.
    encoder: EncoderSettings,
    /// A whole command line.
    ffmpeg: Option<String>,
    /// OBS's file `service.json`.
    #[schema(value_type = Object)]
    obs_service: Option<serde_json::Value>,
    /// For those who keep their key: the uploader's command line.
    uploader: String,
}

/// Whose guide it is: proven by the token of a link.
pub(crate) struct Invited(Channel);

impl FromRequestParts<Site> for Invited {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
        let found = site.shell.store.read(move |records| setup_link::open(records, &token)).await?;
        found.map(Invited).ok_or_else(|| {
            Problem::unauthorized(
                "This link is too old: make another with `swarmcast-uploader channel guide`, or, on the server, with \
                 `swarmcast-tracker channel guide NAME`.",
            )
        })
    }
}

/// Makes a link to the channel's setup guide, good for half an hour. Signed.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/setup-links", tag = "setup guide",
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 201, body = SetupLink), (status = "default", body = Problem)))]
pub(crate) async fn link(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<(StatusCode, Json<SetupLink>), Problem> {
    let id = signed.own(&id)?;
    let now_ms = machine::unix_ms();
    let made = site.shell.store.write(move |records| setup_link::create(records, id, now_ms)).await?;
    let (page, token, expires_ms) = (made.page(), made.token, made.expires_ms);
    Ok((StatusCode::CREATED, Json(SetupLink { page, token, expires_ms })))
}

/// The guide. Opened by a link's token.
#[utoipa::path(get, path = "/api/v1/setup", tag = "setup guide", params(Uplink),
    responses((status = 200, body = Guide), (status = "default", body = Problem)))]
pub(crate) async fn show(
    State(site): State<Site>,
    Query(Uplink { uplink_kbps }): Query<Uplink>,
    Invited(channel): Invited,
    request: HeaderMap,
) -> Json<Guide> {
    let host = request.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let encoder = EncoderSettings::for_uplink(uplink_kbps);
    let rtmp = site.shell.config().rtmp.filter(|_| channel.hosted);
    let server = rtmp.map(|rtmp| match rtmp.ip().is_unspecified() {
        true => format!("rtmp://{}:{}/live", name_of(host), rtmp.port()),
        false => format!("rtmp://{rtmp}/live"),
    });
    let base = cards::base(&request).unwrap_or_default();
    let watch = format!("{base}/watch/{}#key={}", channel.name, channel.id);
    let uploader = format!("swarmcast-uploader live --tracker {base} --name {}", channel.name);
    Json(Guide {
        watch,
        ffmpeg: server.as_deref().map(|server| ffmpeg_line(&encoder, server)),
        obs_service: server.as_deref().map(obs_service),
        server,
        stream_key: KEY_PLACEHOLDER,
        encoder,
        uploader,
        name: channel.name,
    })
}

/// Makes a stream key, as the owner would. Opened by a link's token.
#[utoipa::path(put, path = "/api/v1/setup/stream-keys/{label}", tag = "setup guide", params(("label" = String, Path)),
    responses((status = 201, body = NewStreamKey), (status = "default", body = Problem)))]
pub(crate) async fn add_key(
    State(site): State<Site>,
    Path(label): Path<String>,
    Invited(channel): Invited,
) -> Result<(StatusCode, Json<NewStreamKey>), Problem> {
    Ok((StatusCode::CREATED, Json(make(&site.shell.store, channel.id, label).await?)))
}

/// The host of a `Host` header, without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
