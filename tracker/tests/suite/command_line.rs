//! The program as its owner runs it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::join;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use wire::session::{Announce, FromPeer, FromTracker};

/// Broadcasters that register at once. 400: the kill falls in the midst of them.
const REGISTRATIONS: usize = 400;

const PROGRAM: &str = env!("CARGO_BIN_EXE_swarmcast-tracker");

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program, and the address that it printed.
fn serve(data: &str) -> (Running, String) {
    let arguments =
        ["--listen", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--udp", "127.0.0.1:0", "--data", data];
    let mut child = Command::new(PROGRAM).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().trim_end_matches('/').to_owned();
    (Running(child), address)
}

#[test]
fn channels_are_added_listed_and_removed() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let added = run(&["channel", "add", "club", "--data", path]);
    let shown: serde_json::Value = serde_json::from_slice(&added.stdout).unwrap();
    assert_eq!(shown["name"], "club");
    assert_eq!(shown["rtmp"], "rtmp://127.0.0.1:1935/live");
    assert_eq!(shown["channel"].as_str().unwrap().len(), 43);
    assert!(shown["stream_key"].as_str().unwrap().len() >= 32);
    let file = data.path().join("swarmcast.db");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let again = run(&["channel", "add", "club", "--data", path]);
    assert!(!again.status.success() && again.stdout.is_empty());
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already; pick another name"));
    let listed = String::from_utf8(run(&["channel", "list", "--data", path]).stdout).unwrap();
    assert!(listed.contains("club") && !listed.contains("key"), "{listed}");
    assert!(run(&["channel", "remove", "club", "--data", path]).status.success());
    assert!(!run(&["channel", "remove", "club", "--data", path]).status.success());
}

#[test]
fn what_holds_for_a_channel_is_set_all_or_none() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let set = |changes: &[&str]| run(&[&["channel", "set", "club", "--data", path], changes].concat());
    let held = || -> serde_json::Value { serde_json::from_slice(&set(&[]).stdout).unwrap() };
    assert!(!set(&["viewers_max=9"]).status.success(), "there is no such channel");
    assert!(run(&["channel", "add", "club", "--data", path]).status.success());
    let origins = "embed_origins=https://a.example, https://b.example";
    assert!(set(&["viewers_max=9", "sharing=off", "title=To the point = here", origins]).status.success());
    for (wrong, said) in [
        ("viewer_max=9", "there are category, chat, chat_links,"),
        ("viewers_max=many", "is a number, not `many`"),
        ("sharing=maybe", "expected one of `on`, `ask`, `off`"),
        ("embed_origins=a.example", "must be origins such as `https://example.org`"),
        ("viewers_max", "write SETTING=VALUE"),
    ] {
        let refused = set(&["title=Other", wrong]);
        let words = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && words.contains(said), "{wrong}: {words}");
    }
    assert_eq!((&held()["viewers_max"], &held()["sharing"]), (&9.into(), &"off".into()));
    assert_eq!(held()["title"], "To the point = here");
    assert_eq!(held()["embed_origins"], serde_json::json!(["https://a.example", "https://b.example"]));
    assert!(set(&["viewers_max="]).status.success());
    assert!(held()["viewers_max"].is_null());
}

#[test]
fn a_backup_is_taken_beside_a_running_server_and_never_over_a_file() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let (_program, _) = serve(path);
    assert!(run(&["channel", "add", "club", "--data", path]).status.success());
    let restored = tempfile::tempdir().unwrap();
    let copy = restored.path().join("swarmcast.db");
    let backup = ["backup", copy.to_str().unwrap(), "--data", path];
    assert!(run(&backup).status.success());
    let listed = run(&["channel", "list", "--data", restored.path().to_str().unwrap()]);
    assert!(String::from_utf8(listed.stdout).unwrap().contains("club"));
    let again = run(&backup);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not overwritten"));
}

#[test]
fn what_is_wrong_is_said_with_a_way_out() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for (arguments, advice) in [
        (["--listen", &taken, "--rtmp", "off", "--udp", "off"], "--listen"),
        (["--listen", free, "--rtmp", &taken, "--udp", "off"], "--rtmp off"),
        (["--listen", free, "--rtmp", "off", "--udp", "192.0.2.1:9"], "--udp off"),
    ] {
        let failed = run(&[&arguments[..], &["--data", path]].concat());
        let said = String::from_utf8(failed.stderr).unwrap();
        assert!(!failed.status.success() && said.contains(advice), "{said}");
    }
}

