//! Settings of what the operator sees of the server, and who else may.

use std::net::IpAddr;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::values;

/// Characters of a token, at least: 16 from a generator cannot be guessed over a network.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// What the operator sees of the server, and who else may.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Seeing in")]
pub struct Seeing {
    /// Who may read /metrics without a token: programs on this machine, everyone, nobody (`token`); or nobody at
    /// all (`off`).
    #[arg(long = "metrics", value_name = "loopback|all|token|off", default_value = "loopback")]
    pub metrics: MetricsAccess,
    /// Whoever presents this as a bearer token may read /metrics from anywhere.
    #[arg(long, value_name = "SECRET", hide_env_values = true)]
    pub metrics_token: Option<Token>,
    /// Channels that have metrics of their own; the rest are summed up. 100: with the 14 series of each far below
    /// the 10,000 that a small Prometheus takes from one server without notice.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = values::count, hide_short_help = true)]
    pub metrics_channels_max: usize,
    /// How the log on standard error is written.
    #[arg(long, value_name = "text|json", default_value = "text")]
    pub log_format: LogFormat,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Who may read `/metrics` without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum MetricsAccess {
    /// Programs on this machine.
    #[default]
    Loopback,
    /// Everyone.
    All,
    /// Nobody.
    Token,
    /// Nobody, not even with a token: the address answers as if it were not there.
    Off,
}

/// A secret that somebody may present. Only its hash is kept, and compared in constant time.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Seeing {
    /// Whether a request from `address`, which presents `bearer`, may read the metrics.
    pub(crate) fn may_read_metrics(&self, address: IpAddr, bearer: Option<&str>) -> bool {
        let knows_token =
            || bearer.zip(self.metrics_token.as_ref()).is_some_and(|(bearer, token)| token.is(bearer));
        match self.metrics {
            MetricsAccess::Off => false,
            MetricsAccess::Token => knows_token(),
            MetricsAccess::Loopback => address.to_canonical().is_loopback() || knows_token(),
            MetricsAccess::All => true,
        }
    }
}

impl Token {
    /// Keeps the hash of `secret`.
    pub fn new(secret: &str) -> Self {
        Token(Sha256::digest(secret.as_bytes()).into())
    }

    pub(crate) fn from_hash(hash: [u8; 32]) -> Self {
        Token(hash)
    }

    pub(crate) fn hash(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `presented` is the secret.
    pub(crate) fn is(&self, presented: &str) -> bool {
        self.0.ct_eq(&Token::new(presented).0).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(hidden)")
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() < TOKEN_CHARACTERS_MIN {
            return Err(format!("write at least {TOKEN_CHARACTERS_MIN} characters that nobody can guess"));
        }
        Ok(Token::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_for_this_machine_and_for_who_has_the_token() {
        let (here, there): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let token = Some(Token::new("open sesame"));
        let seeing = |metrics| Seeing { metrics, metrics_token: token.clone(), ..values::defaults() };
        let usual = seeing(MetricsAccess::Loopback);
        assert!(usual.may_read_metrics(here, None));
        assert!(!usual.may_read_metrics(there, None) && !usual.may_read_metrics(there, Some("sesame")));
        assert!(usual.may_read_metrics(there, Some("open sesame")));
        assert!(!seeing(MetricsAccess::Token).may_read_metrics(here, None));
        assert!(!seeing(MetricsAccess::Off).may_read_metrics(here, Some("open sesame")));
        assert!(seeing(MetricsAccess::All).may_read_metrics(there, None));
        // Without a token set, none opens.
        assert!(!values::defaults::<Seeing>().may_read_metrics(there, Some("")));
    }
}
