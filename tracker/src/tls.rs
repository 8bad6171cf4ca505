//! The certificate that the server shows: from files that are read again when they change, or from an ACME authority.
//! The one file that names rustls-acme.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use futures_util::StreamExt;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, AcmeState};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::config::Config;

/// Protocols above TLS (ALPN, RFC 7301): HTTP/2 for pages, HTTP/1.1 for sessions and whoever knows no other.
pub(crate) const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// With this an ACME authority looks whether a name leads here (RFC 8737). The handshake is all of it.
pub(crate) const CHALLENGE: &[u8] = b"acme-tls/1";

/// The folder in the data folder for what ACME keeps: the account's key, the certificate and its key.
const ACME_FOLDER: &str = "acme";

/// Why there can be no TLS as set.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not all that is needed is set, or too much.
    #[error("{0}")]
    Settings(&'static str),
    /// A file cannot be read, or is not what it should be.
    #[error("{setting}: cannot use {path}: {reason}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refuses.
    #[error("cannot set TLS up: {0}")]
    Library(#[from] rustls::Error),
    /// The folder for ACME cannot be made.
    #[error("cannot use {path}: {source}; check that --data names a directory that this user may write")]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// TLS as set, ready for connections.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    source: Source,
}

enum Source {
    Files(Files),
    Acme(Box<AcmeState<io::Error>>),
}

impl Tls {
    /// `None`: TLS is not set.
    pub(crate) fn new(config: &Config) -> Result<Option<Tls>, TlsError> {
        if !config.tls.is_on() {
            return Ok(None);
        }
        let (resolver, source): (Arc<dyn ResolvesServerCert>, _) = match paths(config)? {
            Some(paths) => {
                let files = Files::new(paths)?;
                (Arc::clone(&files.current) as _, Source::Files(files))
            }
            None => {
                let state = acme(config)?;
                (state.resolver() as _, Source::Acme(Box::new(state)))
            }
        };
        let versions = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let mut server = versions
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        server.alpn_protocols = [HTTP_2, HTTP_1, CHALLENGE].map(<[u8]>::to_vec).into();
        // Who comes back is known by what it brings, and takes no memory here.
        server.ticketer = ring::Ticketer::new()?;
        Ok(Some(Tls { acceptor: TlsAcceptor::from(Arc::new(server)), source }))
    }

    /// Takes connections over.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Keeps the certificate fresh until the server ends.
    pub(crate) async fn keep(self, settings: watch::Receiver<Arc<Config>>) {
        match self.source {
            Source::Files(files) => files.keep(settings).await,
            Source::Acme(state) => renew(*state).await,
        }
    }
}

/// Whether the files that are set can be used, for the self-check.
pub(crate) fn look(config: &Config) -> Result<(), TlsError> {
    paths(config)?.map_or(Ok(()), |paths| paths.read().map(drop))
}

/// The files that are set; `None`: ACME is.
fn paths(config: &Config) -> Result<Option<Paths>, TlsError> {
    match (&config.tls.cert, &config.tls.key, config.tls.acme_domains.is_empty()) {
        (Some(certificate), Some(key), true) => {
            Ok(Some(Paths { certificate: certificate.clone(), key: key.clone() }))
        }
        (None, None, false) => Ok(None),
        (Some(_), None, true) => Err(TlsError::Settings("`tls_cert` is set, but not `tls_key`: set both")),
        (None, Some(_), true) => Err(TlsError::Settings("`tls_key` is set, but not `tls_cert`: set both")),
        (..) => Err(TlsError::Settings(
            "set either `tls_cert` and `tls_key`, for a certificate of your own, or `acme_domains`",
        )),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Paths {
    certificate: PathBuf,
    key: PathBuf,
}

/// When the two files were changed. Links are followed: that is how renewals often come.
type Stamps = [Option<SystemTime>; 2];

impl Paths {
    fn stamps(&self) -> Stamps {
        [&self.certificate, &self.key]
            .map(|path| std::fs::metadata(path).and_then(|about| about.modified()).ok())
    }

    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let wrong =
            |setting, path: &Path, reason: String| TlsError::File { setting, path: path.into(), reason };
        let bad_chain = |reason| wrong("tls_cert", &self.certificate, reason);
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| bad_chain(error.to_string()))?;
        if chain.is_empty() {
            return Err(bad_chain("there is no certificate in it; it should be in PEM".to_owned()));
        }
        let bad_key = |reason| wrong("tls_key", &self.key, reason);
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| bad_key(error.to_string()))?;
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => bad_key("it is not the key of the certificate".to_owned()),
            other => bad_key(other.to_string()),
        })
    }
}