#[test]
fn a_check_says_what_will_not_work_and_ends_so() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let sound = ["check", "--data", path, "--listen", "127.0.0.1:0", "--rtmp", "off", "--udp", "off"];
    let said = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
    let fine = run(&sound);
    assert!(fine.status.success() && said(&fine).ends_with("nothing stands against a start\n"), "{fine:?}");
    let faulty = run(&[&sound[..], &["--tls-cert", "/nowhere", "--tls-key", "/nowhere"]].concat());
    assert_eq!(faulty.status.code(), Some(1));
    assert!(said(&faulty).contains("fault: tls_cert: cannot use /nowhere"), "{faulty:?}");
}

#[test]
fn every_command_that_a_manual_page_names_has_a_page_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(&["man", "--into", folder.path().to_str().unwrap()]).status.success());
    let mut named = vec!["swarmcast-tracker".to_owned()];
    let mut pages = 0;
    while let Some(name) = named.pop() {
        let page =
            std::fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap().replace("\\-", "-");
        named.extend(
            page.lines()
                .filter_map(|line| line.strip_suffix("(1)"))
                .filter(|name| !name.contains(' '))
                .map(str::to_owned),
        );
        pages += 1;
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), pages);
}

#[tokio::test]
async fn a_signal_ends_the_program_in_order() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let (mut program, address) = serve(path);
    assert!(run(&["channel", "add", "club", "--data", path]).status.success());
    let (mut viewer, _) = tokio_tungstenite::connect_async(format!("ws://{address}/session")).await.unwrap();
    viewer.send(Message::text(join("club", 2).to_text())).await.unwrap();
    let mut said = String::new();
    while let Some(Ok(Message::Text(text))) = viewer.next().await {
        if text.contains("\"welcome\"") {
            let id = program.0.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        }
        said = text.to_string();
    }
    assert!(said.contains("shutting_down"), "{said}");
    let ended = tokio::task::spawn_blocking(move || program.0.wait()).await.unwrap().unwrap();
    assert!(ended.success());
}

#[tokio::test]
async fn a_kill_loses_no_registration_that_was_acknowledged() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let (mut program, address) = serve(path);
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let registrations = (0..REGISTRATIONS).map(|number| {
        let (address, acknowledged) = (address.clone(), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            if let Some(name) = registered(&address, number).await {
                acknowledged.lock().unwrap().push(name);
            }
        })
    });
    let registrations: Vec<_> = registrations.collect();
    // In the midst of it: some are acknowledged, and others wait.
    while acknowledged.lock().unwrap().len() < REGISTRATIONS / 4 {
        tokio::task::yield_now().await;
    }
    program.0.kill().unwrap();
    program.0.wait().unwrap();
    for registration in registrations {
        registration.await.unwrap();
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!((REGISTRATIONS / 4..=REGISTRATIONS).contains(&acknowledged.len()));
    let (_program, _) = serve(path);
    let stored = String::from_utf8(run(&["channel", "list", "--data", path]).stdout).unwrap();
    for name in acknowledged {
        assert!(stored.contains(&format!("\"{name}\"")), "{name} was acknowledged, and is lost");
    }
}

/// The name that a key was given, once the server has said so; `None` if it is gone before.
async fn registered(address: &str, number: usize) -> Option<String> {
    let signer = wire::Signer::from_seed(&std::array::from_fn(|at| (number >> (8 * (at % 4))) as u8));
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/session")).await.ok()?;
    let Message::Text(hello) = socket.next().await?.ok()? else { return None };
    let FromTracker::Hello { nonce, .. } = FromTracker::parse(&hello).ok()? else { return None };
    let name = format!("channel-{number}");
    let announce = FromPeer::Announce(Announce {
        version: wire::VERSION,
        channel: signer.channel(),
        name: name.clone(),
        secret: signer.peer_secret(),
        proof: signer.announce(&nonce),
        delegation: None,
        epoch: None,
    });
    socket.send(Message::text(announce.to_text())).await.ok()?;
    let Message::Text(answer) = socket.next().await?.ok()? else { return None };
    matches!(FromTracker::parse(&answer), Ok(FromTracker::Welcome(_))).then_some(name)
}
