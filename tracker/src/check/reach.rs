//! Whether this machine's ports can be reached by the addresses that it announces: knocks at them from inside, as a
//! router that leads back in ("hairpin") lets one do. Who is found not to be reached may still be, from elsewhere. By
//! the machine's own addresses only a firewall of its own can stand in the way.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::Finding;
use super::addresses::links;
use crate::config::Config;
use crate::machine;

/// For a connection or a datagram by way of the router. 2 s: three attempts of TCP.
const PATIENCE: Duration = Duration::from_secs(2);

/// Datagrams that are sent before one counts as not arriving.
const DATAGRAMS: u32 = 3;

/// How a port was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// What was sent to the address came in at the port.
    Open,
    /// Nothing came.
    Unreached,
    /// Nothing that could be checked: another program, or the server itself, has the port and says nothing, or nobody has
    /// it, as this user may not.
    Unknown,
}

pub(super) async fn findings(config: &Config, own: &[IpAddr]) -> Vec<Finding> {
    let elsewhere: Vec<_> =
        config.announce.iter().copied().filter(|address| !own.contains(address)).collect();
    let tcp = [
        ("listen", Some(config.listen), "pages and sessions"),
        ("http_listen", config.tls.http_listen, "plain HTTP"),
        ("rtmp", config.rtmp, "encoders"),
    ];
    let udp = [("udp", config.udp, "STUN"), ("links", links(config), "links of hosted channels")];
    let mut findings = Vec::new();
    for (setting, address, what) in tcp {
        let Some(address) = address.filter(|address| address.port() != 0) else { continue };
        let bound = TcpListener::bind(address).await;
        findings.extend(cannot_bind(setting, address, bound.as_ref().err()));
        for via in reached_by(address, &elsewhere) {
            let found = knock_tcp(&bound, via).await;
            findings.extend(finding("TCP", via, what, found));
        }
        for via in own_ways(address, own) {
            let found = knock_tcp(&bound, via).await;
            findings.extend(finding_inside("TCP", via, what, found));
        }
    }
    for (setting, address, what) in udp {
        let Some(address) = address.filter(|address| address.port() != 0) else { continue };
        let bound = UdpSocket::bind(address).await;
        findings.extend(cannot_bind(setting, address, bound.as_ref().err()));
        let knock = async |via| match &bound {
            Ok(socket) => knock_udp(socket, via).await.unwrap_or(Found::Unreached),
            // The server that runs answers for itself.
            Err(_) if setting == "udp" => ask(via).await.unwrap_or(Found::Unreached),
            Err(_) => Found::Unknown,
        };
        for via in reached_by(address, &elsewhere) {
            findings.extend(finding("UDP", via, what, knock(via).await));
        }
        for via in own_ways(address, own) {
            findings.extend(finding_inside("UDP", via, what, knock(via).await));
        }
    }
    findings
}

