//! Which addresses strangers can reach this machine at, as far as the addresses themselves tell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Finding;
use crate::config::Config;
use crate::udp;

/// From where an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    /// From everywhere.
    Public,
    /// From the same network (RFC 1918, RFC 4193; what RFC 3879 abolished).
    Private,
    /// From the provider's network: many customers share one public address (CGNAT, RFC 6598).
    Shared,
    /// From the same cable (RFC 3927, RFC 4291).
    LinkLocal,
    /// From this machine.
    Loopback,
    /// From nowhere: it is for examples in books (RFC 5737, RFC 3849).
    Example,
    /// No machine has it.
    Nobody,
}

impl Range {
    fn of(address: IpAddr) -> Range {
        match address.to_canonical() {
            IpAddr::V4(address) => Range::of_v4(address),
            IpAddr::V6(address) => Range::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Range {
        let [a, b, ..] = address.octets();
        if address.is_loopback() {
            Range::Loopback
        } else if address.is_private() {
            Range::Private
        } else if a == 100 && b & 0xc0 == 64 {
            Range::Shared
        } else if address.is_link_local() {
            Range::LinkLocal
        } else if address.is_documentation() {
            Range::Example
        } else if a == 0 || a >= 224 {
            Range::Nobody
        } else {
            Range::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Range {
        let [a, b, ..] = address.segments();
        if address.is_loopback() {
            Range::Loopback
        } else if address.is_unique_local() || a & 0xffc0 == 0xfec0 {
            Range::Private
        } else if address.is_unicast_link_local() {
            Range::LinkLocal
        } else if a == 0x2001 && b == 0xdb8 {
            Range::Example
        } else if address.is_unspecified() || address.is_multicast() {
            Range::Nobody
        } else {
            Range::Public
        }
    }

    /// The range, in words that go before "address".
    fn name(self) -> &'static str {
        match self {
            Range::Public => "public",
            Range::Private => "private",
            Range::Shared => "shared (CGNAT)",
            Range::LinkLocal => "link-local",
            Range::Loopback => "loopback",
            Range::Example => "documentation",
            Range::Nobody => "impossible",
        }
    }
}

/// The addresses of this machine's interfaces, but for loopback.
pub(crate) fn own() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.into_iter().map(|interface| interface.ip()).filter(|ip| !ip.is_loopback()).collect()
}

/// The ports that viewers come to, as a firewall calls them.
pub(super) fn ports(config: &Config) -> Vec<String> {
    let named = |kind: &str, address: Option<SocketAddr>, what: &str| {
        let address = address.filter(|address| !address.ip().is_loopback())?;
        Some(format!("{kind} {} ({what})", address.port()))
    };
    let all = [
        named("TCP", Some(config.listen), "pages and sessions"),
        named("TCP", config.tls.http_listen, "plain HTTP"),
        named("UDP", config.udp, "STUN"),
        named("UDP", links(config), "links"),
        named("TCP", config.rtmp, "encoders"),
    ];
    all.into_iter().flatten().collect()
}

/// Where links of hosted channels are made, if there are such.
pub(super) fn links(config: &Config) -> Option<SocketAddr> {
    config.rtmp?;
    config.links.or(config.udp.map(udp::beside))
}

pub(super) fn findings(config: &Config, own: &[IpAddr]) -> Vec<Finding> {
    let mut findings: Vec<_> = listening(config, own).into_iter().collect();
    findings.extend(config.announce.iter().filter_map(|&address| announced(address)));
    if config.announce.is_empty()
        && let Some(links) = links(config).filter(|links| !links.ip().is_loopback())
    {
        findings.extend(unannounced(&heard_at(links, own)));
    }
    let elsewhere: Vec<_> = config.announce.iter().filter(|address| !own.contains(address)).collect();
    if let Some(address) = elsewhere.iter().find(|address| Range::of(***address) == Range::Public) {
        let ports = ports(config).join(", ");
        findings.push(Finding::note(format!(
            "{address} in `announce` is not an address of this machine itself: whatever has it (a router, the provider's \
             network) must pass on {ports}"
        )));
    } else if let Some(address) =
        heard_at(config.listen, own).iter().find(|address| Range::of(**address) == Range::Public)
    {
        let ports = ports(config).join(", ");
        findings.push(Finding::note(format!(
            "strangers come to {address}: firewalls on the way there, such as the provider's, must let pass {ports}. That one \
             keeps STUN back is seen once viewers come, and is then said in the log and by `swarmcast_stun_blocked`"
        )));
    }
    findings
}

/// Those of the addresses by which one comes to a port that is bound so: `0.0.0.0` hears nothing of IPv6.
fn heard_at(bound: SocketAddr, own: &[IpAddr]) -> Vec<IpAddr> {
    own.iter().copied().filter(|address| bound.is_ipv6() || address.is_ipv4()).collect()
}

fn listening(config: &Config, own: &[IpAddr]) -> Option<Finding> {
    let listen = config.listen.ip();
    if listen.is_loopback() {
        return Some(Finding::note(format!(
            "pages are served to this machine only (`listen` is {}): right behind a proxy here; without one, write \
             0.0.0.0 and the port",
            config.listen
        )));
    }
    if !listen.is_unspecified() && !own.contains(&listen) {
        return Some(Finding::fault(format!("`listen` is {listen}, which no interface of this machine has")));
    }
    if config.udp.is_none() {
        return Some(Finding::warning(
            "`udp` is off: without STUN viewers behind routers find no way to each other, and the relay feeds them",
        ));
    }
    None
}

fn announced(address: IpAddr) -> Option<Finding> {
    let range = Range::of(address);
    match range {
        Range::Public => None,
        Range::Example | Range::Nobody | Range::Loopback => Some(Finding::fault(format!(
            "`announce` has {address}, a {} address, at which nobody reaches this machine: write its public one",
            range.name()
        ))),
        Range::Private | Range::Shared | Range::LinkLocal => Some(Finding::warning(format!(
            "`announce` has {address}, a {} address: viewers in other networks cannot reach it",
            range.name()
        ))),
    }
}

fn unannounced(own: &[IpAddr]) -> Option<Finding> {
    if own.iter().any(|&address| Range::of(address) == Range::Public) {
        return None;
    }
    let have: Vec<_> = own.iter().map(|&ip| format!("{ip} is {}", Range::of(ip).name())).collect();
    let shared = own.iter().any(|&address| Range::of(address) == Range::Shared);
    let remedy = if shared {
        "the provider gives many customers one public address, so that no port can be forwarded to this one: ask for an \
         address of your own, or use IPv6: `[::]` in place of 0.0.0.0"
    } else {
        "forward the ports in the router, and give its public address as `announce`"
    };
    Some(Finding::warning(format!(
        "this machine has no public address of its own ({}), so that viewers elsewhere cannot link to hosted channels: \
         {remedy}",
        if have.is_empty() { "it has none at all".to_owned() } else { have.join(", ") }
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Weight;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_are_told_apart() {
        for (address, range) in [
            ("8.8.8.8", Range::Public),
            ("2a00::1", Range::Public),
            ("10.1.2.3", Range::Private),
            ("172.31.0.1", Range::Private),
            ("::ffff:192.168.1.1", Range::Private),
            ("fd00::1", Range::Private),
            ("fec0::1", Range::Private),
            ("100.64.0.1", Range::Shared),
            ("100.128.0.1", Range::Public),
            ("169.254.1.1", Range::LinkLocal),
            ("fe80::1", Range::LinkLocal),
            ("127.0.0.1", Range::Loopback),
            ("203.0.113.7", Range::Example),
            ("2001:db8::7", Range::Example),
            ("0.0.0.0", Range::Nobody),
            ("255.255.255.255", Range::Nobody),
        ] {
            assert_eq!(Range::of(ip(address)), range, "{address}");
        }
    }

    #[test]
    fn what_strangers_cannot_reach_is_said() {
        let found = |announce: &str, own: &str| {
            let mut config = Config::new("0.0.0.0:8080".parse().unwrap(), "data".into());
            config.udp = Some("0.0.0.0:3478".parse().unwrap());
            config.rtmp = Some("127.0.0.1:1935".parse().unwrap());
            config.announce = announce.split_whitespace().map(ip).collect();
            findings(&config, &own.split_whitespace().map(ip).collect::<Vec<_>>())
        };
        let one = |announce: &str, own: &str| {
            let found = found(announce, own);
            assert_eq!(found.len(), 1, "{found:?}");
            (found[0].weight, found[0].text.clone())
        };
        for announced in ["", "5.6.7.8"] {
            let (weight, text) = one(announced, "5.6.7.8 10.0.0.1");
            assert!(weight == Weight::Note && text.contains("must let pass TCP 8080"), "{text}");
        }
        let (weight, text) = one("5.6.7.8", "10.0.0.1");
        assert_eq!(weight, Weight::Note);
        assert!(text.ends_with("TCP 8080 (pages and sessions), UDP 3478 (STUN), UDP 3480 (links)"), "{text}");
        let (weight, text) = one("", "192.168.1.5");
        assert!(weight == Weight::Warning && text.contains("192.168.1.5 is private"), "{text}");
        assert!(one("", "100.64.3.4").1.contains("use IPv6"));
        let (weight, text) = one("", "192.168.1.5 2a00::1");
        assert!(weight == Weight::Warning && !text.contains("2a00::1"), "0.0.0.0 is not by IPv6: {text}");
        assert_eq!(one("203.0.113.7", "10.0.0.1").0, Weight::Fault);
        assert_eq!(one("10.0.0.1", "10.0.0.1").0, Weight::Warning);
    }
}
