//! The server by TLS: pages and sessions, the plain port beside, and certificates that change while it runs.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{Connector, connect_async_tls_with_config};
use tracker::channel_settings::ChannelSettings;
use tracker::{Config, Server};

use crate::certificates::{Authority, connect, shown};
use crate::configured::Running;
use crate::support::{Tracker, a_moment, within};

struct Secure {
    tracker: Tracker,
    authority: Authority,
    _folder: TempDir,
}

impl Secure {
    async fn start_with(adjust: impl FnOnce(&mut Config)) -> Secure {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path());
        let (cert, key) = authority.issue("server");
        let tracker = Tracker::start_with(|config| {
            (config.tls.cert, config.tls.key) = (Some(cert), Some(key));
            adjust(config);
        });
        Secure { tracker: tracker.await, authority, _folder: folder }
    }

    /// The whole answer by HTTP/1.1, to who knows no other.
    async fn get(&self, path: &str) -> String {
        let client = self.authority.client(&[]);
        let mut stream = within(connect(self.tracker.address, "localhost", client)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        answer
    }

    /// Whether so many were refused for this reason, at the least.
    async fn has_refused(&self, reason: &str, times: u64) -> bool {
        let answer = self.get("/metrics").await;
        let line = format!("swarmcast_refusals_total{{door=\"http\",reason=\"{reason}\"}} ");
        let counted = answer.lines().find_map(|shown| shown.strip_prefix(&line)?.parse().ok());
        counted.unwrap_or(0) >= times
    }
}

