//! The pages and the viewer module, embedded in the binary. The one file that names rust-embed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, OnceLock};

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256, Sha384};

use crate::modules;

/// Bytes below which compression saves nothing worth a header.
const WORTH_COMPRESSING_BYTES: usize = 512;

#[derive(RustEmbed)]
#[folder = "../www"]
#[allow_missing = true]
#[exclude = "node_modules/*"]
#[exclude = "*/node_modules/*"]
#[exclude = "package*.json"]
#[exclude = "*/package.json"]
#[exclude = "*.md"]
#[exclude = "*.test.*"]
struct Embedded;

/// All files, ready to be served.
#[derive(Clone)]
pub(crate) struct Assets {
    files: Arc<HashMap<String, Asset>>,
}

/// One file.
pub(crate) struct Asset {
    /// For `Content-Type`.
    pub(crate) mime: &'static str,
    hash: String,
    plain: Bytes,
    gzip: OnceLock<Bytes>,
    brotli: OnceLock<Bytes>,
}

/// A file in the form that a request accepts.
pub(crate) struct Encoded {
    /// For `Content-Encoding`, unless plain.
    pub(crate) encoding: Option<&'static str>,
    /// For `ETag`: differs by encoding, as RFC 9110 §8.8.3.3 wants.
    pub(crate) etag: String,
    /// For the body.
    pub(crate) body: Bytes,
}

impl Assets {
    /// All embedded files. Compression goes on in the background; until it is done they are served plain.
    pub(crate) fn load() -> Self {
        let embedded =
            Embedded::iter().filter_map(|path| Some((path.to_string(), Embedded::get(&path)?.data)));
        let embedded: HashMap<_, _> = embedded.collect();
        let text = |path: &str| embedded.get(path).and_then(|data| str::from_utf8(data).ok());
        let files = embedded.iter().map(|(path, data)| {
            let page = text(path).filter(|page| page.contains(modules::PLACE));
            let plain = page.map_or_else(|| data.to_vec(), |page| modules::linked(page, text).into_bytes());
            (path.clone(), Asset::new(mime(path), plain))
        });
        let assets = Assets { files: Arc::new(files.collect()) };
        let compressed = assets.clone();
        std::thread::spawn(move || compressed.compress());
        assets
    }

    /// The file at `path` below `www/`.
    pub(crate) fn find(&self, path: &str) -> Option<&Asset> {
        self.files.get(path)
    }

    /// First everything quickly, then everything well.
    fn compress(&self) {
        let worth =
            |asset: &&Asset| asset.plain.len() >= WORTH_COMPRESSING_BYTES && is_compressible(asset.mime);
        for asset in self.files.values().filter(worth) {
            gzip(&asset.plain).into_iter().for_each(|bytes| drop(asset.gzip.set(bytes)));
        }
        for asset in self.files.values().filter(worth) {
            brotli(&asset.plain).into_iter().for_each(|bytes| drop(asset.brotli.set(bytes)));
        }
    }
}

impl Asset {
    fn new(mime: &'static str, plain: Vec<u8>) -> Self {
        let hash = HEXLOWER.encode(&Sha256::digest(&plain)[..8]);
        Asset { mime, hash, plain: plain.into(), gzip: OnceLock::new(), brotli: OnceLock::new() }
    }

    /// The file as text.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.plain)
    }

    /// For the attribute `integrity` (W3C Subresource Integrity).
    pub(crate) fn integrity(&self) -> String {
        format!("sha384-{}", BASE64.encode(&Sha384::digest(&self.plain)))
    }

    /// The smallest form that the request accepts.
    pub(crate) fn encoded(&self, request: &HeaderMap) -> Encoded {
        let accepted = request.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let forms = [("br", self.brotli.get()), ("gzip", self.gzip.get())];
        let form = forms
            .into_iter()
            .find_map(|(name, bytes)| Some((name, bytes.filter(|_| accepts(accepted, name))?)));
        match form {
            Some((name, body)) => Encoded {
                encoding: Some(name),
                etag: format!("\"{}-{name}\"", self.hash),
                body: body.clone(),
            },
            None => Encoded { encoding: None, etag: format!("\"{}\"", self.hash), body: self.plain.clone() },
        }
    }
}

impl Encoded {
    /// Whether the request names this form as the one it has.
    pub(crate) fn is_held_by(&self, request: &HeaderMap) -> bool {
        let held = request.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
        held.split(',').any(|tag| tag.trim().trim_start_matches("W/") == self.etag)
    }
}

fn accepts(accepted: &str, name: &str) -> bool {
    accepted.split(',').any(|part| {
        let (coding, weight) = part.split_once(';').unwrap_or((part, ""));
        let refused =
            weight.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0));
        coding.trim().eq_ignore_ascii_case(name) && !refused
    })
}

fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn brotli(plain: &[u8]) -> Option<Bytes> {
    // Quality 7 of 11: 9 clears 32 MB of tables for each file, and takes several times as long for hardly less.
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 64 << 10, 7, 22);
    encoder.write_all(plain).ok()?;
    Some(Bytes::from(encoder.into_inner()))
}

fn is_compressible(mime: &str) -> bool {
    !mime.starts_with("image/") && !mime.starts_with("font/") || mime.starts_with("image/svg")
}

fn mime(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        // What `WebAssembly.instantiateStreaming` insists on.
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_read_as_rfc_9110_says() {
        assert!(accepts("gzip, deflate, br;q=1.0", "br"));
        assert!(!accepts("gzip;q=0, br;q=0", "gzip"));
        assert!(!accepts("", "gzip"));
    }

    #[test]
    fn every_page_asks_for_its_modules_at_once() {
        let assets = Assets::load();
        for (path, page) in assets.files.iter().filter(|(path, _)| path.ends_with(".html")) {
            let runs_modules = page.text().contains("<script type=\"module\" src=\"/assets/");
            let source = Embedded::get(path).unwrap().data;
            let has_place = String::from_utf8_lossy(&source).contains(modules::PLACE);
            assert!(has_place || !runs_modules, "{path} has no {}", modules::PLACE);
        }
        let watch = assets.find("watch.html").unwrap().text();
        assert!(watch.contains("<link rel=\"modulepreload\" href=\"/assets/player-style.js\">"), "{watch}");
    }

    #[test]
    fn wasm_has_the_type_that_streaming_needs() {
        assert_eq!(mime("dist/viewer_bg.wasm"), "application/wasm");
        assert_eq!(mime("watch"), "application/octet-stream");
    }
}
