//! How the values of settings are read. Each refusal says what to write instead.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Args, Command};

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

/// An address of a machine.
pub(crate) fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "write an IP address, as in 203.0.113.7 or 2001:db8::7".to_owned())
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