/// The body of an answer by HTTP/2.
async fn body(mut stream: h2::RecvStream) -> String {
    let mut all = Vec::new();
    while let Some(bytes) = within(stream.data()).await {
        let bytes = bytes.unwrap();
        stream.flow_control().release_capacity(bytes.len()).unwrap();
        all.extend_from_slice(&bytes);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn pages_come_by_http_2_with_cards_that_lead_back_by_tls() {
    let secure = Secure::start_with(|_| {}).await;
    let titled = ChannelSettings { title: "Ein Abend".into(), ..ChannelSettings::default() };
    let club = secure.tracker.add_hosted("club").channel;
    secure.tracker.database().write(|store| store.set(club, &titled)).unwrap();
    let client = secure.authority.client(&[b"h2", b"http/1.1"]);
    let stream = within(connect(secure.tracker.address, "localhost", client)).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = within(h2::client::handshake(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let oembed = "/oembed?url=https%3A%2F%2Flocalhost%2Fwatch%2Fclub";
    let asked = ["/watch/club", oembed, "/healthz", "/assets/player.js"].map(|path| {
        let request =
            axum::http::Request::builder().uri(format!("https://localhost{path}")).body(()).unwrap();
        sender.send_request(request, true).unwrap().0
    });
    let mut bodies = Vec::new();
    for answer in asked {
        let answer = within(answer).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=15552000");
        bodies.push(body(answer.into_body()).await);
    }
    assert!(bodies[0].contains("content=\"https://localhost/watch/club\""), "{}", bodies[0]);
    assert!(bodies[1].contains("https://localhost/embed/club"), "{}", bodies[1]);
    connection.abort();
}

#[tokio::test]
async fn who_knows_no_http_2_is_served_as_well() {
    let secure = Secure::start_with(|config| config.tls.hsts_max_age = std::time::Duration::ZERO).await;
    let answer = secure.get("/healthz").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.contains("strict-transport-security"), "{answer}");
}

#[tokio::test]
async fn a_broadcaster_is_let_in_by_tls_and_only_if_it_believes_the_authority() {
    let secure = Secure::start_with(|_| {}).await;
    let start = |authorities| {
        let signer = crate::support::signer(7);
        peer::Participant::start(peer::ParticipantConfig {
            session_url: format!("wss://localhost:{}/session", secure.tracker.address.port()),
            authorities,
            identity: swarm::Identity {
                role: swarm::Role::Source,
                secret: signer.peer_secret(),
                channel: "club".to_owned(),
                expected: Some(signer.channel()),
            },
            engine: swarm::Config::default(),
            endpoint: None,
            announce: Some((signer, "club".to_owned())),
            alteration: None,
            observer: None,
        })
    };
    let mut believer = start(peer::Authorities::in_file(&secure.authority.file()).unwrap());
    let welcomed = within(believer.next()).await;
    assert!(matches!(&welcomed, Some(peer::Event::Welcomed { name, .. }) if name == "club"), "{welcomed:?}");
    let mut doubter = start(peer::Authorities::OfTheWeb);
    let refused = within(doubter.next()).await;
    assert!(
        matches!(&refused, Some(peer::Event::SessionLost { why }) if why.contains("certificate")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn hosted_channels_are_broadcast_beside_tls() {
    let free = Some("127.0.0.1:0".parse().unwrap());
    let secure = Secure::start_with(|config| (config.rtmp, config.udp) = (free, free)).await;
    let new = secure.tracker.add_hosted("club");
    let _encoder = crate::hosted::encoder(secure.tracker.rtmp.unwrap(), &new.stream_key);
    let client = secure.authority.client(&[b"http/1.1"]);
    let url = format!("wss://localhost:{}/session", secure.tracker.address.port());
    let connecting = connect_async_tls_with_config(url, None, true, Some(Connector::Rustls(client)));
    let (mut viewer, _) = within(connecting).await.unwrap();
    viewer.send(Message::text(crate::support::join("club", 2).to_text())).await.unwrap();
    loop {
        let Some(Ok(Message::Text(text))) = within(viewer.next()).await else { continue };
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        // Welcomed to a broadcast under way, or told that one begins.
        if told["epoch"].is_number() {
            break;
        }
    }
}

#[tokio::test]
async fn the_plain_port_beside_tls_leads_there_or_serves_this_machine() {
    for (listen, status) in [("0.0.0.0:0", "HTTP/1.1 308 "), ("127.0.0.1:0", "HTTP/1.1 200 ")] {
        let secure =
            Secure::start_with(|config| config.tls.http_listen = Some(listen.parse().unwrap())).await;
        let port = secure.tracker.plain.unwrap().port();
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = b"GET /watch/club HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with(status), "{answer}");
        let target = format!("location: https://localhost:{}/watch/club\r\n", secure.tracker.address.port());
        assert_eq!(answer.contains(&target), listen.starts_with("0."), "{answer}");
    }
}

#[tokio::test]
async fn strangers_who_say_nothing_or_nonsense_by_tls_are_let_go() {
    let secure =
        Secure::start_with(|config| config.limits.header_timeout = std::time::Duration::from_millis(100))
            .await;
    for opening in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0x16, 3, 1, 0xff, 0xff, 0, 0]] {
        let mut stream = tokio::net::TcpStream::connect(secure.tracker.address).await.unwrap();
        stream.write_all(opening).await.unwrap();
        let mut answer = Vec::new();
        // Reset or closed: both are an end.
        let _ = within(stream.read_to_end(&mut answer)).await;
        assert!(answer.len() < 100);
    }
    let counted = async {
        while !secure.has_refused("timeout", 1).await || !secure.has_refused("bad_request", 2).await {
            a_moment().await;
        }
    };
    within(counted).await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_is_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let ((cert, key), (_, other)) = (authority.issue("one"), authority.issue("two"));
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (cert, key, said) in [
        (Some(&cert), None, "`tls_cert` is set, but not `tls_key`"),
        (None, Some(&key), "`tls_key` is set, but not `tls_cert`"),
        (Some(&cert), Some(&other), "it is not the key of the certificate"),
        (Some(&empty), Some(&key), "there is no certificate in it"),
        (Some(&cert), Some(&empty), "tls_key: cannot use "),
        (Some(&folder.path().join("none")), Some(&key), "No such file"),
    ] {
        let mut config = Config::new("127.0.0.1:0".parse().unwrap(), folder.path().to_owned());
        (config.tls.cert, config.tls.key) = (cert.cloned(), key.cloned());
        let error = Server::bind(config).await.err().expect(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_ending_a_session_and_a_bad_one_is_not() {
    let data = tempfile::tempdir().unwrap();
    let authority = Authority::new(data.path());
    let (cert, key) = authority.issue("server");
    let settings = format!(
        "listen = \"127.0.0.1:0\"\nrtmp = \"off\"\nudp = \"off\"\ntls_cert = {cert:?}\ntls_key = {key:?}\n\
         certificate_look = \"20ms\"\n"
    );
    std::fs::write(data.path().join("swarmcast.toml"), settings).unwrap();
    let mut server = Running::start(data.path());
    let address: SocketAddr = server.address.parse().unwrap();
    let client = authority.client(&[b"http/1.1"]);
    let url = format!("wss://{address}/session");
    let connector = Some(Connector::Rustls(client.clone()));
    let (mut session, _) = within(connect_async_tls_with_config(url, None, true, connector)).await.unwrap();
    let on_disk = || CertificateDer::from_pem_file(&cert).unwrap();
    let shown_now = async || shown(&within(connect(address, "localhost", client.clone())).await.unwrap());
    let first = on_disk();
    assert_eq!(shown_now().await, first);

    // Noticed by itself. For a moment the files do not belong together, which may be logged, and harms nobody.
    authority.issue("server");
    server.logged("the certificate was read again");
    let second = shown_now().await;
    assert!(second == on_disk() && second != first);

    std::fs::write(&cert, "-----BEGIN CERTIFICATE-----\nnonsense\n").unwrap();
    let logged = server.logged("the certificate stays as it is");
    assert!(logged.contains("server.pem"), "{logged}");
    assert_eq!(shown_now().await, second);

    // And at once when told.
    authority.issue("server");
    server.hang_up("settings were read again");
    within(async { while shown_now().await != on_disk() {} }).await;

    within(session.send(Message::Ping(Bytes::from_static(b"?")))).await.unwrap();
    while !matches!(within(session.next()).await, Some(Ok(Message::Pong(_)))) {}
}
