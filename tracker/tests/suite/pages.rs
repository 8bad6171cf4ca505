//! What a browser and a monitor fetch.

use data_encoding::BASE64;
use sha2::{Digest, Sha384};

use crate::support::Tracker;

#[tokio::test]
async fn a_monitor_sees_health() {
    let tracker = Tracker::start().await;
    let answer = tracker.get("/healthz", "").await;
    assert_eq!((answer.status(), answer.json()["status"].as_str()), (200, Some("ok")));
    assert_eq!(answer.json()["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn pages_carry_the_headers_that_keep_viewers_safe() {
    let tracker = Tracker::start().await;
    for path in ["/", "/watch/demo", "/healthz", "/nowhere", "/assets/nothing.js"] {
        let answer = tracker.get(path, "").await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"), "{path}: {policy}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[tokio::test]
async fn files_are_typed_and_fetched_once() {
    let tracker = Tracker::start().await;
    for (path, mime) in [
        ("/", "text/html; charset=utf-8"),
        ("/watch/demo", "text/html; charset=utf-8"),
        ("/assets/favicon.svg", "image/svg+xml"),
        ("/assets/watch.js", "text/javascript; charset=utf-8"),
        ("/assets/style.css", "text/css; charset=utf-8"),
    ] {
        let answer = tracker.get(path, "").await;
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some(mime)), "{path}");
        assert!(!answer.body.is_empty());
        let held = format!("If-None-Match: {}\r\n", answer.header("etag").unwrap());
        let again = tracker.get(path, &held).await;
        assert_eq!((again.status(), again.body.len()), (304, 0), "{path}");
    }
}

#[tokio::test]
async fn text_travels_compressed() {
    let tracker = Tracker::start().await;
    let plain = tracker.get("/assets/style.css", "").await;
    // Compression goes on in the background after the start.
    let squeezed = loop {
        let answer = tracker.get("/assets/style.css", "Accept-Encoding: gzip\r\n").await;
        if answer.header("content-encoding") == Some("gzip") {
            break answer;
        }
    };
    assert!(squeezed.body.len() < plain.body.len());
    assert_ne!(squeezed.header("etag"), plain.header("etag"));
    assert_eq!(squeezed.header("vary"), Some("accept-encoding"));
}

#[tokio::test]
async fn other_sites_may_load_the_player_and_can_pin_the_loader() {
    let tracker = Tracker::start().await;
    for path in ["/embed.js", "/assets/player.js", "/assets/session-start.js"] {
        let answer = tracker.get(path, "").await;
        assert_eq!(
            (answer.status(), answer.header("access-control-allow-origin")),
            (200, Some("*")),
            "{path}"
        );
    }
    for path in ["/", "/api/v1/channels", "/watch/demo", "/embed/demo", "/metrics"] {
        assert_eq!(tracker.get(path, "").await.header("access-control-allow-origin"), None, "{path}");
    }
    let loader = tracker.get("/embed.js", "").await.body;
    assert!(loader.len() < 6_000, "{} bytes", loader.len());
    let integrity = format!("sha384-{}", BASE64.encode(&Sha384::digest(&loader)));
    let facts = tracker.get("/api/v1/embed", "").await.json();
    assert_eq!(facts, serde_json::json!({ "loader": "/embed.js", "integrity": integrity }));
}

#[tokio::test]
async fn nothing_else_is_served() {
    let tracker = Tracker::start().await;
    for path in [
        "/assets/",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/assets//etc/passwd",
        "/watch/",
        "/watch/a/b",
        "/api/v1/nothing",
    ] {
        assert_eq!(tracker.get(path, "").await.status(), 404, "{path}");
    }
    assert_eq!(tracker.get("/session", "").await.status(), 400);
}

#[tokio::test]
async fn the_list_shows_what_is_live_and_nobody_s_address() {
    let tracker = Tracker::start().await;
    tracker.add_hosted("silent");
    assert_eq!(tracker.get("/api/v1/channels", "").await.json(), serde_json::json!([]));
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    let (_viewer, welcome) = tracker.viewer("demo", 2).await;
    source.settle().await;
    let expected = serde_json::json!([
        { "id": welcome.channel, "name": "demo", "live": true, "viewers": 1 }
    ]);
    let answer = loop {
        // The viewer's welcome is written before its count.
        let answer = tracker.get("/api/v1/channels", "").await.json();
        if answer[0]["viewers"] == 1 {
            break answer;
        }
    };
    assert_eq!(answer, expected);
}