/// A certificate in files.
struct Files {
    paths: Paths,
    stamps: Stamps,
    /// What was wrong with the files when they were last read.
    mistake: Option<String>,
    current: Arc<Current>,
}

/// What is shown to whoever connects.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Files {
    fn new(paths: Paths) -> Result<Files, TlsError> {
        let stamps = paths.stamps();
        let current = Arc::new(Current(RwLock::new(Arc::new(paths.read()?))));
        Ok(Files { paths, stamps, mistake: None, current })
    }

    /// Reads the files when they change, or others are set, or the settings are read again.
    async fn keep(mut self, mut settings: watch::Receiver<Arc<Config>>) {
        loop {
            let look = settings.borrow().limits.certificate_look;
            let told = tokio::select! {
                told = settings.changed() => match told {
                    Ok(()) => true,
                    // The server has ended.
                    Err(_) => return,
                },
                () = tokio::time::sleep(look) => false,
            };
            let wanted = paths(&settings.borrow_and_update());
            match wanted {
                Ok(Some(paths)) => self.look(paths, told),
                Ok(None) => tracing::warn!("where the certificate comes from changes at the next start"),
                Err(error) => tracing::error!("the certificate stays as it is: {error}"),
            }
        }
    }

    fn look(&mut self, paths: Paths, told: bool) {
        let stamps = paths.stamps();
        // After a mistake always: the clock of the files is too coarse to show that the rest has been written.
        if !told && self.mistake.is_none() && stamps == self.stamps && paths == self.paths {
            return;
        }
        (self.paths, self.stamps) = (paths, stamps);
        match self.paths.read() {
            Ok(certificate) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
                self.mistake = None;
                tracing::info!("the certificate was read again");
            }
            Err(error) => {
                let mistake = error.to_string();
                if self.mistake.as_ref() != Some(&mistake) {
                    tracing::error!("the certificate stays as it is: {mistake}");
                }
                self.mistake = Some(mistake);
            }
        }
    }
}

fn acme(config: &Config) -> Result<AcmeState<io::Error>, TlsError> {
    let folder = config.data.join(ACME_FOLDER);
    private_folder(&folder).map_err(|source| TlsError::Folder { path: folder.clone(), source })?;
    let acme = match &config.tls.acme_ca {
        Some(path) => AcmeConfig::new_with_client_config(&config.tls.acme_domains, authority(path)?),
        None => AcmeConfig::new_with_provider(&config.tls.acme_domains, Arc::new(ring::default_provider())),
    };
    let contact = config.tls.acme_contact.iter().map(|address| format!("mailto:{address}"));
    Ok(acme.contact(contact).directory(&config.tls.acme_directory).cache(DirCache::new(folder)).state())
}

/// What is in it is for nobody else: keys.
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// Believes an authority's server by the certificates in `path`.
fn authority(path: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    let wrong = |reason: String| TlsError::File { setting: "acme_ca", path: path.into(), reason };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Err(wrong("there is no certificate in it; it should be in PEM".to_owned()));
    }
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let client = client.with_safe_default_protocol_versions()?.with_root_certificates(roots);
    Ok(Arc::new(client.with_no_client_auth()))
}

/// Orders and renews. The library waits longer after each failure.
async fn renew(mut state: AcmeState<io::Error>) {
    while let Some(event) = state.next().await {
        match event {
            Ok(done) => tracing::info!("certificate by ACME: {done:?}"),
            Err(error) => tracing::error!(
                "certificate by ACME: {error}. This server must reach the authority, and the authority this server, on \
                 TCP port 443 by each name in `acme_domains`. Trying again"
            ),
        }
    }
}
