//! STUN as seen from the socket: whose connectivity check a datagram is, and the embedded server that tells
//! browsers their public address (RFC 8489).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::message::{BINDING_SUCCESS, Message, Setter, TransactionId};
use rtc::stun::xoraddr::XorMappedAddress;

const HEADER_BYTES: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const ATTRIBUTE_USERNAME: u16 = 0x0006;
/// Bit of the message type that tells a response from a request or an indication.
const RESPONSE_BIT: u16 = 0x0100;

/// What a datagram is, as far as the choice of its receiver goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A connectivity check for the link that announced this ICE user name.
    Check { ufrag: &'a str },
    /// The response to a check of ours.
    Response,
    /// A question without a user name: someone wants to know its address.
    Question { transaction: [u8; 12] },
    /// DTLS.
    Secured,
    /// Nothing that belongs here.
    Garbage,
}

/// Tells the kinds apart (RFC 7983 for the first byte).
pub(super) fn classify(datagram: &[u8]) -> Kind<'_> {
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
    match username(attributes) {
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

/// The value of the first USERNAME attribute.
fn username(mut attributes: &[u8]) -> Option<&[u8]> {
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(..length)?;
        if u16::from_be_bytes([head[0], head[1]]) == ATTRIBUTE_USERNAME {
            return Some(value);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// Answers questions, a bounded number per address and second.
pub(super) struct Responder {
    per_second_max: u32,
    addresses_max: usize,
    second_began: Instant,
    answered: HashMap<IpAddr, u32>,
}

impl Responder {
    /// A responder that has answered nobody yet.
    pub(super) fn new(now: Instant, per_second_max: u32, addresses_max: usize) -> Self {
        Self { per_second_max, addresses_max, second_began: now, answered: HashMap::new() }
    }

    /// The answer for `from`, unless it or everybody together has asked too much.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: [u8; 12],
    ) -> Option<Vec<u8>> {
        if !self.admit(now, from.ip()) {
            return None;
        }
        let setters: [Box<dyn Setter>; 4] = [
            Box::new(BINDING_SUCCESS),
            Box::new(TransactionId(transaction)),
            Box::new(XorMappedAddress { ip: from.ip(), port: from.port() }),
            Box::new(FINGERPRINT),
        ];
        let mut message = Message::new();
        message.build(&setters).ok()?;
        Some(message.raw)
    }

    fn admit(&mut self, now: Instant, address: IpAddr) -> bool {
        if now.saturating_duration_since(self.second_began) >= Duration::from_secs(1) {
            self.second_began = now;
            self.answered.clear();
        }
        let household = household(address);
        if self.answered.len() >= self.addresses_max && !self.answered.contains_key(&household) {
            return false;
        }
        let count = self.answered.entry(household).or_default();
        *count = count.saturating_add(1);
        *count <= self.per_second_max
    }
}

/// What is counted together: an IPv4 address, or the /64 that one IPv6 subscriber has at least.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
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

    #[test]
    fn questions_are_answered_up_to_the_limit_each_second() {
        let now = Instant::now();
        let mut responder = Responder::new(now, 2, 2);
        let mut ask = |now, text: &str| responder.answer(now, text.parse().unwrap(), [7; 12]).is_some();
        assert!(ask(now, "192.0.2.1:5") && ask(now, "192.0.2.1:6") && !ask(now, "192.0.2.1:7"));
        assert!(ask(now, "[2001:db8::1]:5") && ask(now, "[2001:db8::2]:5") && !ask(now, "[2001:db8::3]:5"));
        assert!(!ask(now, "192.0.2.3:5"), "the table is full");
        assert!(ask(now + Duration::from_secs(1), "192.0.2.1:5"));
    }
}
