//! Every setting of the server, each declared in one place: its flag, its text for `--help`, its default and how it is
//! read. [`settings`](crate::settings) takes it from there to the file and the environment.
//!
//! A setting takes a value (no bare switches), and its key in the file is its flag with `_` for `-`. One that holds a
//! secret is marked with `hide_env_values`, and not shown by `--print-config`.

mod hooks;
mod limits;
mod tls;
pub(crate) mod values;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use hooks::{HookConfig, PrivateAddresses, WebAddress};
pub use limits::Limits;
pub use tls::TlsConfig;
pub use values::Prefix;

use crate::machine;
use crate::seeing::Seeing;

/// Settings of a [`Server`](crate::Server).
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Where pages and sessions are served; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = values::address)]
    pub listen: SocketAddr,
    /// Whose word about a viewer's address is believed (X-Forwarded-For): addresses or prefixes of proxies, separated
    /// by commas, or `none`.
    #[arg(long, value_name = "PREFIXES", value_delimiter = ',', default_values = ["127.0.0.0/8", "::1"],
        value_parser = values::prefix)]
    pub trusted_proxies: Vec<Prefix>,
    /// Where encoders publish to hosted channels, or `off`.
    #[arg(long, value_name = "ADDRESS:PORT|off", default_value = "127.0.0.1:1935",
        value_parser = values::address_or_off)]
    pub rtmp: std::option::Option<SocketAddr>,
    /// Where browsers learn their public address (STUN), or `off`.
    #[arg(long, value_name = "ADDRESS:PORT|off", default_value = "0.0.0.0:3478",
        value_parser = values::address_or_off)]
    pub udp: std::option::Option<SocketAddr>,
    /// Where viewers link to hosted channels, by UDP; two ports above --udp unless given.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = values::address)]
    pub links: Option<SocketAddr>,
    /// Where channels are kept.
    #[arg(long, value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,
    /// Threads that serve. Default: one for each two cores; half the work is the system's, and a message that passes from one
    /// thread to another wakes both.
    #[arg(long, value_name = "NUMBER", value_parser = values::threads)]
    pub threads: Option<usize>,
    /// Addresses that viewers reach this machine at; may be repeated, or separated by commas. Needed behind NAT.
    #[arg(long, value_name = "IP", value_delimiter = ',', value_parser = values::ip)]
    pub announce: Vec<IpAddr>,
    /// Who may take a free channel name? Default: open while --listen is a loopback address, closed otherwise.
    #[arg(long, value_name = "WHO")]
    pub registration: Option<Registration>,
    /// Megabits a second that the relay may send, all channels together; no limit by default.
    #[arg(long = "relay-egress-mbps", value_name = "NUMBER", value_parser = values::megabits)]
    pub relay_egress_bps: Option<u64>,
    /// Gigabytes that the relay may send in a calendar month (UTC); no limit by default.
    #[arg(long = "relay-month-gb", value_name = "NUMBER", value_parser = values::gigabytes)]
    pub relay_month_bytes: Option<u64>,
    /// A secret shared with relays elsewhere (`swarmcast-tracker relay`), which helps this server; without it there are none.
    #[arg(long, value_name = "SECRET", hide_env_values = true, value_parser = values::secret)]
    pub relay_secret: Option<String>,
    /// A TURN server for viewers that cannot be linked directly: `turn:HOST:PORT`, as coturn. Needs --turn-secret.
    #[arg(long, value_name = "URL", value_parser = values::turn_url)]
    pub turn_url: Option<String>,
    /// The secret shared with that server (coturn's `static-auth-secret`), of which each viewer's credentials are made.
    #[arg(long, value_name = "SECRET", hide_env_values = true, value_parser = values::secret)]
    pub turn_secret: Option<String>,
    /// How long a viewer's TURN credentials last. 12 h: who watches for longer makes new links with new ones.
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = values::duration)]
    pub turn_credentials_last: Duration,
    /// What the operator sees of the server, and who else may.
    #[command(flatten)]
    pub seeing: Seeing,
    /// TLS: certificates, and the plain port beside.
    #[command(flatten)]
    pub tls: TlsConfig,
    /// Who is told what happens to channels.
    #[command(flatten)]
    pub hooks: HookConfig,
    /// Bounds on memory, time and work.
    #[command(flatten)]
    pub limits: Limits,
}

/// Keys that a running server does not take from a changed file: what they name is opened, or counted, at the start.
#[rustfmt::skip]
pub const NEED_RESTART: &[&str] = &[
    "listen", "rtmp", "udp", "links", "data", "threads", "announce",
    "acme_domains", "acme_contact", "acme_directory", "acme_ca", "http_listen",
    "connections_max", "sessions_max", "chat_visits_max",
    "metrics_channels_max", "log_format",
    "webhook_url", "webhook_secret", "webhook_private",
];

impl Config {
    /// Pages on `listen`, channels in `data`; no ingest, no UDP, all else as by default.
    pub fn new(listen: SocketAddr, data: PathBuf) -> Self {
        Config { listen, data, rtmp: None, udp: None, ..Config::default() }
    }

    /// Whether what `address` says of other addresses is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|prefix| prefix.contains(address))
    }

    /// Threads that serve.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| machine::cores().div_ceil(2))
    }

    /// Who may take a free name.
    pub fn registration(&self) -> Registration {
        let usual = if self.listen.ip().is_loopback() { Registration::Open } else { Registration::Closed };
        self.registration.unwrap_or(usual)
    }
}

/// Who may take a free name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Registration {
    /// Whoever proves a key.
    Open,
    /// Whoever has an invite, too: see `swarmcast-tracker invite add`.
    Invite,
    /// The server's owner alone makes channels.
    Closed,
}

impl Default for Config {
    fn default() -> Self {
        values::defaults()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Schema;

    #[test]
    fn what_needs_a_restart_is_a_setting() {
        let schema = Schema::of::<Config>();
        for key in NEED_RESTART {
            assert!(schema.keys().any(|known| known == *key), "{key}");
        }
    }
}
