//! Other sites that show a channel: who may, what they load, and what is said in a frame where somebody may not.
//!
//! Two ways lead to a channel from another site. A page that runs the player itself opens a session, and browsers name that
//! page's site in `Origin`. A frame is asked for as a page, with the site in `Referer`; what a site hides there, the policy
//! that goes along (`frame-ancestors`) still enforces, only without words.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERER,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::http::{self, Site};
use crate::refusals::Reason;
use crate::template;
use crate::tokens;

const LOADER: &str = "embed.js";
const ALL_SITES: HeaderValue = HeaderValue::from_static("*");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What a site that embeds loads, and the page that writes its snippet.
pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/embed", get(builder))
        .route("/embed.js", get(loader))
        .route("/embed/{name}", get(frame))
        .route("/api/v1/embed", get(loader_facts))
}

/// Why a page of `site` may not show a channel that only pages of `origins` may; `None`: it may.
pub(crate) fn objection(origins: &[String], site: &str) -> Option<String> {
    let allowed = origins.is_empty() || origins.iter().any(|origin| origin == site);
    (!allowed).then(|| {
        format!("The owner of this channel lets only certain sites show it, and {site} is not one of them.")
    })
}

/// The other site whose page asks for a session; `None`: a page of this server, or no browser.
///
/// Scripts of a page can set none of these headers, so what is read here is the browser's word.
pub(crate) fn embedding_site(request: &HeaderMap) -> Option<String> {
    let origin = text(request, &ORIGIN)?;
    (!is_own(origin, request)).then(|| origin.to_owned())
}

/// Lets scripts and modules of any site read an answer.
pub(crate) fn readable_everywhere(mut answer: Response) -> Response {
    answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, ALL_SITES);
    answer
}

async fn builder(State(site): State<Site>, request: HeaderMap) -> Response {
    http::file(&site.assets, "embed.html", &request)
}

async fn loader(State(site): State<Site>, request: HeaderMap) -> Response {
    readable_everywhere(http::file(&site.assets, LOADER, &request))
}

/// What to write beside the loader's address, so that a browser runs no other bytes (Subresource Integrity).
async fn loader_facts(State(site): State<Site>) -> Response {
    let integrity = site.assets.find(LOADER).map(|loader| loader.integrity());
    http::uncached(Json(json!({ "loader": "/embed.js", "integrity": integrity })))
}

/// What the address of a frame says to the server.
#[derive(Deserialize)]
struct FrameQuery {
    token: Option<String>,
}

async fn frame(
    State(site): State<Site>,
    Path(name): Path<String>,
    query: Result<Query<FrameQuery>, QueryRejection>,
    request: HeaderMap,
) -> Response {
    let channel = site.shell.directory.find(&name).await.ok().flatten();
    let origins = channel.as_ref().map_or(&[][..], |channel| &channel.settings.embed_origins);
    // The session of a frame is this server's own, so it is here that a token is held against the page around it.
    let token = query.ok().and_then(|Query(query)| query.token);
    let of_token = channel.as_ref().zip(token).and_then(|(channel, token)| tokens::site(channel, &token));
    let of_token: Vec<String> = of_token.into_iter().collect();
    let objection = frame_objection(origins, &request).or_else(|| frame_objection(&of_token, &request));
    if let Some(objection) = objection {
        return refused(&site, &name, &objection);
    }
    let origins = if of_token.is_empty() { origins } else { &of_token };
    http::framed_by(http::file(&site.assets, "frame.html", &request), origins)
}

/// Why the page that holds this frame may not show the channel.
fn frame_objection(origins: &[String], request: &HeaderMap) -> Option<String> {
    let framed = text(request, &SEC_FETCH_DEST)
        .is_some_and(|dest| matches!(dest, "iframe" | "frame" | "embed" | "object"));
    match text(request, &REFERER).and_then(origin_of) {
        Some(site) if is_own(site, request) => None,
        Some(site) => objection(origins, site),
        None if framed && !origins.is_empty() => Some(
            "The owner of this channel lets only certain sites show it, and this page does not say which site it \
             belongs to. Give the frame referrerpolicy=\"origin\"."
                .to_owned(),
        ),
        None => None,
    }
}

/// In words, in the frame: hence every site may frame it.
fn refused(site: &Site, name: &str, objection: &str) -> Response {
    let Some(page) = site.assets.find("frame-refused.html") else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let page = template::filled(&page.text(), &[("objection", objection), ("channel", name)]);
    let headers = [(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, "text/html; charset=utf-8")];
    let mut answer = (StatusCode::FORBIDDEN, headers, page).into_response();
    answer.extensions_mut().insert(Reason::EmbedRefused);
    // Nothing on it can be pressed but a link that opens a page of its own.
    let policy = "default-src 'none'; style-src 'self'; frame-ancestors *";
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    answer
}

/// Whether `origin` is the one that the request itself went to.
fn is_own(origin: &str, request: &HeaderMap) -> bool {
    let Some((_, authority)) = origin.split_once("://") else { return false };
    [HOST, FORWARDED_HOST].iter().any(|name| text(request, name) == Some(authority))
}

/// `scheme://host:port` of an address.
fn origin_of(address: &str) -> Option<&str> {
    let host = address.find("://")? + 3;
    let end = address[host..].find('/').map_or(address.len(), |length| host + length);
    Some(&address[..end])
}

fn text<'a>(request: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    request.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(HeaderName, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_session_of_another_site_s_page_is_told_from_our_own() {
        let own = request(&[(HOST, "tv.example:8080"), (ORIGIN, "http://tv.example:8080")]);
        assert_eq!(embedding_site(&own), None);
        let proxied = [(HOST, "10.0.0.1"), (FORWARDED_HOST, "tv.example"), (ORIGIN, "https://tv.example")];
        assert_eq!(embedding_site(&request(&proxied)), None);
        assert_eq!(embedding_site(&request(&[(HOST, "tv.example")])), None, "no browser");
        for foreign in ["https://blog.example", "http://tv.example", "null", "https://tv.example:8080.evil"] {
            let asked = request(&[(HOST, "tv.example:8080"), (ORIGIN, foreign)]);
            assert_eq!(embedding_site(&asked).as_deref(), Some(foreign));
        }
    }

    #[test]
    fn frames_of_the_named_sites_are_let_in() {
        let origins = vec!["https://blog.example".to_owned()];
        let objects = |headers: &[(HeaderName, &'static str)]| {
            let mut request = request(headers);
            request.insert(HOST, HeaderValue::from_static("tv.example"));
            frame_objection(&origins, &request).is_some()
        };
        assert!(!objects(&[(REFERER, "https://blog.example/")]));
        assert!(!objects(&[(REFERER, "https://blog.example")]));
        assert!(!objects(&[(REFERER, "https://tv.example/embed")]), "our own page");
        assert!(!objects(&[]), "opened by itself");
        assert!(objects(&[(REFERER, "https://blog.example.evil.example/")]));
        assert!(objects(&[(REFERER, "https://blog.example:8443/a")]));
        assert!(objects(&[(SEC_FETCH_DEST, "iframe")]), "a frame that hides where it is");
        assert_eq!(frame_objection(&[], &request(&[(SEC_FETCH_DEST, "iframe")])), None);
    }
}
