//! Settings of webhooks: who is told what happens to channels.

use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::Scheme;

use super::values;

/// Who is told what happens to channels.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Webhooks")]
pub struct HookConfig {
    /// Who is told, by HTTP POST, of channels that are registered and of broadcasts that start and end; may be repeated,
    /// or separated by commas. Needs --webhook-secret.
    #[arg(long = "webhook-url", value_name = "URL", value_delimiter = ',')]
    pub webhook_urls: Vec<WebAddress>,
    /// A secret shared with them, which signs what they are told (HMAC-SHA256).
    #[arg(long, value_name = "SECRET", hide_env_values = true, value_parser = values::secret)]
    pub webhook_secret: Option<String>,
    /// Whether they may be at addresses of this machine and its network.
    #[arg(long, value_name = "refuse|allow", default_value = "refuse")]
    pub webhook_private: PrivateAddresses,
}

/// An address of the Web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    /// As it was given.
    pub url: Uri,
    /// Its host, without brackets.
    pub host: String,
    /// It is spoken to by TLS.
    pub secure: bool,
}

impl FromStr for WebAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let url: Uri = text.parse().ok()?;
            let authority = url.authority().filter(|authority| !authority.as_str().contains('@'))?;
            let host = authority.host().trim_matches(['[', ']']).to_owned();
            let secure = url.scheme()? == &Scheme::HTTPS;
            let spoken = secure || url.scheme()? == &Scheme::HTTP;
            (spoken && !host.is_empty()).then_some(WebAddress { url, host, secure })
        };
        read().ok_or("write an address as in https://example.org/hook, without a user or password")
    }
}

/// What happens to a receiver at an address that is not of the public Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PrivateAddresses {
    /// It is told nothing: a name must not lead requests to what only this machine can reach.
    Refuse,
    /// It is told like any other.
    Allow,
}
