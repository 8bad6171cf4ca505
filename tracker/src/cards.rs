//! What a pasted link shows: the head of a watch page, filled for its channel (Open Graph), and the answer to who asks for
//! a card in so many words (oEmbed 1.0).
//!
//! Only channels that are live in the open, or that their owner has given a title, have a card. All others look like a
//! channel that does not exist.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::embedding;
use crate::http::{self, Site};
use crate::store::Channel;
use crate::store::settings::{JoinPolicy, Visibility};
use crate::template::{self, escaped};

/// Where a watch page takes its card.
const PLACE: &str = "<!-- card -->";

/// Characters of a description on a card: what the usual ones show.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// Width of a player whose size nobody asks for; its height is nine sixteenths of it.
const WIDTH: u32 = 640;

/// Widths that a frame can have: what is readable, and what a large screen has.
const WIDTHS: (u32, u32) = (200, 3_840);

/// The picture of channels without one of their own, and its size.
const PICTURE: (&str, u32, u32) = ("/assets/card.png", 1200, 630);

/// Of that one; owners' pictures have any.
const PICTURE_SIZE: &str = concat!(
    "\n  <meta property=\"og:image:width\" content=\"{{width}}\">",
    "\n  <meta property=\"og:image:height\" content=\"{{height}}\">",
);

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// How the page was asked for, where that is not plain HTTP.
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

pub(crate) fn routes() -> Router<Site> {
    Router::new().route("/oembed", get(oembed))
}

/// The watch page of `channel`, with its card where it has one.
pub(crate) fn watch_page(site: &Site, channel: Option<&Arc<Channel>>, request: &HeaderMap) -> Response {
    let plain = || http::file(&site.assets, "watch.html", request);
    let card = channel.filter(|channel| has_card(site, channel)).zip(base(request));
    let Some((channel, base)) = card else { return plain() };
    let Some(page) = site.assets.find("watch.html") else { return plain() };
    let page = page.text().replacen(PLACE, &head(channel, &base), 1);
    let etag = format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(&page)[..8]));
    let headers = [(CACHE_CONTROL, "no-cache"), (CONTENT_TYPE, "text/html; charset=utf-8"), (ETAG, &*etag)];
    if request.get(IF_NONE_MATCH).is_some_and(|held| held.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, page).into_response()
}

#[derive(Deserialize)]
struct Asked {
    url: String,
    format: Option<String>,
    maxwidth: Option<u32>,
    maxheight: Option<u32>,
}

/// <https://oembed.com/>: a frame to show, or a link where the channel's owner lets certain sites or viewers only.
async fn oembed(State(site): State<Site>, request: HeaderMap, Query(asked): Query<Asked>) -> Response {
    if asked.format.as_deref().is_some_and(|format| format != "json") {
        return (StatusCode::NOT_IMPLEMENTED, "There is `format=json` only.\n").into_response();
    }
    let base = base(&request);
    let found = match base.as_deref().and_then(|base| channel_of(&asked.url, base)) {
        Some(name) => site.shell.directory.find(name).await.ok().flatten(),
        None => None,
    };
    let Some((channel, base)) = found.filter(|channel| has_card(&site, channel)).zip(base) else {
        return (StatusCode::NOT_FOUND, "No card is given for that.\n").into_response();
    };
    let (picture, picture_width, picture_height) = PICTURE;
    let mut card = json!({
        "version": "1.0", "type": "link", "provider_name": "swarmcast", "provider_url": base, "title": title(&channel),
        "thumbnail_url": format!("{base}{picture}"), "thumbnail_width": picture_width, "thumbnail_height": picture_height,
    });
    if channel.settings.embed_origins.is_empty() && channel.settings.join == JoinPolicy::Open {
        let (width, height) = size(asked.maxwidth, asked.maxheight);
        card["type"] = json!("video");
        card["width"] = json!(width);
        card["height"] = json!(height);
        card["html"] = json!(frame(&channel, &base, width, height));
    }
    embedding::readable_everywhere(http::uncached(Json(card)))
}

/// Private ones, live or not, look like none at all.
fn has_card(site: &Site, channel: &Channel) -> bool {
    let open = channel.settings.visibility != Visibility::Private;
    let (live, private) = site.shell.directory.on_air(channel.id);
    open && !private && (live || !channel.settings.title.is_empty())
}

