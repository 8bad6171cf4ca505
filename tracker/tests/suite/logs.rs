//! What the program writes to its log: one JSON object a line where that is asked for, and nobody's address.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use wire::session::{FromPeer, Signal};

use crate::support::{join, peer, within};

/// Where the viewer comes from, and what it offers as its address.
const VIEWER: &str = "203.0.113.77";
const CANDIDATE: &str = "198.51.100.88";

#[tokio::test]
async fn the_log_is_structured_and_names_no_address_of_a_viewer() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_swarmcast-tracker");
    assert!(
        Command::new(program).args(["channel", "add", "club", "--data", path]).status().unwrap().success()
    );
    let ports = ["--listen", "127.0.0.1:0", "--rtmp", "off", "--udp", "off"];
    let mut server = Command::new(program)
        .args(ports)
        .args(["--log-format", "json", "--data", path])
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = server.stderr.take().unwrap();
    let log =
        std::thread::spawn(move || BufReader::new(log).lines().map_while(Result::ok).collect::<Vec<_>>());
    let mut line = String::new();
    let mut out = BufReader::new(server.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().trim_end_matches('/').to_owned();

    let mut request = format!("ws://{address}/session").into_client_request().unwrap();
    request.headers_mut().insert("x-forwarded-for", VIEWER.parse().unwrap());
    let (mut viewer, _) = within(connect_async(request)).await.unwrap();
    let candidate = format!("candidate:1 1 udp 1 {CANDIDATE} 40000 typ host");
    let signal = FromPeer::Signal { to: peer(9), signal: Signal::Candidate { candidate } };
    for said in [join("club", 2).to_text(), signal.to_text()] {
        within(viewer.send(Message::text(said))).await.unwrap();
    }
    within(viewer.send(Message::binary(vec![255; 40]))).await.unwrap();
    while let Some(Ok(_)) = within(viewer.next()).await {}

    let id = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(server.wait().unwrap().success());
    out.read_to_string(&mut line).unwrap();
    let log = log.join().unwrap();
    let lines: Vec<serde_json::Value> =
        log.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let named = peer(2).to_string();
    let complaint = lines.iter().find(|line| line["message"] == "a peer broke the rules").unwrap();
    assert_eq!((complaint["channel"].as_str(), complaint["peer"].as_str()), (Some("club"), Some(&*named)));
    for line in log.iter().chain([&line]) {
        assert!(!line.contains(VIEWER) && !line.contains(CANDIDATE), "{line}");
    }
}
