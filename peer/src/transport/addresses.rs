//! Which addresses an endpoint announces: the configured ones, or those of the machine's interfaces.

use std::net::{IpAddr, SocketAddr};

/// More host candidates than this help nobody and make every offer longer.
const ANNOUNCED_MAX: usize = 8;

/// The host candidates of an endpoint bound to `bound`, most useful first, never empty.
pub(super) fn announced(configured: &[IpAddr], bound: SocketAddr) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = if !configured.is_empty() {
        configured.to_vec()
    } else if !bound.ip().is_unspecified() {
        vec![bound.ip()]
    } else {
        interfaces()
    };
    addresses.retain(|address| reachable_through(bound, address));
    addresses.dedup();
    addresses.truncate(ANNOUNCED_MAX);
    if addresses.is_empty() {
        addresses.push(loopback_of(bound));
    }
    addresses
}

/// Addresses of the interfaces, IPv4 first, loopback and link-local left out.
fn interfaces() -> Vec<IpAddr> {
    let Ok(interfaces) = if_addrs::get_if_addrs() else { return Vec::new() };
    let mut addresses: Vec<IpAddr> = interfaces
        .into_iter()
        .filter(|interface| interface.is_oper_up() && !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| interface.ip())
        .collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

fn reachable_through(bound: SocketAddr, address: &IpAddr) -> bool {
    address.is_ipv4() == bound.is_ipv4() || (bound.is_ipv6() && bound.ip().is_unspecified())
}

fn loopback_of(bound: SocketAddr) -> IpAddr {
    if bound.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_bound_address_is_the_one_announced() {
        assert_eq!(announced(&[], socket("127.0.0.1:9000")), vec![IpAddr::from([127, 0, 0, 1])]);
    }

    #[test]
    fn configured_addresses_win_and_keep_their_order() {
        let configured = ["203.0.113.7".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        assert_eq!(announced(&configured, socket("0.0.0.0:9000")), configured);
    }

    #[test]
    fn an_address_the_socket_cannot_serve_is_left_out() {
        let configured = ["2001:db8::1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        assert_eq!(announced(&configured, socket("0.0.0.0:9000")), configured[1..]);
        assert_eq!(announced(&configured, socket("[::]:9000")), configured);
    }

    #[test]
    fn there_is_always_something_to_announce() {
        assert!(!announced(&[], socket("0.0.0.0:9000")).is_empty());
        assert!(!announced(&[], socket("[::]:9000")).is_empty());
    }
}