fn head(channel: &Channel, base: &str) -> String {
    let (address, title) = (watch_address(channel, base), title(channel));
    let (usual, width, height) = PICTURE;
    let own = channel.poster_address();
    let size = if own.is_some() { "" } else { PICTURE_SIZE };
    let query = address.replace(':', "%3A").replace('/', "%2F");
    let description = description(channel);
    let page = concat!(
        "<meta name=\"description\" content=\"{{description}}\">\n",
        "  <meta property=\"og:site_name\" content=\"swarmcast\">\n",
        "  <meta property=\"og:type\" content=\"video.other\">\n",
        "  <meta property=\"og:title\" content=\"{{title}}\">\n",
        "  <meta property=\"og:description\" content=\"{{description}}\">\n",
        "  <meta property=\"og:url\" content=\"{{address}}\">\n",
        "  <meta name=\"twitter:card\" content=\"summary_large_image\">\n",
        "  <link rel=\"canonical\" href=\"{{address}}\">\n",
        "  <link rel=\"alternate\" type=\"application/json+oembed\" title=\"{{title}}\" href=\"{{oembed}}\">\n",
        "  <meta property=\"og:image\" content=\"{{picture}}\">",
    );
    template::filled(
        &[page, size].concat(),
        &[
            ("title", title),
            ("description", &description),
            ("address", &address),
            ("picture", &format!("{base}{}", own.as_deref().unwrap_or(usual))),
            ("width", &width.to_string()),
            ("height", &height.to_string()),
            ("oembed", &format!("{base}/oembed?format=json&url={query}")),
        ],
    )
}

fn frame(channel: &Channel, base: &str, width: u32, height: u32) -> String {
    let (name, title) = (&channel.name, escaped(title(channel)));
    format!(
        "<iframe src=\"{base}/embed/{name}\" width=\"{width}\" height=\"{height}\" title=\"{title}\" allow=\"autoplay; \
         fullscreen; picture-in-picture\" referrerpolicy=\"origin\" style=\"border: 0\"></iframe>"
    )
}

fn title(channel: &Channel) -> &str {
    if channel.settings.title.is_empty() { &channel.name } else { &channel.settings.title }
}

fn description(channel: &Channel) -> String {
    match channel.settings.description.as_str() {
        "" => "Live video, passed on by those who watch it.".to_owned(),
        text => text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(DESCRIPTION_CHARS_MAX)
            .collect(),
    }
}

fn watch_address(channel: &Channel, base: &str) -> String {
    format!("{base}/watch/{}", channel.name)
}

/// The largest 16:9 within what was asked for.
fn size(width_max: Option<u32>, height_max: Option<u32>) -> (u32, u32) {
    let by_height = height_max.map(|height| height.saturating_mul(16) / 9);
    let wanted = [width_max, by_height].into_iter().flatten().min().unwrap_or(WIDTH);
    let width = wanted.clamp(WIDTHS.0, WIDTHS.1);
    (width, width * 9 / 16)
}

/// The channel that an address of this server shows.
fn channel_of<'a>(address: &'a str, base: &str) -> Option<&'a str> {
    let path = address.strip_prefix(base)?;
    let name = path.strip_prefix("/watch/").or_else(|| path.strip_prefix("/embed/"))?;
    name.split(['?', '#', '/']).next().filter(|name| !name.is_empty())
}

/// `scheme://host:port` that the request went to, in the words of a proxy where there is one. Whoever lies about it lies to
/// himself.
pub(crate) fn base(request: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| request.get(name).and_then(|value| value.to_str().ok());
    let host = text(FORWARDED_HOST).or_else(|| text(HOST))?;
    let scheme = if text(FORWARDED_PROTO) == Some("https") { "https" } else { "http" };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    host.bytes().all(plain).then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_largest_16_to_9_that_was_asked_for() {
        assert_eq!(size(None, None), (640, 360));
        assert_eq!(size(Some(800), Some(360)), (640, 360));
        assert_eq!(size(Some(320), None), (320, 180));
        assert_eq!(size(Some(0), Some(u32::MAX)), (200, 112));
    }

    #[test]
    fn only_addresses_of_this_server_s_channels_are_taken() {
        let base = "https://tv.example";
        for good in ["/watch/demo", "/watch/demo#key=x", "/embed/demo?muted=1"] {
            assert_eq!(channel_of(&format!("{base}{good}"), base), Some("demo"));
        }
        for bad in [
            "https://tv.example.evil/watch/demo",
            "https://tv.example/admin",
            "https://tv.example/watch/",
            "",
        ] {
            assert_eq!(channel_of(bad, base), None, "{bad}");
        }
    }
}
