//! Who may watch a channel whose owner lets in only those whom a site of theirs has sent.
//!
//! A **join token** is a JWT (RFC 7519) that the site's back end signs with the channel's join secret. It names the channel
//! and the site whose page shows it, is good for minutes, and lets one peer in: it is spent on a peer id, which only that
//! viewer's own secret proves. A **pass** is what that peer gets in return, signed with the same secret, so that it comes
//! back when its session breaks, however long that is after the token's time, and after a restart of this server as well.
//! Another join secret ends both.

mod hs256;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wire::{ChannelId, PeerId};

use crate::store::{Channel, JoinSecret};

/// Seconds for which a token is good at most. 10 min: a page that loads slowly, and no link that is passed around.
const TOKEN_LIFE_MAX_S: u64 = 600;

/// Seconds by which the clock of a site may be wrong. 30 s: one that is set by hand.
const CLOCK_ERROR_MAX_S: u64 = 30;

/// Seconds for which a pass is good; every session that is opened with it brings a new one. A day: longer than anyone watches.
const PASS_LIFE_S: u64 = 86_400;

/// Bytes of a token's number. 64: a UUID, or a hash in hexadecimal.
const NUMBER_MAX: usize = 64;

/// Tokens that are remembered until they expire. 262,144: 400 joins a second for as long as a token lives, in 16 MB.
const SPENT_MAX: usize = 262_144;

/// Why somebody is not let in. Messages say what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// Nothing was brought.
    #[error(
        "This channel lets in only whom its owner's site has sent. Open it on that site: this link alone does not do."
    )]
    Missing,
    /// Not a JWT, not signed with this channel's secret, or without what it must say.
    #[error(
        "The token that this page came with is none of this channel's. Reload the page that brought you here. If that does \
         not help, its owner has to look: the join secret may have been renewed."
    )]
    Invalid,
    /// It would be good for longer than a token may be.
    #[error(
        "This token is good for too long. The owner of the site has to make tokens that expire within 10 minutes."
    )]
    TooLong,
    /// Its time is over.
    #[error(
        "The token that this page came with has expired. Reload the page that brought you here: it brings another."
    )]
    Expired,
    /// It is another channel's.
    #[error(
        "The token that this page came with is for another channel. Reload the page that brought you here."
    )]
    OtherChannel,
    /// It is another site's.
    #[error(
        "The token that this page came with is for pages of another site than {0}. Watch on the site that it is for."
    )]
    OtherSite(String),
    /// A pass of somebody else.
    #[error("What this page came with has let in somebody else. Reload the page that brought you here.")]
    OtherPeer,
    /// It has let in another peer.
    #[error(
        "This token has let somebody in already, and is good once. Reload the page that brought you here: it brings another."
    )]
    Used,
    /// No more can be remembered now.
    #[error("More people come than can be let in at once. Try again in a moment.")]
    Full,
}

/// Who wants to come in.
#[derive(Debug, Clone, Copy)]
pub struct Comer<'a> {
    /// Proven.
    pub peer: PeerId,
    /// The other site whose page it is; `None`: a page of this server, or no browser.
    pub site: Option<&'a str>,
}

/// What a token or a pass says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Claims {
    /// Name or id.
    channel: String,
    /// Unix time in seconds, which RFC 7519 allows to have a fraction.
    exp: f64,
    /// A token's: the site whose pages may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    /// A token's: its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// A pass's: whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<PeerId>,
}

/// A token's number, within its channel.
type Number = [u8; 16];

/// The tokens that have let somebody in.
#[derive(Debug, Default)]
pub struct Tokens {
    spent: Mutex<HashMap<Number, Spent>>,
}

#[derive(Debug)]
struct Spent {
    on: PeerId,
    expires_s: u64,
}

impl Tokens {
    /// Lets somebody in, and returns the pass that lets it in again.
    pub fn admit(
        &self,
        channel: &Channel,
        token: Option<&str>,
        comer: Comer<'_>,
        now_s: u64,
    ) -> Result<String, Objection> {
        let secret = channel.join_secret.as_ref();
        let token = token.filter(|token| !token.is_empty()).ok_or(Objection::Missing)?;
        let claims = secret.and_then(|secret| read(token, secret)).ok_or(Objection::Invalid)?;
        // Whatever is out of range ends up at an end of it.
        let expires_s = claims.exp as u64;
        if !claims.is_for(channel) {
            return Err(Objection::OtherChannel);
        }
        if let Some(peer) = claims.peer {
            if peer != comer.peer {
                return Err(Objection::OtherPeer);
            }
            if expires_s <= now_s {
                return Err(Objection::Expired);
            }
        } else {
            let origin = claims.origin.as_deref().ok_or(Objection::Invalid)?;
            let number = claims.jti.as_deref().filter(|jti| (1..=NUMBER_MAX).contains(&jti.len()));
            let number = number.ok_or(Objection::Invalid)?;
            if let Some(site) = comer.site.filter(|site| *site != origin) {
                return Err(Objection::OtherSite(site.to_owned()));
            }
            if expires_s.saturating_add(CLOCK_ERROR_MAX_S) <= now_s {
                return Err(Objection::Expired);
            }
            if expires_s > now_s + TOKEN_LIFE_MAX_S + CLOCK_ERROR_MAX_S {
                return Err(Objection::TooLong);
            }
            let spent = Spent { on: comer.peer, expires_s: expires_s + CLOCK_ERROR_MAX_S };
            self.spend(tied(channel.id, number), spent, now_s)?;
        }
        secret.and_then(|secret| pass(channel.id, comer.peer, secret, now_s)).ok_or(Objection::Invalid)
    }

