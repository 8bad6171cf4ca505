//! STUN as seen from a socket: what a datagram is, and whose connectivity check (RFC 8489, RFC 8445).

const HEADER_BYTES: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const ATTRIBUTE_USERNAME: u16 = 0x0006;
const ATTRIBUTE_USE_CANDIDATE: u16 = 0x0025;
/// Bit of the message type that tells a response from a request or an indication.
const RESPONSE_BIT: u16 = 0x0100;

/// What a datagram is, as far as the choice of its receiver goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A connectivity check for the link that announced this ICE user name.
    Check {
        /// Ours.
        ufrag: &'a str,
    },
    /// The response to a check of ours.
    Response,
    /// A question without a user name: someone wants to know its address.
    Question {
        /// To be repeated in the answer.
        transaction: [u8; 12],
    },
    /// DTLS.
    Secured,
    /// Nothing that belongs here.
    Garbage,
}

/// Tells the kinds apart (RFC 7983 for the first byte).
pub fn classify(datagram: &[u8]) -> Kind<'_> {
    match datagram.first() {
        Some(0..=3) => classify_stun(datagram).unwrap_or(Kind::Garbage),
        Some(20..=63) => Kind::Secured,
        _ => Kind::Garbage,
    }
}

fn classify_stun(datagram: &[u8]) -> Option<Kind<'_>> {
    let (header, attributes) = datagram.split_at_checked(HEADER_BYTES)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[4..8] != MAGIC_COOKIE || length != attributes.len() {
        return None;
    }
    let message_type = u16::from_be_bytes([header[0], header[1]]);
    if message_type & RESPONSE_BIT != 0 {
        return Some(Kind::Response);
    }
    match attribute(attributes, ATTRIBUTE_USERNAME) {
        Some(name) => {
            let (ours, _) = std::str::from_utf8(name).ok()?.split_once(':')?;
            Some(Kind::Check { ufrag: ours })
        }
        None if message_type == BINDING_REQUEST => {
            Some(Kind::Question { transaction: header[8..20].try_into().ok()? })
        }
        None => None,
    }
}

/// Whether a datagram is a connectivity check that nominates its pair.
pub(super) fn nominates(datagram: &[u8]) -> bool {
    datagram.starts_with(&BINDING_REQUEST.to_be_bytes())
        && datagram.get(HEADER_BYTES..).is_some_and(|rest| attribute(rest, ATTRIBUTE_USE_CANDIDATE).is_some())
}

/// The value of the first attribute of this type.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(..length)?;
        if u16::from_be_bytes([head[0], head[1]]) == wanted {
            return Some(value);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Vec<u8> {
        [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat()
    }

    fn check(user: &[u8]) -> Vec<u8> {
        let mut attributes = vec![0x80, 0x22, 0, 1, 9, 0, 0, 0, 0, 6, 0, user.len() as u8];
        attributes.extend_from_slice(user);
        attributes.resize(attributes.len().next_multiple_of(4), 0);
        let mut datagram = vec![0, 1, 0, attributes.len() as u8, 0x21, 0x12, 0xa4, 0x42];
        datagram.extend_from_slice(&[7; 12]);
        datagram.extend_from_slice(&attributes);
        datagram
    }

    #[test]
    fn kinds_are_told_apart() {
        assert_eq!(classify(&question()), Kind::Question { transaction: [7; 12] });
        assert_eq!(classify(&check(b"ours:theirs")), Kind::Check { ufrag: "ours" });
        assert_eq!(classify(&[22, 254, 253]), Kind::Secured);
        let mut response = question();
        response[0] = 1;
        assert_eq!(classify(&response), Kind::Response);
    }

    #[test]
    fn damaged_datagrams_are_garbage() {
        assert_eq!(classify(&[]), Kind::Garbage);
        assert_eq!(classify(&[0x80, 1, 2]), Kind::Garbage);
        assert_eq!(classify(&check(b"no colon")), Kind::Garbage);
        assert_eq!(classify(&check(b"\xff\xfe:x")), Kind::Garbage);
        let whole = check(b"ours:theirs");
        for length in 0..whole.len() {
            assert_eq!(classify(&whole[..length]), Kind::Garbage, "{length}");
        }
        let mut lying = check(b"ours:theirs");
        lying[31] = 255;
        assert!(!matches!(classify(&lying), Kind::Check { .. }));
    }
}
