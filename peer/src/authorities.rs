//! Whose word about a server's certificate is believed, for sessions over TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::Connector;

/// Certificate authorities.
#[derive(Debug, Clone, Default)]
pub enum Authorities {
    /// Those that browsers believe.
    #[default]
    OfTheWeb,
    /// One's own, and no others.
    Own(Arc<RootCertStore>),
}

/// Why a file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the certificates in {path}: {reason}; it should hold those of your authority, in PEM")]
pub struct AuthoritiesError {
    path: PathBuf,
    reason: String,
}

impl Authorities {
    /// Those whose certificates are in a file, in PEM.
    pub fn in_file(path: &Path) -> Result<Authorities, AuthoritiesError> {
        let wrong = |reason: String| AuthoritiesError { path: path.to_owned(), reason };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        match roots.add_parsable_certificates(certificates) {
            (0, _) => Err(wrong("there is none in it".to_owned())),
            _ => Ok(Authorities::Own(Arc::new(roots))),
        }
    }

    /// How to connect to a session's address: with TLS if it is a `wss:` one.
    pub fn connector(&self, address: &str) -> Result<Connector, rustls::Error> {
        match address.starts_with("wss:") {
            true => Ok(Connector::Rustls(self.client()?)),
            false => Ok(Connector::Plain),
        }
    }

    /// A client's side of TLS that believes them.
    pub fn client(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let roots = match self {
            Authorities::OfTheWeb => Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()),
            Authorities::Own(roots) => Arc::clone(roots),
        };
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let client = client.with_safe_default_protocol_versions()?.with_root_certificates(roots);
        Ok(Arc::new(client.with_no_client_auth()))
    }
}
