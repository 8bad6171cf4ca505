//! One connection of a stranger: plain HTTP, HTTP over TLS, or a plain port that sends everyone to TLS.
//!
//! Plain connections are most of what a server behind a proxy has: their task holds nothing that only TLS needs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{HOST, LOCATION, STRICT_TRANSPORT_SECURITY};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use crate::answering::Answering;
use crate::cards::FORWARDED_PROTO;
use crate::config::{Config, Limits};
use crate::http::PeerAddress;
use crate::metrics::Metrics;
use crate::refusals::{Door, Reason};
use crate::shell::Shell;
use crate::tls;

/// Requests at once over one HTTP/2 connection. 32: a page asks for a dozen files.
const STREAMS_MAX: u32 = 32;

/// Bytes of the headers of one HTTP/2 request. 16 KiB: as much as the usual proxies take.
const HEADERS_BYTES_MAX: u32 = 16 << 10;

/// Bytes that wait to be sent over one stream of HTTP/2. 64 KiB: a quarter of the largest file.
const SEND_BUFFER_BYTES_MAX: usize = 64 << 10;

/// What is behind a port.
#[derive(Clone)]
pub(crate) enum Gate {
    /// Everything, by plain HTTP.
    Plain(Router),
    /// Everything, by TLS.
    Tls(Router, TlsAcceptor),
    /// The way to this port, where TLS is spoken.
    Redirect(u16),
}

impl Gate {
    /// Starts the task of a connection, which keeps `permit` as long as it lasts.
    pub(crate) fn enter<P: Send + 'static>(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        shell: &Shell,
        permit: P,
    ) {
        let config = shell.config();
        let limits = &config.limits;
        let metrics = Arc::clone(&shell.metrics);
        match self.clone() {
            Gate::Plain(router) => {
                let serving = plain(stream, address, router, limits.header_timeout);
                tokio::spawn(count(serving, metrics, permit));
            }
            Gate::Tls(router, acceptor) => {
                let visit = Visit { address, router, transport_security: transport_security(&config) };
                let serving = visit.by_tls(stream, acceptor, limits.clone());
                tokio::spawn(count(serving, metrics, permit));
            }
            Gate::Redirect(port) => {
                let serving = redirect(stream, port, limits.header_timeout);
                tokio::spawn(count(serving, metrics, permit));
            }
        }
    }
}

/// How a connection of a stranger ends is no news, but for the count.
async fn count<P>(serving: impl Future<Output = Option<Reason>>, metrics: Arc<Metrics>, permit: P) {
    if let Some(reason) = serving.await {
        metrics.refused(Door::Http, reason);
    }
    drop(permit);
}

/// Why the peer was not served. One that was, and then is silent, was refused nothing.
fn refusal(ended: hyper::Result<()>, served: bool) -> Option<Reason> {
    let reason = Reason::of_connection(&ended.err()?)?;
    (reason != Reason::Timeout || !served).then_some(reason)
}

/// Pieces leave at once, few wait in the kernel, where stale ones cannot be dropped, and who takes nothing for long is
/// gone. What a listening socket is told holds for whom it accepts. Best effort: a system that refuses serves all the
/// same.
pub(crate) fn tune<'a>(socket: impl Into<SockRef<'a>>, limits: &Limits) {
    let socket = socket.into();
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_tcp_notsent_lowat(limits.unsent_bytes_max);
        let _ = socket.set_tcp_user_timeout(Some(limits.dead_after));
    }
}