    /// A peer may come with its token again: the answer to its first join may not have reached it.
    fn spend(&self, number: Number, spent: Spent, now_s: u64) -> Result<(), Objection> {
        let mut table = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = table.get(&number).filter(|earlier| earlier.expires_s > now_s) {
            return if earlier.on == spent.on { Ok(()) } else { Err(Objection::Used) };
        }
        if table.len() >= SPENT_MAX {
            table.retain(|_, spent| spent.expires_s > now_s);
        }
        if table.len() >= SPENT_MAX {
            return Err(Objection::Full);
        }
        table.insert(number, spent);
        Ok(())
    }
}

impl Claims {
    fn is_for(&self, channel: &Channel) -> bool {
        self.channel == channel.name || self.channel.parse() == Ok(channel.id)
    }
}

/// The site whose pages may use this token of the channel's, if it is one, its time aside.
pub(crate) fn site(channel: &Channel, token: &str) -> Option<String> {
    let claims = read(token, channel.join_secret.as_ref()?)?;
    claims.origin.clone().filter(|_| claims.is_for(channel))
}

/// What is said under the secret's signature. Times are not looked at.
fn read(token: &str, secret: &JoinSecret) -> Option<Claims> {
    hs256::install();
    let mut signature = Validation::new(Algorithm::HS256);
    (signature.validate_exp, signature.validate_aud) = (false, false);
    signature.required_spec_claims.clear();
    let key = DecodingKey::from_secret(secret.as_bytes());
    let read = decode(token, &key, &signature).ok()?;
    Some(read.claims)
}

fn pass(channel: ChannelId, peer: PeerId, secret: &JoinSecret, now_s: u64) -> Option<String> {
    hs256::install();
    let exp = (now_s + PASS_LIFE_S) as f64;
    let claims = Claims { channel: channel.to_string(), exp, peer: Some(peer), ..Claims::default() };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes())).ok()
}

