//! What comes to the ports of the pages, of the REST interface and of the encoders.

use wire::request::Request;

use crate::support::{channel, signer};
use crate::table::{Case, Garbage};

pub fn http() -> Vec<Case> {
    let http = |name, bytes: &[u8], reason| Case(name, Garbage::Http(bytes.to_vec()), "http", reason);
    let get = |name, path: &str, reason| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Case(name, Garbage::Http(request.into_bytes()), "http", reason)
    };
    let upgrade = |name, headers: &str| {
        let request = format!("GET /session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        Case(name, Garbage::Http(request.into_bytes()), "http", "bad_request")
    };
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(5_000));
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(600_000));
    let pipelined = format!(
        "{}GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50)
    );
    vec![
        http("no HTTP", b"what is this\r\n\r\n", "bad_request"),
        http("zeros", &[0; 64], "bad_request"),
        http("TLS where there is none", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "bad_request"),
        http("a header without a colon", b"GET / HTTP/1.1\r\nHost\r\n\r\n", "bad_request"),
        http("a header flood", many.as_bytes(), "too_large"),
        http("a header without end", long.as_bytes(), "too_large"),
        http("pipelining", pipelined.as_bytes(), "not_found"),
        http("a method that is none", b"DANCE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "method"),
        http(
            "a body for a page",
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
            "method",
        ),
        get("up the path", "/assets/../../etc/passwd", "not_found"),
        get("up the path, encoded", "/assets/%2e%2e/%2e%2e/etc/passwd", "not_found"),
        get("up the path, encoded twice", "/assets/%252e%252e%252fetc/passwd", "not_found"),
        get("backslashes", "/assets/..%5c..%5cetc", "not_found"),
        get("an absolute path", "/assets//etc/passwd", "not_found"),
        get("a zero in a path", "/assets/a%00b", "not_found"),
        get("a path that is not UTF-8", "/assets/%ff%fe", "bad_request"),
        upgrade("a session without an upgrade", ""),
        upgrade(
            "a session of another version",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: eA==\r\n",
        ),
        upgrade(
            "a session without a key",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
        ),
    ]
}

pub fn rest() -> Vec<Case> {
    let request = |name, line: &str, headers: &str, body: &str, reason| {
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        Case(name, Garbage::Http(head.into_bytes()), "http", reason)
    };
    let path = format!("/api/v1/channels/{}", channel(1));
    let claim = format!("PUT {path}");
    let signed = |of: &str| format!("Authorization: Swarmcast {of}\r\n");
    let nonce = "00112233445566778899aabbccddeeff";
    let zeros = signed(&format!("{}.{nonce}.{}", channel(1), "A".repeat(86)));
    let unasked = Request { method: "PUT", path: &path, nonce, body: b"{}" }.authorize(&signer(1));
    let unasked = format!("Authorization: {unasked}\r\n");
    vec![
        request("a claim that nobody has signed", &claim, "", "{}", "unauthorized"),
        request("a signature of nothing", &claim, &signed(""), "{}", "unauthorized"),
        request("a signature of zeros", &claim, &zeros, "{}", "unauthorized"),
        request("a challenge that nobody has set", &claim, &unasked, "{}", "unauthorized"),
        request(
            "the operator's token, guessed",
            "GET /api/v1/bans",
            "Authorization: Bearer x\r\n",
            "",
            "unauthorized",
        ),
        request(
            "a setup link of nobody's",
            "GET /api/v1/setup",
            "Authorization: Bearer x\r\n",
            "",
            "unauthorized",
        ),
        request("an interface that is none", "GET /api/v1/../../etc/passwd", "", "", "not_found"),
        request("a method that the address has not", &format!("POST {path}"), "", "[]", "method"),
        request("a body over the limit", &claim, &zeros, &"x".repeat(300_000), "too_large"),
    ]
}

pub fn rtmp() -> Vec<Case> {
    let rtmp = |name, bytes: &[u8]| Case(name, Garbage::Rtmp(bytes.to_vec()), "rtmp", "unusable");
    let greeted = |rest: &[u8]| [&[3u8][..], &[0; 1536], &[0; 1536], rest].concat();
    // A command within one chunk, whose objects hold each other.
    let command =
        [&[2, 0, 7][..], b"connect", &[0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], &b"\x03\x00\x01a".repeat(20)]
            .concat();
    let nested = [&[3, 0, 0, 0, 0, 0, command.len() as u8, 20, 0, 0, 0, 0][..], &command].concat();
    vec![
        rtmp("another version of RTMP", &[0x47; 1_537]),
        rtmp("HTTP where encoders publish", &b"GET / HTTP/1.1\r\n".repeat(97)),
        Case(
            "a message of 16 MB",
            Garbage::Rtmp(greeted(&[2, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0])),
            "rtmp",
            "violation",
        ),
        Case("a chunk of nothing before", Garbage::Rtmp(greeted(&[0xc3; 40])), "rtmp", "violation"),
        Case("objects inside of each other", Garbage::Rtmp(greeted(&nested)), "rtmp", "violation"),
    ]
}
