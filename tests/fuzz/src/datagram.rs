//! What comes to a UDP port: told apart before anything else looks at it.

use peer::transport::stun::{Kind, classify};

/// Of a STUN message (RFC 8489, section 5).
const HEADER_BYTES: usize = 20;

/// The input is one datagram.
pub fn datagram(bytes: &[u8]) {
    let kind = classify(bytes);
    match kind {
        Kind::Check { ufrag } => {
            let named = bytes
                .windows(ufrag.len() + 1)
                .any(|part| part.split_last() == Some((&b':', ufrag.as_bytes())));
            assert!(named, "a name that is in the datagram, before a colon");
        }
        Kind::Question { transaction } => assert_eq!(&bytes[8..HEADER_BYTES], transaction),
        Kind::Response => assert!(bytes.len() >= HEADER_BYTES),
        Kind::Secured => return assert!((20..=63).contains(&bytes[0])),
        Kind::Garbage => return,
    }
    assert_eq!(bytes.len(), HEADER_BYTES + usize::from(u16::from_be_bytes([bytes[2], bytes[3]])));
    assert_eq!(classify(&bytes[..bytes.len() - 1]), Kind::Garbage, "a length that is not the datagram's");
}
