//! The REST interface and the pages, asked over a connection of a server in this process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tracker::{Config, Server};
use wire::request::Request;

use crate::signer;

/// How long an answer is waited for: none comes where the request claims a body that it has not.
const PATIENCE: Duration = Duration::from_millis(300);

/// The same where one must come, on a busy machine.
const PATIENCE_MAX: Duration = Duration::from_secs(20);

/// The value of `Authorization` in an input that is replaced by this channel's signature over the request.
const SIGNED: &str = "signed";

/// Panics in this process: those of the server's tasks end only the task.
static PANICS: AtomicUsize = AtomicUsize::new(0);

static SERVER: LazyLock<Running> = LazyLock::new(Running::start);

/// The input is a request: a line of method and path, header lines, an empty line, the body. Length and end of the
/// connection are added. `Authorization: signed` stands for the signature of this corpus's key. The server remembers what earlier inputs
/// have changed.
pub fn rest(bytes: &[u8]) {
    let (head, body) = split(bytes);
    let mut lines = head.lines();
    let (method, path) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or(("GET", "/"));
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: fuzz\r\nConnection: close\r\n");
    for line in lines {
        match line.strip_prefix("Authorization: ") {
            Some(SIGNED) => {
                request.push_str(&format!("Authorization: {}\r\n", authorization(method, path, body)));
            }
            _ => request.push_str(&format!("{line}\r\n")),
        }
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let answer = ask(&[request.as_bytes(), body].concat(), PATIENCE);
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "a task of the server panicked");
    if let Some(answer) = answer {
        answer.check(path);
    }
}

fn split(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((bytes, &[][..]), |end| (&bytes[..end], &bytes[end + 2..]));
    (String::from_utf8_lossy(head).into_owned(), body)
}

fn authorization(method: &str, path: &str, body: &[u8]) -> String {
    let challenge = b"POST /api/v1/challenges HTTP/1.1\r\nHost: fuzz\r\nConnection: close\r\n\r\n";
    let challenge = ask(challenge, PATIENCE_MAX);
    let challenge: serde_json::Value = serde_json::from_slice(&challenge.expect("a challenge").body).unwrap();
    let nonce = challenge["nonce"].as_str().unwrap();
    Request { method, path, nonce, body }.authorize(&signer())
}

/// Sends the request and reads until the server closes. `None`: no whole answer has come.
fn ask(request: &[u8], patience: Duration) -> Option<Answer> {
    let mut stream = TcpStream::connect(SERVER.address).expect("the server takes connections");
    stream.set_read_timeout(Some(patience)).unwrap();
    // A server that refuses need not read.
    let _ = stream.write_all(request);
    let mut said = Vec::new();
    stream.read_to_end(&mut said).ok()?;
    Answer::read(&said)
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Option<Answer> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).expect("the head of an answer is text").to_lowercase();
        let status = head.split(' ').nth(1)?.parse().expect("a status");
        Some(Answer { status, head, body: bytes[end + 4..].to_vec() })
    }

    fn check(&self, path: &str) {
        // 501 is oEmbed's word for a format that is not offered.
        let offered = self.status != 501 || !path.starts_with("/oembed");
        assert!(self.status < 500 || !offered, "the server has failed: {}", self.head);
        // What is no HTTP never reaches the interface, and is answered without a word.
        let unread = self.head.contains("\r\ncontent-length: 0");
        if self.status >= 400 && path.starts_with("/api/") && !unread {
            assert!(self.head.contains("\r\ncontent-type: application/problem+json"), "{}", self.head);
        }
        if self.head.contains("\r\ncontent-type: application/problem+json") {
            let problem: serde_json::Value = serde_json::from_slice(&self.body).expect("a problem is JSON");
            assert_eq!(problem["status"], self.status);
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
        }
        assert!(self.status < 200 || self.head.contains("\r\nx-content-type-options: nosniff") || unread);
    }
}

struct Running {
    address: SocketAddr,
    _runtime: Runtime,
    _data: TempDir,
}

impl Running {
    fn start() -> Running {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(panic);
        }));
        let data = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut config = Config::new("127.0.0.1:0".parse().unwrap(), data.path().to_owned());
        config.limits.settling = Duration::ZERO;
        config.limits.registration_work_bits = 0;
        let server = runtime.block_on(Server::bind(config)).unwrap();
        let address = server.address();
        runtime.spawn(server.run(std::future::pending()));
        Running { address, _runtime: runtime, _data: data }
    }
}
