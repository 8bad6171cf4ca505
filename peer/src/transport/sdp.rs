//! The little text around SDP that the WebRTC crate leaves to its user: candidates in, candidates out.

use std::net::{IpAddr, SocketAddr};

/// `sdp` with the candidates of `addresses` on `port` in its only media section, and end-of-candidates.
pub(super) fn with_candidates(sdp: &str, addresses: &[IpAddr], port: u16) -> String {
    let mut out: String = sdp
        .lines()
        .filter(|line| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates"))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    for (index, address) in addresses.iter().enumerate() {
        out.push_str(&format!("a={}\r\n", host_candidate(SocketAddr::new(*address, port), index)));
    }
    out.push_str("a=end-of-candidates\r\n");
    out
}

/// A host candidate line (RFC 8839 §5.1); `index` is its place in the order of preference.
pub(super) fn host_candidate(address: SocketAddr, index: usize) -> String {
    // RFC 8445 §5.1.2.1: type preference 126 for host, component 1.
    let local_preference = 65_535 - index as u32;
    let priority = (126 << 24) | (local_preference << 8) | 255;
    format!("candidate:{} 1 udp {priority} {} {} typ host", index + 1, address.ip(), address.port())
}

/// A remote candidate as the ICE agent may have it: UDP, a literal address, short enough. Browsers also send
/// TCP candidates, names under `.local` and empty lines; those are `None`.
pub(super) fn usable_candidate(line: &str, max_bytes: usize) -> Option<&str> {
    let line = line.trim();
    let line = line.strip_prefix("a=").unwrap_or(line);
    if line.len() > max_bytes || !line.starts_with("candidate:") {
        return None;
    }
    let mut fields = line.split_ascii_whitespace().skip(2);
    let udp = fields.next()?.eq_ignore_ascii_case("udp");
    let address: IpAddr = fields.nth(1)?.parse().ok()?;
    let port: u16 = fields.next()?.parse().ok()?;
    (udp && port != 0 && !address.is_unspecified() && !address.is_multicast()).then_some(line)
}

/// `sdp` without candidate lines, and the usable ones among them, at most `max`.
pub(super) fn split_candidates(sdp: &str, max: usize, max_bytes: usize) -> (String, Vec<String>) {
    let mut rest = String::with_capacity(sdp.len());
    let mut candidates = Vec::new();
    for line in sdp.lines() {
        if !line.starts_with("a=candidate:") {
            rest.push_str(line);
            rest.push_str("\r\n");
        } else if let Some(candidate) = usable_candidate(line, max_bytes)
            && candidates.len() < max
        {
            candidates.push(candidate.to_owned());
        }
    }
    (rest, candidates)
}

/// Whether a description has exactly one media section, and that is for data channels.
pub(super) fn has_only_data(sdp: &str) -> bool {
    let mut sections = sdp.lines().filter(|line| line.starts_with("m="));
    sections.next().is_some_and(|line| line.starts_with("m=application ")) && sections.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MDNS: &str =
        "candidate:1 1 udp 2113937151 4b3b2a1c-5b0e-4a63-9d6f-0a0b0c0d0e0f.local 51000 typ host generation 0";
    const HOST: &str = "candidate:1 1 UDP 2113937151 192.0.2.4 51000 typ host generation 0 ufrag abcd";

    #[test]
    fn only_candidates_that_can_be_used_pass() {
        assert_eq!(usable_candidate(HOST, 512), Some(HOST));
        assert_eq!(usable_candidate(&format!("a={HOST}"), 512), Some(HOST));
        assert_eq!(usable_candidate(HOST, 20), None);
        for refused in [
            MDNS,
            "",
            "candidate:",
            "candidate:1 1 tcp 1 192.0.2.4 9 typ host tcptype active",
            "candidate:1 1 udp 1 192.0.2.4 0 typ host",
            "candidate:1 1 udp 1 224.0.0.1 5000 typ host",
            "candidate:1 1 udp 1 0.0.0.0 5000 typ host",
        ] {
            assert_eq!(usable_candidate(refused, 512), None, "{refused}");
        }
    }

    #[test]
    fn candidates_are_split_from_the_rest_and_bounded() {
        let sdp = format!("v=0\r\na={HOST}\r\na={MDNS}\r\na={HOST}\r\na=mid:0\r\n");
        let (rest, candidates) = split_candidates(&sdp, 1, 512);
        assert_eq!(rest, "v=0\r\na=mid:0\r\n");
        assert_eq!(candidates, vec![HOST.to_owned()]);
    }

    #[test]
    fn announced_candidates_replace_the_old_ones_and_carry_the_port() {
        let sdp = with_candidates(&format!("v=0\r\na={HOST}\r\n"), &["192.0.2.9".parse().unwrap()], 4000);
        assert!(
            sdp.starts_with("v=0\r\na=candidate:1 1 udp 2130706431 192.0.2.9 4000 typ host\r\n"),
            "{sdp}"
        );
        assert!(!sdp.contains("192.0.2.4"));
    }
}
