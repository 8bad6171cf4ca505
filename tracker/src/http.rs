//! What the server answers over HTTP: pages, the list of channels, health, and the door to sessions.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::json;
use tungstenite::handshake::server::create_response_with_body;

use crate::admin;
use crate::api;
use crate::assets::Assets;
use crate::bans::Address;
use crate::cards;
use crate::chat;
use crate::embedding;
use crate::machine;
use crate::metrics::{self, Metrics};
use crate::opening::Provenance;
use crate::refusals::{Door, Reason};
use crate::relays;
use crate::seeing::MetricsAccess;
use crate::session;
use crate::shell::Shell;
use crate::stills;
use crate::store::settings::JoinPolicy;

const CONTENT_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; \
                              media-src 'self' blob:; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
                              frame-ancestors *";

const ADMIN_CONTENT_POLICY: &str =
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

/// What every route has at hand.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) shell: Arc<Shell>,
    pub(crate) assets: Assets,
}

/// All routes.
pub(crate) fn router(shell: Arc<Shell>, assets: Assets) -> Router {
    let site = Site { shell: Arc::clone(&shell), assets };
    Router::new()
        .route("/", get(index))
        .route("/setup", get(setup))
        .route("/api/docs", get(docs))
        .route("/watch/{name}", get(watch))
        .route("/studio", get(studio))
        .route("/assets/{*path}", get(asset))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/lately", get(lately))
        .route("/sw.js", get(service_worker))
        .route("/session", get(open_session))
        .route("/relay", get(open_relay))
        .route("/admin", get(admin_page))
        .merge(embedding::routes())
        .merge(cards::routes())
        .merge(chat::routes())
        .merge(stills::routes())
        .merge(api::router(site.clone()))
        .with_state(site)
        .merge(admin::routes().with_state(Arc::clone(&shell)))
        .layer(axum::middleware::map_response_with_state(Arc::clone(&shell.metrics), finish))
}

async fn index(State(site): State<Site>, request: HeaderMap) -> Response {
    file(&site.assets, "index.html", &request)
}

/// Like the operator's, framed by nobody: it is about to use a camera.
async fn studio(State(site): State<Site>, request: HeaderMap) -> Response {
    let mut page = file(&site.assets, "studio.html", &request);
    let policy = CONTENT_POLICY.replace("frame-ancestors *", "frame-ancestors 'none'");
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    page
}

async fn watch(State(site): State<Site>, Path(name): Path<String>, request: HeaderMap) -> Response {
    // Where the store cannot be asked, the session will say what is wrong.
    let channel = site.shell.directory.find(&name).await.ok().flatten();
    let page = cards::watch_page(&site, channel.as_ref(), &request);
    match channel.as_ref().map(|channel| &channel.settings) {
        // Its token is for one site, which is held against a frame's address, and not against this one.
        Some(settings) if settings.join == JoinPolicy::Token => framed_only_by(page, &[]),
        Some(settings) => framed_by(page, &settings.embed_origins),
        None => page,
    }
}

/// A page that these sites may embed; of none: all may.
pub(crate) fn framed_by(page: Response, origins: &[String]) -> Response {
    if origins.is_empty() { page } else { framed_only_by(page, origins) }
}

/// A page that nobody may embed but these sites and this server.
fn framed_only_by(mut page: Response, origins: &[String]) -> Response {
    let allowed = format!("frame-ancestors 'self' {}", origins.join(" "));
    let policy = CONTENT_POLICY.replace("frame-ancestors *", allowed.trim_end());
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    page
}

/// No other page may frame it and have its reader press something.
async fn admin_page(State(site): State<Site>, request: HeaderMap) -> Response {
    let mut page = file(&site.assets, "admin.html", &request);
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(ADMIN_CONTENT_POLICY));
    page
}

async fn asset(State(site): State<Site>, Path(path): Path<String>, request: HeaderMap) -> Response {
    embedding::readable_everywhere(file(&site.assets, &path, &request))
}

async fn health(State(site): State<Site>) -> Response {
    let health = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": wire::VERSION,
        "uptime_s": site.shell.clock.uptime().as_secs(),
    });
    uncached(Json(health))
}

async fn ready(State(site): State<Site>) -> Response {
    match site.shell.unready() {
        None => uncached(Json(json!({ "status": "ready" }))),
        Some(why) => {
            let not_ready = Json(json!({ "status": "not ready", "why": why }));
            uncached((StatusCode::SERVICE_UNAVAILABLE, not_ready))
        }
    }
}

