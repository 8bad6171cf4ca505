//! One webhook's request: signed, to an address that may be asked, with an end to every wait. Redirects are not followed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{Request, StatusCode, Uri};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use peer::Authorities;
use ring::hmac;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::public::is_public;
use crate::config::{PrivateAddresses, WebAddress};

/// Time for one attempt. 10 s: whoever takes longer to say yes should first say it and then work.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Carries the time and the proof.
const SIGNATURE: &str = "swarmcast-signature";

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    #[error("is at no public address (`webhook_private = \"allow\"` lets it be)")]
    Private,
    #[error("cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("does not speak HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("answers {0}")]
    Refused(StatusCode),
    #[error("does not answer in time")]
    TimedOut,
}

/// Who is told.
pub(super) struct Receiver {
    url: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    key: hmac::Key,
    private: PrivateAddresses,
}

impl Receiver {
    pub(super) fn new(
        address: &WebAddress,
        secret: &str,
        private: PrivateAddresses,
    ) -> Result<Self, rustls::Error> {
        let WebAddress { url, host, secure } = address.clone();
        let tls = match ServerName::try_from(host.clone()).ok().filter(|_| secure) {
            Some(name) => Some((TlsConnector::from(Authorities::OfTheWeb.client()?), name)),
            None => None,
        };
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Receiver {
            url,
            host,
            port,
            tls,
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            private,
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Posts `body` once, at Unix time `now_s`.
    pub(super) async fn attempt(&self, body: &Bytes, now_s: u64) -> Result<(), DeliveryError> {
        let answered = tokio::time::timeout(ATTEMPT_TIMEOUT, self.post(body, now_s)).await;
        match answered.map_err(|_| DeliveryError::TimedOut)?? {
            status if status.is_success() => Ok(()),
            status => Err(DeliveryError::Refused(status)),
        }
    }

    async fn post(&self, body: &Bytes, now_s: u64) -> Result<StatusCode, DeliveryError> {
        let stream = TcpStream::connect(self.address().await?).await?;
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        let request = Request::post(path)
            .header(HOST, authority)
            .header(USER_AGENT, concat!("swarmcast/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE, signature(&self.key, now_s, body))
            .body(Body::from(body.clone()))
            .map_err(io::Error::other)?;
        match &self.tls {
            Some((connector, name)) => {
                exchange(connector.connect(name.clone(), stream).await?, request).await
            }
            None => exchange(stream, request).await,
        }
    }

    /// Looked up for each attempt, and connected to as it was checked: a name that points elsewhere a moment later
    /// leads nowhere else.
    async fn address(&self) -> Result<SocketAddr, DeliveryError> {
        let mut found = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        let may_be_asked =
            |address: &SocketAddr| self.private == PrivateAddresses::Allow || is_public(address.ip());
        found.find(may_be_asked).ok_or(DeliveryError::Private)
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Body>,
) -> Result<StatusCode, DeliveryError> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Ends with this function, whichever way it does.
    let mut carrying = JoinSet::new();
    carrying.spawn(connection);
    Ok(sender.send_request(request).await?.status())
}

/// `t=SECONDS,v1=HMAC`: HMAC-SHA256 over the time as text, a full stop, and the body. The time keeps others from sending
/// it again later.
fn signature(key: &hmac::Key, now_s: u64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{now_s}.").as_bytes());
    context.update(body);
    format!("t={now_s},v1={}", HEXLOWER.encode(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_openssl_computes() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"north-north-north");
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac north-north-north
        let wanted = "t=1700000000,v1=97bc9513583f09d93332fd06eeefc89c20907150bc88f053854161a8c8bf2dfb";
        assert_eq!(signature(&key, 1_700_000_000, b"{}"), wanted);
    }
}
