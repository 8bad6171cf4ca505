//! Who speaks for a channel in its chat: a key's answer to the challenge of one connection.

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::ChannelId;
use crate::signature::{BadSignature, Domain, Signer, Verifier};

/// The answer of `signer`'s key to `nonce`, for the chat of `channel`.
pub fn proof(signer: &Signer, channel: ChannelId, nonce: &str) -> String {
    Base64UrlUnpadded::encode_string(&signer.sign(Domain::Chat, &[&channel.0, nonce.as_bytes()]))
}

/// Checks such an answer of `key`, which is the channel's own or another one.
pub fn check_proof(key: ChannelId, channel: ChannelId, nonce: &str, proof: &str) -> Result<(), BadSignature> {
    let bytes = Base64UrlUnpadded::decode_vec(proof).map_err(|_| BadSignature)?;
    let signature = bytes.try_into().map_err(|_| BadSignature)?;
    Verifier::new(key)?.verify(Domain::Chat, &[&channel.0, nonce.as_bytes()], &signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_one_key_one_channel_and_one_connection() {
        let (signer, other) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let (key, channel) = (signer.channel(), other.channel());
        let proof = proof(&signer, channel, "nonce");
        assert_eq!(check_proof(key, channel, "nonce", &proof), Ok(()));
        assert!(check_proof(other.channel(), channel, "nonce", &proof).is_err());
        assert!(check_proof(key, key, "nonce", &proof).is_err());
        assert!(check_proof(key, channel, "another", &proof).is_err());
        assert!(
            check_proof(key, channel, "nonce", &signer.announce("nonce")).is_err(),
            "made for another purpose"
        );
        for garbage in ["", "é", "AAAA", &"A".repeat(86)] {
            assert!(check_proof(key, channel, "nonce", garbage).is_err(), "{garbage}");
        }
    }
}