fn tied(channel: ChannelId, number: &str) -> Number {
    let digest = Sha256::new_with_prefix(channel.0).chain_update(number).finalize();
    let mut tied = Number::default();
    let length = tied.len();
    tied.copy_from_slice(&digest[..length]);
    tied
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::store::settings::ChannelSettings;

    const NOW_S: u64 = 1_764_000_000;
    const SITE: &str = "https://club.example";

    fn channel(id: u8) -> Channel {
        Channel {
            id: ChannelId([id; 32]),
            name: format!("club-{id}"),
            settings: ChannelSettings::default(),
            poster_tag: None,
            created_ms: 0,
            hosted: false,
            delegated_until_ms: None,
            join_secret: Some(JoinSecret::fresh()),
        }
    }

    fn token_of(channel: &Channel, claims: &Value) -> String {
        hs256::install();
        let key = EncodingKey::from_secret(channel.join_secret.as_ref().unwrap().as_bytes());
        encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
    }

    fn claims(jti: &str) -> Value {
        json!({ "channel": "club-1", "origin": SITE, "exp": NOW_S + 60, "jti": jti })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut claims = claims("1");
        claims[field] = value;
        claims
    }

    fn comer(peer: u64) -> Comer<'static> {
        Comer { peer: PeerId(peer), site: Some(SITE) }
    }

    #[test]
    fn a_token_lets_one_peer_in_and_its_pass_lets_that_peer_in_again() {
        let (tokens, club) = (Tokens::default(), channel(1));
        let token = token_of(&club, &claims("1"));
        let admit = |token: &str, peer, now_s| tokens.admit(&club, Some(token), comer(peer), now_s);
        let pass = admit(&token, 7, NOW_S).unwrap();
        assert_eq!(admit(&token, 8, NOW_S), Err(Objection::Used));
        assert!(admit(&token, 7, NOW_S).is_ok(), "its first answer may have been lost");
        let later = NOW_S + PASS_LIFE_S - 1;
        assert_eq!(admit(&token, 7, later), Err(Objection::Expired));
        assert_eq!(admit(&pass, 8, later), Err(Objection::OtherPeer));
        let next = admit(&pass, 7, later).unwrap();
        assert_eq!(admit(&pass, 7, later + 1), Err(Objection::Expired));
        // A server that was restarted knows of nobody.
        assert!(Tokens::default().admit(&club, Some(&next), comer(7), later + 1).is_ok());
        let renewed = Channel { join_secret: Some(JoinSecret::fresh()), ..club.clone() };
        assert_eq!(tokens.admit(&renewed, Some(&next), comer(7), later), Err(Objection::Invalid));
    }

    #[test]
    fn a_token_is_for_one_channel_one_site_and_some_minutes() {
        let (tokens, club) = (Tokens::default(), channel(1));
        let refused = |claims: &Value, site| {
            let comer = Comer { peer: PeerId(7), site };
            tokens.admit(&club, Some(&token_of(&club, claims)), comer, NOW_S).err()
        };
        assert_eq!(refused(&claims("1"), Some(SITE)), None);
        assert_eq!(refused(&with("exp", json!((NOW_S + 60) as f64 + 0.5)), Some(SITE)), None);
        assert_eq!(refused(&with("channel", json!(club.id)), None), None, "a page of this server's");
        let other = Some("https://evil.example");
        assert_eq!(refused(&claims("1"), other), Some(Objection::OtherSite("https://evil.example".into())));
        assert_eq!(refused(&with("channel", json!("club-2")), None), Some(Objection::OtherChannel));
        assert_eq!(refused(&with("exp", json!(NOW_S - 30)), None), Some(Objection::Expired));
        assert_eq!(refused(&with("exp", json!(NOW_S + 631)), None), Some(Objection::TooLong));
        for (field, value) in [
            ("exp", json!("soon")),
            ("exp", Value::Null),
            ("exp", json!([NOW_S])),
            ("origin", Value::Null),
            ("jti", Value::Null),
            ("jti", json!("")),
            ("jti", json!("x".repeat(65))),
            ("jti", json!(5)),
            ("channel", Value::Null),
            ("peer", json!("me")),
        ] {
            assert_eq!(refused(&with(field, value), None), Some(Objection::Invalid), "{field}");
        }
        assert_eq!(refused(&with("exp", json!(-1e300)), None), Some(Objection::Expired));
        for never in [1e18, 1e300] {
            assert_eq!(refused(&with("exp", json!(never)), None), Some(Objection::TooLong));
        }
    }

    #[test]
    fn only_the_secret_s_own_signature_counts() {
        let (tokens, club) = (Tokens::default(), channel(1));
        let admit = |token: &str| tokens.admit(&club, Some(token), comer(7), NOW_S).err();
        assert_eq!(tokens.admit(&club, None, comer(7), NOW_S), Err(Objection::Missing));
        assert_eq!(admit(""), Some(Objection::Missing));
        let foreign = Channel { id: club.id, ..channel(2) };
        assert_eq!(admit(&token_of(&foreign, &claims("1"))), Some(Objection::Invalid));
        let signed = token_of(&club, &claims("1"));
        let (_, rest) = signed.split_once('.').unwrap();
        let (body, _) = rest.split_once('.').unwrap();
        // {"alg":"none"}, {"alg":"HS512","typ":"JWT"}, {"alg":"RS256"}
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9", "eyJhbGciOiJSUzI1NiJ9"]
        {
            assert_eq!(admit(&format!("{header}.{rest}")), Some(Objection::Invalid), "{header}");
            assert_eq!(admit(&format!("{header}.{body}.")), Some(Objection::Invalid), "{header}");
        }
        let closed = Channel { join_secret: None, ..club.clone() };
        assert_eq!(tokens.admit(&closed, Some(&signed), comer(7), NOW_S), Err(Objection::Invalid));
        assert_eq!(site(&club, &signed).as_deref(), Some(SITE));
        assert_eq!(site(&closed, &signed), None);
    }

    proptest! {
        #[test]
        fn whatever_is_no_token_is_refused(text in "\\PC{0,200}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,80}", 0..5)) {
            let (tokens, club) = (Tokens::default(), channel(1));
            for token in [text, parts.join(".")] {
                let wanted = if token.is_empty() { Objection::Missing } else { Objection::Invalid };
                prop_assert_eq!(tokens.admit(&club, Some(&token), comer(7), NOW_S), Err(wanted));
            }
        }

        #[test]
        fn a_token_with_another_character_is_refused(place in 0usize..1_000, other in "[A-Za-z0-9_.-]") {
            let (tokens, club) = (Tokens::default(), channel(1));
            let token = token_of(&club, &claims("1"));
            let place = place % token.len();
            let altered = format!("{}{other}{}", &token[..place], &token[place + 1..]);
            prop_assume!(altered != token);
            prop_assert_eq!(tokens.admit(&club, Some(&altered), comer(7), NOW_S), Err(Objection::Invalid));
        }

        #[test]
        fn claims_of_any_kind_panic_nowhere(exp in any::<f64>(), origin in ".{0,40}", jti in ".{0,80}", peer in any::<Option<u64>>()) {
            let (tokens, club) = (Tokens::default(), channel(1));
            let claims = json!({ "channel": "club-1", "exp": exp, "origin": origin, "jti": jti, "peer": peer.map(PeerId) });
            let _ = tokens.admit(&club, Some(&token_of(&club, &claims)), comer(7), NOW_S);
        }
    }
}
