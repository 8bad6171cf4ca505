//! What comes as messages of a session: before somebody is let in, and after.

use serde_json::json;
use wire::session::{Announce, FromPeer, Join};
use wire::{Epoch, PeerSecret};

use crate::support::{channel, in_seconds, join, join_token, peer, signer};
use crate::table::{Case, Garbage};

pub fn first_texts() -> Vec<Case> {
    let first = |name, text: &str, reason| Case(name, Garbage::First(text.to_owned()), "opening", reason);
    let announced = |name: &str, proof: &str| {
        let secret = PeerSecret([1; 16]);
        FromPeer::Announce(Announce {
            version: wire::VERSION,
            channel: channel(3),
            name: name.to_owned(),
            secret,
            proof: proof.to_owned(),
            delegation: None,
            epoch: Some(Epoch(7)),
        })
        .to_text()
    };
    let replayed = signer(3).announce("00112233445566778899aabbccddeeff");
    let foreign = signer(4).announce("00112233445566778899aabbccddeeff");
    let unknown = join("nobody", 9).to_text();
    let old = join("demo", 9).to_text().replace("\"version\":1", "\"version\":0");
    let stolen = join("demo", 2).to_text().replace(&PeerSecret([2; 16]).to_string(), &peer(2).to_string());
    let long_channel = join(&"x".repeat(65), 9).to_text();
    vec![
        first("nothing", "", "malformed"),
        first("a space", " ", "malformed"),
        first("null", "null", "malformed"),
        first("a number", "0", "malformed"),
        first("a list", "[]", "malformed"),
        first("an empty object", "{}", "malformed"),
        first("no type", "{\"version\":1}", "malformed"),
        first("a type that is null", "{\"type\":null}", "malformed"),
        first("a type that is a list", "{\"type\":[\"join\"]}", "malformed"),
        first("half an object", "{\"type\":\"join\"", "malformed"),
        first("two objects", "{\"type\":\"clock\"}{\"type\":\"clock\"}", "malformed"),
        first(
            "nulls for fields",
            "{\"type\":\"join\",\"version\":null,\"channel\":null,\"secret\":null}",
            "malformed",
        ),
        first("offers of nothing", "{\"offers\":[null,null]}", "malformed"),
        first("the tracker's own words", "{\"type\":\"hello\",\"nonce\":\"x\",\"time_ms\":1}", "malformed"),
        first("a number that is none", "{\"type\":\"join\",\"version\":1e400}", "malformed"),
        first("deep lists", &"[".repeat(16_000), "malformed"),
        first("deep objects", &"{\"a\":".repeat(3_000), "malformed"),
        first("a lone surrogate", "{\"type\":\"\\ud800\"}", "malformed"),
        first("a text over the limit", &format!("\"{}\"", "x".repeat(18_000)), "too_long"),
        first("a member's words", "{\"type\":\"clock\"}", "bad_message"),
        first("the end before the beginning", "{\"type\":\"ended\"}", "bad_message"),
        first("another version", &old, "version"),
        first("a channel that is not there", &unknown, "unknown_channel"),
        first("a channel's name over the limit", &long_channel, "over_limit"),
        first("a banned peer", &join("guarded", 8).to_text(), "banned_peer"),
        first("a banned address", &join("barred", 9).to_text(), "banned_prefix"),
        first("a replayed proof", &announced("elsewhere", &replayed), "bad_proof"),
        first("another key's proof", &announced("elsewhere", &foreign), "bad_proof"),
        first("a proof of nothing", &announced("elsewhere", ""), "bad_proof"),
        first("a proof over the limit", &announced("elsewhere", &"x".repeat(129)), "over_limit"),
        first("a name that is a path", &announced("../../etc", &replayed), "over_limit"),
        first("a name that is empty", &announced("", &replayed), "over_limit"),
        first("a peer's id for its secret", &stolen, "malformed"),
    ]
}

pub fn tokens(secret: &str) -> Vec<Case> {
    let first = |name, text: &str, reason| Case(name, Garbage::First(text.to_owned()), "opening", reason);
    let with = |channel: &str, number: &str, expires_s: i64, secret: &str| {
        with_token(&token(channel, number, expires_s, secret))
    };
    let pass = json!({ "channel": "guarded", "exp": in_seconds(60), "peer": peer(8) });
    vec![
        first("no token", &join("guarded", 9).to_text(), "token_missing"),
        first("an empty token", &with_token(""), "token_missing"),
        first("a token of nonsense", &with_token("a.b.c"), "token_invalid"),
        first("a token that signs itself none", &with_token("eyJhbGciOiJub25lIn0.e30."), "token_invalid"),
        first("a token of dots", &with_token(&".".repeat(1_000)), "token_invalid"),
        first("a token over the limit", &with_token(&"x".repeat(1_025)), "over_limit"),
        first("a token that is a list", &with_token("x").replace("\"x\"", "[]"), "malformed"),
        first("a token that was used by another", &with_token(&spent(secret)), "token_used"),
        first("another channel's token", &with("demo", "1", 60, secret), "token_foreign"),
        first("another's pass", &with_token(&join_token(secret, &pass)), "token_foreign"),
        first("a token that has expired", &with("guarded", "2", -60, secret), "token_expired"),
        first("a token that is good for an hour", &with("guarded", "3", 3_600, secret), "token_invalid"),
        first("a token under another secret", &with("guarded", "4", 60, "guess"), "token_invalid"),
        first("a token whose number is none", &with("guarded", "", 60, secret), "token_invalid"),
        first("a token for ever", &with("guarded", "5", i64::MAX - in_seconds(0), secret), "token_invalid"),
    ]
}

