//! The program with a file of settings: what it prints, what it refuses, and what it takes from a changed one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;

use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

use crate::support::{PATIENCE, within};

const PROGRAM: &str = env!("CARGO_BIN_EXE_swarmcast-tracker");

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).envs(environment.iter().copied()).output().unwrap()
}

/// A running program; ends with the test.
pub struct Running {
    pub child: Child,
    pub address: String,
    log: mpsc::Receiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub fn start(data: &Path) -> Running {
        let mut command = Command::new(PROGRAM);
        command.arg("--data").arg(data).env_remove("RUST_LOG").env("NO_COLOR", "1");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, address) = line.trim().trim_end_matches('/').split_once("://").unwrap();
        let address = address.to_owned();
        let (lines, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
        });
        Running { child, address, log }
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Sends SIGHUP, and returns what is logged until `last` is.
    pub fn hang_up(&mut self, last: &str) -> String {
        self.signal("-HUP");
        self.logged(last)
    }

    /// What is logged until `last` is.
    pub fn logged(&mut self, last: &str) -> String {
        let mut logged = String::new();
        while !logged.contains(last) {
            let line = self.log.recv_timeout(PATIENCE);
            logged += &line.unwrap_or_else(|_| panic!("no {last:?} in\n{logged}"));
            logged.push('\n');
        }
        logged
    }

    fn session_address(&self) -> String {
        format!("ws://{}/session", self.address)
    }
}

#[test]
fn the_settings_in_force_are_printed_with_their_origin() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    std::fs::write(data.path().join("swarmcast.toml"), "\nudp = \"off\"\nsessions_max = 5\n").unwrap();
    let printed = run(&["--data", path, "--print-config"], &[("SWARMCAST_SESSIONS_MAX", "6")]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    for line in [
        format!("udp = \"off\"  # {path}/swarmcast.toml, line 2"),
        "sessions_max = 6  # environment, SWARMCAST_SESSIONS_MAX".to_owned(),
        format!("data = \"{path}\"  # command line"),
        "listen = \"127.0.0.1:8080\"  # default".to_owned(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "no {line:?} in\n{printed}");
    }
    let file = data.path().join("again.toml");
    std::fs::write(&file, &printed).unwrap();
    let again = run(&["serve", "--config", file.to_str().unwrap(), "--print-config"], &[]);
    assert!(String::from_utf8(again.stdout).unwrap().contains(&format!("data = \"{path}\"  # ")));
}

#[test]
fn a_file_with_mistakes_starts_nothing_and_no_command() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("other.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:0\"\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [&["--config", file][..], &["channel", "list", "--config", file]] {
        let refused = run(arguments, &[]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success());
        assert!(
            said.contains("other.toml, line 1: there is no setting `lisen`; did you mean `listen`?"),
            "{said}"
        );
    }
    let missing = run(&["--config", "/nowhere/swarmcast.toml"], &[]);
    assert!(String::from_utf8(missing.stderr).unwrap().contains("name another file with --config"));
}

#[test]
fn other_commands_find_the_data_folder_in_the_file() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("other.toml");
    std::fs::write(&file, format!("data = \"{}/inner\"\n", data.path().display())).unwrap();
    assert!(run(&["channel", "add", "club", "--config", file.to_str().unwrap()], &[]).status.success());
    let listed = run(&["channel", "list"], &[("SWARMCAST_CONFIG", file.to_str().unwrap())]);
    assert!(String::from_utf8(listed.stdout).unwrap().contains("\"club\""));
}

#[tokio::test]
async fn a_hang_up_changes_settings_and_ends_no_session() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("swarmcast.toml");
    let write = |settings: &str| {
        let ports = "listen = \"127.0.0.1:0\"\nrtmp = \"off\"\nudp = \"off\"\n";
        std::fs::write(&file, format!("{ports}{settings}")).unwrap();
    };
    write("sessions_on_loopback = 1\n");
    let mut server = Running::start(data.path());
    let (mut first, _) = within(connect_async(server.session_address())).await.unwrap();
    let refused = within(connect_async(server.session_address())).await.unwrap_err();
    assert!(matches!(refused, Error::Http(answer) if answer.status() == 429));

    write("sessions_on_loopback = 2\nsessions_max = 9\n");
    let logged = server.hang_up("settings were read again");
    assert!(logged.contains("`sessions_on_loopback` has changed"), "{logged}");
    assert!(logged.contains("`sessions_max` has changed, which takes effect at the next start"), "{logged}");
    within(connect_async(server.session_address())).await.unwrap();

    write("sessions_on_loopback = 2\nsesions_max = 9\n");
    let logged = server.hang_up("settings stay as they are");
    assert!(logged.contains("did you mean `sessions_max`?"), "{logged}");
    within(connect_async(server.session_address())).await.unwrap();

    // The first session is still there: it answers.
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    within(first.send(Message::Ping("?".into()))).await.unwrap();
    while !matches!(within(first.next()).await, Some(Ok(Message::Pong(_)))) {}
}