async fn metrics(
    State(Site { shell, .. }): State<Site>,
    Extension(PeerAddress(connected)): Extension<PeerAddress>,
    request: HeaderMap,
) -> Response {
    let config = shell.config();
    let seeing = &config.seeing;
    if seeing.metrics == MetricsAccess::Off {
        return (StatusCode::NOT_FOUND, "Not found.\n").into_response();
    }
    let asking = origin(connected, &request, |address| config.trusts(address));
    if !seeing.may_read_metrics(asking, admin::bearer(&request)) {
        return (
            StatusCode::FORBIDDEN,
            "Metrics are read from this server's own machine, or with a bearer token (see `metrics_token`).\n",
        )
            .into_response();
    }
    match shell.metrics.text(shell.present()) {
        Ok(text) => uncached(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text)),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn setup(State(site): State<Site>, request: HeaderMap) -> Response {
    file(&site.assets, "setup.html", &request)
}

async fn docs(State(site): State<Site>, request: HeaderMap) -> Response {
    file(&site.assets, "api.html", &request)
}

async fn lately(State(site): State<Site>) -> Response {
    uncached(Json(site.shell.directory.lately()))
}

/// At the root, so that it serves all pages.
async fn service_worker(State(site): State<Site>, request: HeaderMap) -> Response {
    file(&site.assets, "sw.js", &request)
}

async fn open_session(
    State(site): State<Site>,
    Extension(PeerAddress(connected)): Extension<PeerAddress>,
    mut request: Request,
) -> Response {
    let answer = match create_response_with_body(&request, Body::empty) {
        Ok(answer) => answer,
        Err(error) => {
            let message =
                format!("Sessions are WebSockets ({error}). Open this address as `ws:` or `wss:`.\n");
            return (StatusCode::BAD_REQUEST, message).into_response();
        }
    };
    let Site { shell, .. } = site;
    let config = shell.config();
    let address = origin(connected, request.headers(), |address| config.trusts(address));
    let embedded_in = embedding::embedding_site(request.headers());
    let from = Provenance { address: Address(address), embedded_in };
    let Some(address_permit) = shell.addresses.admit(address, &config.limits, machine::instant()) else {
        return refuse(
            Reason::AddressBusy,
            StatusCode::TOO_MANY_REQUESTS,
            "Too many sessions from this address; try later.\n",
        );
    };
    let Ok(session_permit) = Arc::clone(&shell.sessions).try_acquire_owned() else {
        return refuse(
            Reason::SessionsFull,
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many sessions; try later.\n",
        );
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(stream) = upgrade.await {
            session::serve(stream, from, shell).await;
        }
        drop((address_permit, session_permit));
    });
    answer
}

/// The door for relays elsewhere. There is none without a secret.
async fn open_relay(
    State(Site { shell, .. }): State<Site>,
    Extension(PeerAddress(connected)): Extension<PeerAddress>,
    request: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let config = shell.config();
    let Some(secret) = config.relay_secret.clone() else {
        return (StatusCode::NOT_FOUND, "This server takes no relays: it has no --relay-secret.\n")
            .into_response();
    };
    let address = origin(connected, &request, |address| config.trusts(address));
    let Some(permit) = shell.addresses.admit(address, &config.limits, machine::instant()) else {
        return refuse(
            Reason::AddressBusy,
            StatusCode::TOO_MANY_REQUESTS,
            "Too many sessions from this address.\n",
        );
    };
    let upgrade = upgrade.max_message_size(relays::HEARD_BYTES_MAX).max_frame_size(relays::HEARD_BYTES_MAX);
    upgrade.on_upgrade(move |socket| async move {
        relays::serve(socket, secret, &shell).await;
        drop(permit);
    })
}

/// Who asks. Proxies that are trusted speak for others: each has added to the list whom it heard. What stands before
/// the first that is not trusted is whatever that client wrote.
pub(crate) fn origin(connected: IpAddr, request: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut origin = connected;
    let lists = request.get_all("x-forwarded-for").iter().rev();
    let entries = lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(','));
    for entry in entries {
        let Ok(said) = entry.trim().parse() else { break };
        if !trusts(origin) {
            break;
        }
        origin = said;
    }
    origin
}

pub(crate) fn file(assets: &Assets, path: &str, request: &HeaderMap) -> Response {
    let Some(asset) = assets.find(path) else {
        return (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], "Not found.\n").into_response();
    };
    let encoded = asset.encoded(request);
    let mut headers = HeaderMap::new();
    // Kept, but asked about each time: after an update nobody runs yesterday's player.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&encoded.etag) {
        headers.insert(ETAG, etag);
    }
    if encoded.is_held_by(request) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.mime));
    if let Some(encoding) = encoded.encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    (headers, encoded.body).into_response()
}

pub(crate) fn uncached(answer: impl IntoResponse) -> Response {
    ([(CACHE_CONTROL, "no-store")], answer).into_response()
}

/// A refusal with a name of its own in metrics; others are named by their status.
pub(crate) fn refuse(reason: Reason, status: StatusCode, words: &'static str) -> Response {
    let mut response = (status, words).into_response();
    response.extensions_mut().insert(reason);
    response
}

/// What all answers have in common: a refusal is counted, and browsers are told what a page may do.
async fn finish(State(metrics): State<Arc<Metrics>>, mut response: Response) -> Response {
    let named = response.extensions().get::<Reason>().copied();
    if let Some(reason) = named.or_else(|| Reason::of_status(response.status())) {
        metrics.refused(Door::Http, reason);
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let headers: [(HeaderName, &'static str); 3] = [
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_proxies_speak_for_others_and_nobody_else_does() {
        let near = |address: IpAddr| address.is_loopback() || address.to_string().starts_with("10.");
        for (connected, forwarded, wanted) in [
            ("127.0.0.1", &["198.51.100.7, 203.0.113.9"][..], "203.0.113.9"),
            ("127.0.0.1", &["198.51.100.7, 203.0.113.9, 10.0.0.1"], "203.0.113.9"),
            ("127.0.0.1", &["198.51.100.7", "10.0.0.1"], "198.51.100.7"),
            ("127.0.0.1", &["10.0.0.2, 10.0.0.1"], "10.0.0.2"),
            ("127.0.0.1", &["203.0.113.9, unknown"], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
        ] {
            let mut request = HeaderMap::new();
            for list in forwarded {
                request.append("x-forwarded-for", HeaderValue::from_static(list));
            }
            let origin = origin(connected.parse().unwrap(), &request, near);
            assert_eq!(origin.to_string(), wanted, "{connected} says {forwarded:?}");
        }
    }
}