async fn plain(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    header_timeout: Duration,
) -> Option<Reason> {
    let served = AtomicBool::new(false);
    let service = service_fn(|mut request: Request<Incoming>| {
        served.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(PeerAddress(address.ip()));
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(Answering::new(stream)), service)
        .with_upgrades();
    refusal(connection.await, served.load(Ordering::Relaxed))
}

/// What the requests of one connection over TLS have in common.
#[derive(Clone)]
struct Visit {
    address: SocketAddr,
    router: Router,
    transport_security: Option<HeaderValue>,
}

impl Visit {
    async fn by_tls(self, stream: TcpStream, acceptor: TlsAcceptor, limits: Limits) -> Option<Reason> {
        let stream = match timeout(limits.header_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Reason::of_handshake(&error),
            Err(_) => return Some(Reason::Timeout),
        };
        match stream.get_ref().1.alpn_protocol() {
            Some(tls::HTTP_2) => refusal(Box::pin(self.by_http2(stream, limits)).await, true),
            Some(tls::CHALLENGE) => None,
            _ => self.by_http1(stream, limits.header_timeout).await,
        }
    }

    async fn by_http1(self, stream: TlsStream<TcpStream>, header_timeout: Duration) -> Option<Reason> {
        let served = AtomicBool::new(false);
        let service = service_fn(|request| {
            served.store(true, Ordering::Relaxed);
            self.clone().answer(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .serve_connection(TokioIo::new(Answering::new(stream)), service)
            .with_upgrades();
        refusal(connection.await, served.load(Ordering::Relaxed))
    }

    async fn by_http2(self, stream: TlsStream<TcpStream>, limits: Limits) -> hyper::Result<()> {
        // Two for each request: one as it comes, one as its answer is there. Standing still is being idle.
        let steps = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&steps);
        let service = service_fn(move |request| {
            let (visit, steps) = (self.clone(), Arc::clone(&counted));
            steps.fetch_add(1, Ordering::Relaxed);
            async move {
                let answer = visit.answer(request).await;
                steps.fetch_add(1, Ordering::Relaxed);
                answer
            }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADERS_BYTES_MAX)
            .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut seen = 0;
        loop {
            if let Ok(ended) = timeout(limits.dead_after, connection.as_mut()).await {
                return ended;
            }
            if seen == steps.load(Ordering::Relaxed) {
                break;
            }
            seen = steps.load(Ordering::Relaxed);
        }
        // Nothing new is taken; what is under way may end.
        connection.as_mut().graceful_shutdown();
        timeout(limits.dead_after, connection).await.unwrap_or(Ok(()))
    }

    async fn answer(self, mut request: Request<Incoming>) -> Result<Response, Infallible> {
        request.extensions_mut().insert(PeerAddress(self.address.ip()));
        // What a proxy says where it ends TLS, and what HTTP/2 says in its own way (RFC 9113, section 8.3.1).
        let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
        if let Some(Ok(authority)) = authority {
            request.headers_mut().insert(HOST, authority);
        }
        request.headers_mut().insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        let mut response = self.router.oneshot(request).await.unwrap_or_else(|never| match never {});
        if let Some(transport_security) = self.transport_security {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, transport_security);
        }
        Ok(response)
    }
}

/// The header of RFC 6797.
fn transport_security(config: &Config) -> Option<HeaderValue> {
    let seconds = config.tls.hsts_max_age.as_secs();
    (seconds > 0).then(|| HeaderValue::from_str(&format!("max-age={seconds}")).ok()).flatten()
}

async fn redirect(stream: TcpStream, port: u16, header_timeout: Duration) -> Option<Reason> {
    let service = service_fn(move |request: Request<Incoming>| async move {
        Ok::<_, Infallible>(redirection(&request, port))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(stream), service);
    refusal(connection.await, false)
}

/// 308: whoever comes again uses the same method (RFC 9110, section 15.4.9).
fn redirection<B>(request: &axum::http::Request<B>, port: u16) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    let target = authority.and_then(|authority| {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        HeaderValue::from_str(&format!("https://{}{port}{path}", authority.host())).ok()
    });
    match target {
        Some(target) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, target)], Body::empty()).into_response(),
        None => (StatusCode::BAD_REQUEST, "Say in `Host` whom you want to reach.\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_leads_to_the_same_page_by_tls() {
        let to = |host: &str, path: &str, port| {
            let request = axum::http::Request::builder().uri(path).header(HOST, host).body(()).unwrap();
            let answer = redirection(&request, port);
            answer.headers().get(LOCATION).map(|target| target.to_str().unwrap().to_owned())
        };
        assert_eq!(
            to("example.org", "/watch/a?b=c", 443).as_deref(),
            Some("https://example.org/watch/a?b=c")
        );
        assert_eq!(to("example.org:8080", "/", 8443).as_deref(), Some("https://example.org:8443/"));
        assert_eq!(to("[2001:db8::1]:80", "/", 443).as_deref(), Some("https://[2001:db8::1]/"));
        assert_eq!(to("a b", "/", 443), None);
        assert_eq!(to("user@evil.example", "//x", 443).as_deref(), Some("https://evil.example//x"));
    }
}