fn token(channel: &str, number: &str, expires_s: i64, secret: &str) -> String {
    let (origin, exp) = ("https://club.example", in_seconds(expires_s));
    join_token(secret, &json!({ "channel": channel, "origin": origin, "exp": exp, "jti": number }))
}

/// The token that the first viewer of the channel comes with.
pub fn spent(secret: &str) -> String {
    token("guarded", "spent", 300, secret)
}

/// A join of a channel that asks for a token.
fn with_token(token: &str) -> String {
    let FromPeer::Join(join) = join("guarded", 9) else { unreachable!() };
    FromPeer::Join(Join { token: Some(token.to_owned()), ..join }).to_text()
}

pub fn texts() -> Vec<Case> {
    let text = |name, text: String, reason| Case(name, Garbage::Text(text), "session", reason);
    let many = |count: usize| vec!["\"00000000000000ff\""; count].join(",");
    let report = |fields: &str| {
        format!(
            "{{\"type\":\"report\",\"links\":[],\"feeds\":[],\"from_viewers\":0,\"from_source\":0,\"from_relay\":0{fields}}}"
        )
    };
    let signal =
        |signal: &str| format!("{{\"type\":\"signal\",\"to\":\"00000000000000ff\",\"signal\":{signal}}}");
    vec![
        text("nothing, inside", String::new(), "malformed"),
        text("a join again", join("demo", 99).to_text(), "bad_message"),
        text("somebody else's end", FromPeer::Ended.to_text(), "bad_message"),
        text("negative bytes", report(",\"capacity_bps\":-1"), "malformed"),
        text("a capacity beyond numbers", report(",\"capacity_bps\":99999999999"), "malformed"),
        text(
            "too many links",
            report("").replace("\"links\":[]", &format!("\"links\":[{}]", many(33))),
            "over_limit",
        ),
        text(
            "too many feeds",
            report("").replace("\"feeds\":[]", &format!("\"feeds\":[{}]", many(17))),
            "over_limit",
        ),
        text("a link to nobody", report("").replace("\"links\":[]", "\"links\":[null]"), "malformed"),
        text("a signal without a kind", signal("{}"), "malformed"),
        text("a signal of no kind", signal("{\"kind\":\"dance\"}"), "malformed"),
        text("an offer of nothing", signal("{\"kind\":\"offer\",\"sdp\":null}"), "malformed"),
        text(
            "an offer over the limit",
            signal(&format!("{{\"kind\":\"offer\",\"sdp\":\"{}\"}}", "x".repeat(16_385))),
            "over_limit",
        ),
        text(
            "a candidate over the limit",
            signal(&format!("{{\"kind\":\"candidate\",\"candidate\":\"{}\"}}", "x".repeat(513))),
            "over_limit",
        ),
        text(
            "a fault that is none",
            "{\"type\":\"orphaned\",\"stripes\":1,\"failed\":\"00000000000000ff\",\"fault\":\"bored\"}"
                .to_owned(),
            "malformed",
        ),
        text(
            "stripes beyond all",
            "{\"type\":\"orphaned\",\"stripes\":65536,\"failed\":\"00000000000000ff\",\"fault\":\"lost\"}"
                .to_owned(),
            "malformed",
        ),
        text("sharing neither on nor off", "{\"type\":\"sharing\",\"on\":2}".to_owned(), "malformed"),
    ]
}

pub fn frames() -> Vec<Case> {
    let frame = |name, bytes: &[u8], reason| Case(name, Garbage::Frame(bytes.to_vec()), "session", reason);
    let forged = {
        let mut piece = vec![0x01; 300];
        piece[1] = wire::VERSION;
        piece
    };
    vec![
        frame("an empty frame", &[], "bad_frame"),
        frame("a frame of no kind", &[0; 20], "bad_frame"),
        frame("half a piece", &[0x01; 20], "bad_frame"),
        frame("a piece of nonsense", &forged, "bad_frame"),
        frame("a header of nonsense", &[0x02; 20_000], "bad_frame"),
        frame(
            "a have that lies about its length",
            &[0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1],
            "bad_frame",
        ),
        frame("half a request", &[0x15, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3], "bad_frame"),
        frame("a ping with a tail", &[0x18; 14], "bad_frame"),
    ]
}
