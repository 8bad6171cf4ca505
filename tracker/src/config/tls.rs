//! The settings of TLS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::values;

/// Where the certificate comes from, and what goes with TLS.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsConfig {
    /// The certificate and its chain, in PEM; turns TLS on. Read again when it changes.
    #[arg(id = "tls_cert", long = "tls-cert", value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// The certificate's key, in PEM.
    #[arg(id = "tls_key", long = "tls-key", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Names to get a certificate for by ACME, separated by commas; turns TLS on. The authority must reach this server
    /// by them on TCP port 443. Whoever sets this agrees to the authority's terms.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = values::host)]
    pub acme_domains: Vec<String>,
    /// Where the authority may write to about the certificate.
    #[arg(long, value_name = "MAIL", value_parser = values::mail)]
    pub acme_contact: Option<String>,
    /// The authority: its ACME directory.
    #[arg(long, value_name = "URL", default_value = rustls_acme::acme::LETS_ENCRYPT_PRODUCTION_DIRECTORY,
        value_parser = values::https)]
    pub acme_directory: String,
    /// Certificates, in PEM, by which the authority's own server is known; the Web's usual ones unless given.
    #[arg(long, value_name = "FILE")]
    pub acme_ca: Option<PathBuf>,
    /// With TLS, also listens here for plain HTTP: serves on a loopback address, and elsewhere sends everyone to TLS.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = values::address)]
    pub http_listen: Option<SocketAddr>,
    /// For how long browsers are told to use nothing but TLS (HSTS); 0s: they are not told.
    #[arg(long, value_name = "TIME", default_value = "180days", value_parser = values::duration)]
    pub hsts_max_age: Duration,
}

impl TlsConfig {
    /// Whether there is to be TLS.
    pub fn is_on(&self) -> bool {
        self.cert.is_some() || self.key.is_some() || !self.acme_domains.is_empty()
    }
}
