//! Credentials for a TURN server, made for each peer and valid for some hours: nothing that is worth stealing, and
//! nothing to keep. Relaying itself is the TURN server's part.

use data_encoding::BASE64;
use ring::hmac;
use wire::PeerId;
use wire::session::Turn;

use crate::config::Config;

/// Credentials for `peer` at the configured server, from `unix_s` on; `None`: there is no server, or no secret.
///
/// As coturn's `use-auth-secret` wants them (draft-uberti-behave-turn-rest-00 §2.2): the name is the time of expiry and
/// something of ours, the password is the name's HMAC-SHA1 under the shared secret.
pub(crate) fn credentials(config: &Config, peer: PeerId, unix_s: u64) -> Option<Turn> {
    let (urls, secret) = (config.turn_url.clone()?, config.turn_secret.as_ref()?);
    let expires_s = unix_s + config.turn_credentials_last.as_secs();
    let username = format!("{expires_s}:{peer}");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let credential = BASE64.encode(hmac::sign(&key, username.as_bytes()).as_ref());
    Some(Turn { urls, username, credential })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_that_coturn_computes() {
        let mut config = Config {
            turn_url: Some("turn:turn.example.org:3478".into()),
            turn_secret: Some("north".into()),
            ..Config::default()
        };
        let turn = credentials(&config, PeerId(0xbe45_cb26_05bf_36be), 1_700_000_000).unwrap();
        assert_eq!(turn.username, "1700043200:be45cb2605bf36be");
        // printf 1700043200:be45cb2605bf36be | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(turn.credential, "jyXqbTiiA+uWoRPFaOKO5/K3u0Y=");
        config.turn_secret = None;
        assert_eq!(credentials(&config, PeerId(1), 0), None);
    }
}
