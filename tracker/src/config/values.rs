//! How the values of settings are read. Each refusal says what to write instead.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Args, Command};
use ipnet::IpNet;

/// An address to listen on.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and a port, as in 127.0.0.1:8080 or [::]:8080".to_owned())
}

/// The same, or `off`.
pub(crate) fn address_or_off(text: &str) -> Result<Option<SocketAddr>, String> {
    match text {
        "off" => Ok(None),
        address => address.parse().map(Some).map_err(|_| {
            "write an IP address and a port, as in 0.0.0.0:3478 or [::]:3478, or `off`".to_owned()
        }),
    }
}

/// Something that nobody can guess. 16 characters: 64 bits and more of random hex or base64.
pub(crate) fn secret(text: &str) -> Result<String, String> {
    match text.len() {
        16..=256 => Ok(text.to_owned()),
        _ => Err("write 16 to 256 random characters, as `openssl rand -hex 24` prints".to_owned()),
    }
}

/// The address of a TURN server (RFC 7065).
pub(crate) fn turn_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("turn:").or_else(|| text.strip_prefix("turns:"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]?=".contains(c);
    match rest {
        Some(rest) if !rest.is_empty() && rest.chars().all(plain) => Ok(text.to_owned()),
        _ => Err("write turn:HOST:PORT, as in turn:turn.example.org:3478".to_owned()),
    }
}

/// An address of a machine.
pub(crate) fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "write an IP address, as in 203.0.113.7 or 2001:db8::7".to_owned())
}

/// Addresses that begin alike, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix(Option<IpNet>);

impl Prefix {
    /// Whether `address` is one of them. An IPv4 address is itself in its IPv6 form as well.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.is_some_and(|network| network.contains(&address.to_canonical()))
    }
}

/// An address, a prefix, or `none`.
pub(crate) fn prefix(text: &str) -> Result<Prefix, String> {
    if text == "none" {
        return Ok(Prefix(None));
    }
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    network.map(|network| Prefix(Some(network))).map_err(|_| {
        "write an IP address or a prefix, as in 10.0.0.0/8 or 2001:db8::/32, or `none`".to_owned()
    })
}

/// A name that this server is reached by.
pub(crate) fn host(text: &str) -> Result<String, String> {
    match rustls::pki_types::DnsName::try_from(text) {
        Ok(_) if text.contains('.') => Ok(text.to_ascii_lowercase()),
        _ => Err("write a full host name, as in live.example.org".to_owned()),
    }
}

/// A mail address, or something like one.
pub(crate) fn mail(text: &str) -> Result<String, String> {
    match text.split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() => Ok(text.to_owned()),
        _ => Err("write a mail address, as in admin@example.org".to_owned()),
    }
}

/// An address of the Web that is spoken to by TLS.
pub(crate) fn https(text: &str) -> Result<String, String> {
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("write an address that begins with https://".to_owned()),
    }
}

/// Bits a second, from a whole number of megabits.
pub(crate) fn megabits(text: &str) -> Result<u64, String> {
    let number: u32 =
        text.parse().map_err(|_| "write a whole number of megabits a second, as in 200".to_owned())?;
    Ok(u64::from(number) * 1_000_000)
}

/// Bytes, from a whole number of gigabytes of 10^9.
pub(crate) fn gigabytes(text: &str) -> Result<u64, String> {
    let number: u32 = text.parse().map_err(|_| "write a whole number of gigabytes, as in 1000".to_owned())?;
    Ok(u64::from(number) * 1_000_000_000)
}

/// A number of things, or of bytes.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    u32::try_from(whole(text)?).map(|count| count as usize).map_err(|_| too_large())
}

/// A number of things that 32 bits hold.
pub(crate) fn count_32(text: &str) -> Result<u32, String> {
    u32::try_from(whole(text)?).map_err(|_| too_large())
}

/// Threads. 256: more than any machine of this program's kind has cores.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=256).contains(threads));
    threads.ok_or_else(|| "write a whole number from 1 to 256, as in 2".to_owned())
}

/// How much work a newcomer does.
pub(crate) fn work_bits(text: &str) -> Result<u32, String> {
    let most = wire::request::WORK_BITS_MAX;
    let bits = text.parse().ok().filter(|bits| *bits <= most);
    bits.ok_or_else(|| format!("write a whole number from 0 to {most}, as in 18"))
}

/// A span of time.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "write a time with its unit, as in 10s, 500ms or 2m".to_owned())
}

/// What is set when nothing is given.
pub(crate) fn defaults<A: Args>() -> A {
    let command = A::augment_args(Command::new("defaults").no_binary_name(true));
    let parsed = command.try_get_matches_from([""; 0]).and_then(|matches| A::from_arg_matches(&matches));
    parsed.expect("every setting has a default, or none is needed")
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "write a whole number, as in 1000".to_owned())
}

fn too_large() -> String {
    format!("write a whole number of at most {}", u32::MAX)
}
