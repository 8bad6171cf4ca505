//! What a viewer brings to a channel that lets in only whom its owner's site has sent.

use std::sync::LazyLock;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use serde_json::Value;
use tracker::channel_settings::ChannelSettings;
use tracker::tokens::{Comer, Objection, Tokens};
use tracker::{Channel, JoinSecret};
use wire::PeerId;

use crate::signer;

const NOW_S: u64 = 1_764_000_000;

/// Who comes, and another.
const PEERS: [PeerId; 2] = [PeerId(7), PeerId(8)];

/// A day from now, less a second: as long as a pass is good.
const LATER_S: u64 = NOW_S + 86_399;

static CLUB: LazyLock<Channel> = LazyLock::new(|| Channel {
    id: signer().channel(),
    name: "club".to_owned(),
    settings: ChannelSettings::default(),
    poster_tag: None,
    created_ms: 0,
    hosted: false,
    delegated_until_ms: None,
    join_secret: Some(JoinSecret::fresh()),
});

/// The input is the site of the page that comes, on a line, and the header of a JWT on the next; the rest are its claims, and
/// the channel's secret signs both. Without a header, the rest is the token as it is.
pub fn join_token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.splitn(3, '\n');
    let site = lines.next().filter(|site| !site.is_empty());
    let (header, rest) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let token = if header.is_empty() { rest.to_owned() } else { signed(header, rest) };
    let tokens = Tokens::default();
    let admit = |token: &str, peer, now_s| tokens.admit(&CLUB, Some(token), Comer { peer, site }, now_s);
    let [comes, another] = PEERS;
    match admit(&token, comes, NOW_S) {
        Err(objection) => assert!(objection.to_string().len() > 10, "a refusal explains itself"),
        Ok(pass) => {
            let read = |text| serde_json::from_str::<Value>(text).expect("what is let in is JSON");
            let (header, claims) = (read(header), read(rest));
            assert_eq!(header["alg"], "HS256");
            assert!(claims["channel"] == "club" || claims["channel"] == CLUB.id.to_string());
            assert!(claims["exp"].as_f64().is_some_and(|exp| exp > NOW_S as f64 - 31.0));
            let objection = if claims["peer"].is_null() {
                assert!(site.is_none_or(|site| claims["origin"] == site));
                Objection::Used
            } else {
                assert_eq!(claims["peer"], comes.to_string());
                Objection::OtherPeer
            };
            assert_eq!(admit(&token, another, NOW_S), Err(objection));
            assert!(admit(&token, comes, NOW_S).is_ok(), "its first answer may have been lost");
            assert!(admit(&pass, comes, LATER_S).is_ok());
            assert_eq!(admit(&pass, another, LATER_S), Err(Objection::OtherPeer));
        }
    }
}

fn signed(header: &str, claims: &str) -> String {
    let said = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes())).join(".");
    let secret = serde_json::to_value(&CLUB.join_secret).expect("a secret is text");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_str().unwrap_or_default().as_bytes());
    format!("{said}.{}", BASE64URL_NOPAD.encode(hmac::sign(&key, said.as_bytes()).as_ref()))
}