/// This machine's own ways to a port, but for those by loopback and link-local addresses, which no stranger takes.
fn own_ways(bound: SocketAddr, own: &[IpAddr]) -> Vec<SocketAddr> {
    let taken = own.iter().filter(|ip| bound.ip().is_unspecified() || **ip == bound.ip());
    let taken = taken.filter(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    reached_by(bound, &taken.copied().collect::<Vec<_>>())
}

/// Where strangers come to a port: nowhere, if it is bound to loopback.
fn reached_by(bound: SocketAddr, elsewhere: &[IpAddr]) -> Vec<SocketAddr> {
    let fits = |address: &&IpAddr| !bound.ip().is_loopback() && (bound.is_ipv6() || address.is_ipv4());
    elsewhere.iter().filter(fits).map(|&address| SocketAddr::new(address, bound.port())).collect()
}

fn cannot_bind(setting: &str, address: SocketAddr, error: Option<&io::Error>) -> Option<Finding> {
    let error = error?;
    Some(match error.kind() {
        ErrorKind::AddrInUse => Finding::note(format!(
            "`{setting}`: {address} is in use. By the server if it runs; otherwise choose another port"
        )),
        ErrorKind::PermissionDenied => Finding::warning(format!(
            "`{setting}`: by hand this user may not listen on {address}. Ports below 1024 need CAP_NET_BIND_SERVICE, which the \
             systemd unit gives"
        )),
        _ => Finding::fault(format!("`{setting}`: cannot listen on {address}: {error}")),
    })
}

fn finding(kind: &str, via: SocketAddr, what: &str, found: Found) -> Option<Finding> {
    match found {
        Found::Open => Some(Finding::note(format!("{kind} {via} ({what}) leads here"))),
        Found::Unreached => Some(Finding::warning(format!(
            "{kind} {via} ({what}) does not lead here from inside: open it in the firewall, and forward it in the router. \
             Some routers lead nobody back in: then look from another network"
        ))),
        Found::Unknown => None,
    }
}

/// As [`finding`], by an address of this machine: that a port is open from inside says nothing of outside.
fn finding_inside(kind: &str, via: SocketAddr, what: &str, found: Found) -> Option<Finding> {
    (found == Found::Unreached).then(|| {
        Finding::warning(format!(
            "{kind} {via} ({what}) is kept back by a firewall on this machine, even from itself: open it there"
        ))
    })
}

/// Connects by `via`; sees whether it is at the port just bound that the connection arrives, if it could be bound.
async fn knock_tcp(bound: &io::Result<TcpListener>, via: SocketAddr) -> Found {
    let connecting = TcpStream::connect(via);
    let knocking = async {
        match bound {
            Ok(listener) => {
                let (stream, arrived) = tokio::join!(connecting, listener.accept());
                if stream.is_ok() && arrived.is_ok() { Found::Open } else { Found::Unreached }
            }
            Err(why) => match connecting.await {
                Ok(_) => Found::Open,
                Err(error) if is_nobody_there(why, &error) => Found::Unknown,
                Err(_) => Found::Unreached,
            },
        }
    };
    timeout(PATIENCE, knocking).await.unwrap_or(Found::Unreached)
}

/// A port that this user may not have, where nobody listens: no firewall need have refused.
fn is_nobody_there(bound: &io::Error, connected: &io::Error) -> bool {
    bound.kind() == ErrorKind::PermissionDenied && connected.kind() == ErrorKind::ConnectionRefused
}

/// Sends what nobody can guess to `via`, and waits for it at the socket.
async fn knock_udp(socket: &UdpSocket, via: SocketAddr) -> io::Result<Found> {
    let sender = UdpSocket::bind(anywhere(via)).await?;
    let token: [u8; 16] = machine::random();
    for _ in 0..DATAGRAMS {
        // A refusal of the last one is told at the next: it is the same as silence.
        let _ = sender.send_to(&token, via).await;
        let arrives = async {
            let mut datagram = [0; 64];
            loop {
                let (length, _) = socket.recv_from(&mut datagram).await?;
                if datagram[..length] == token {
                    return io::Result::Ok(());
                }
            }
        };
        if let Ok(Ok(())) = timeout(PATIENCE / DATAGRAMS, arrives).await {
            return Ok(Found::Open);
        }
    }
    Ok(Found::Unreached)
}

/// Asks a STUN server for this machine's address (RFC 8489), by `via`.
async fn ask(via: SocketAddr) -> io::Result<Found> {
    let socket = UdpSocket::bind(anywhere(via)).await?;
    let transaction: [u8; 12] = machine::random();
    let question = [&[0x00, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &transaction].concat();
    for _ in 0..DATAGRAMS {
        let _ = socket.send_to(&question, via).await;
        let mut answer = [0; 128];
        if let Ok(Ok(length)) = timeout(PATIENCE / DATAGRAMS, socket.recv(&mut answer)).await
            && answer[..length].starts_with(&[0x01, 0x01])
            && answer[8..20] == transaction
        {
            return Ok(Found::Open);
        }
    }
    Ok(Found::Unreached)
}

/// Any port of the same family.
fn anywhere(via: SocketAddr) -> SocketAddr {
    if via.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() }
}

#[cfg(test)]
mod tests {
    use peer::transport::{StunConfig, StunServer};

    use super::*;
    use crate::check::Weight;

    fn config(ip: &str) -> Config {
        let mut config = Config::new("127.0.0.1:0".parse().unwrap(), "data".into());
        config.announce = vec![ip.parse().unwrap()];
        config
    }

    fn free() -> SocketAddr {
        std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn what_leads_here_is_told_from_what_does_not() {
        // 127.0.0.9 leads to whatever listens on all addresses, and not to what listens on another one.
        let mut open = config("127.0.0.9");
        (open.listen, open.udp) = (free(), Some(free()));
        let found = findings(&open, &[]).await;
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|finding| finding.text.ends_with("leads here")), "{found:?}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let via = |bound: SocketAddr| SocketAddr::new("127.0.0.9".parse().unwrap(), bound.port());
        let unreached = via(listener.local_addr().unwrap());
        assert_eq!(knock_tcp(&Ok(listener), unreached).await, Found::Unreached);
        assert_eq!(knock_udp(&socket, via(socket.local_addr().unwrap())).await.unwrap(), Found::Unreached);
    }

    #[tokio::test]
    async fn of_the_machine_s_own_addresses_only_those_that_are_kept_back_are_named() {
        let own: Vec<IpAddr> = ["127.0.0.9", "fe80::1"].iter().map(|ip| ip.parse().unwrap()).collect();
        let mut open = config("127.0.0.9");
        (open.listen, open.udp) = (free(), Some(free()));
        assert_eq!(findings(&open, &own).await, []);
        let via = "127.0.0.9:3478".parse().unwrap();
        let words = finding_inside("UDP", via, "STUN", Found::Unreached).unwrap().text;
        assert!(
            words.contains("UDP 127.0.0.9:3478 (STUN)") && words.contains("a firewall on this machine"),
            "{words}"
        );
    }

    #[tokio::test]
    async fn a_port_that_this_user_may_not_have_is_not_blamed_on_a_firewall() {
        let nobody = free();
        let bound = |kind: ErrorKind| Err(io::Error::from(kind));
        assert_eq!(knock_tcp(&bound(ErrorKind::PermissionDenied), nobody).await, Found::Unknown);
        assert_eq!(knock_tcp(&bound(ErrorKind::AddrInUse), nobody).await, Found::Unreached);
    }

    #[tokio::test]
    async fn a_server_that_runs_answers_for_its_own_stun_port() {
        let server = StunServer::bind(StunConfig::new("0.0.0.0:0".parse().unwrap())).await.unwrap();
        let mute = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        for (bound, said) in
            [(server.local_addr(), "leads here"), (mute.local_addr().unwrap(), "does not lead here")]
        {
            let mut config = config("127.0.0.9");
            config.udp = Some(bound);
            let found = findings(&config, &[]).await;
            assert!(found.iter().any(|finding| finding.text.contains(said)), "{found:?}");
        }
    }

    #[tokio::test]
    async fn a_port_that_cannot_be_had_is_named_with_its_setting() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = config("127.0.0.9");
        config.listen = taken.local_addr().unwrap();
        let found = findings(&config, &[]).await;
        assert!(
            matches!(&found[..], [one] if one.weight == Weight::Note && one.text.starts_with("`listen`"))
        );
    }
}
