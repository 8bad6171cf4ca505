//! Starts the processes of a native swarm in their hosts, waits for the end of the window, and collects their records.
//! Runs inside of netlab's namespaces.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::cpu::{MachineTime, process_s};
use super::figures::Run;
use super::network::TRACKER_PORT;
use super::record::{SourceRecord, ViewerRecord};
use super::window::{Window, sleep_until_ms, unix_us};
use crate::swarm_setup::{HostRole, HostSetup, NatKind, SwarmSetup};

/// For a program to say its first word: far more than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// From the source's first chunk to the first viewer, in milliseconds: a segment and some, so that there is something
/// to join.
const HEAD_START_MS: u64 = 2_500;

/// The channel's name.
const CHANNEL: &str = "native";

/// Where the programs are, and where what they leave goes.
pub struct Places {
    /// Folder of the built programs.
    pub programs: PathBuf,
    /// Folder for logs and the tracker's data.
    pub folder: PathBuf,
}

/// A program in a host.
struct Program {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// The whole run; netlab's own statistics with it.
pub async fn run(setup: SwarmSetup, places: &Places) -> Result<(Run, Value)> {
    let hosts = setup.hosts();
    let (tracker, mut tracker_program) = start_tracker(&hosts, places).await?;
    // The window is told to the source before it is known how long the source takes to begin: some seconds are left.
    let first_viewer_ms = unix_us() / 1000 + HEAD_START_MS;
    let window = window(&setup, first_viewer_ms);
    let mut source = start_source(&setup, &hosts, places, &tracker, window)?;
    source.line().await.context("the source did not begin")?;
    let viewers = start_viewers(&setup, &hosts, places, &tracker, window, first_viewer_ms);
    let (viewers, measured) = tokio::join!(viewers, measure(window, tracker_program.child.id()));
    let viewers = collect(viewers?).await?;
    let source: SourceRecord = source.record().await?;
    let network = netlab_stats().await?;
    // What it says after this is of no interest.
    let _ = tracker_program.child.kill().await;
    let (machine, tracker_cpu_s) = measured;
    Ok((Run { setup, window, source, viewers, machine, tracker_cpu_s }, network))
}

fn window(setup: &SwarmSetup, first_viewer_ms: u64) -> Window {
    let from_ms = first_viewer_ms + u64::from(setup.arrivals_s + setup.settling_s) * 1000;
    Window { from_ms, until_ms: from_ms + u64::from(setup.seconds) * 1000 }
}

async fn measure(window: Window, tracker: Option<u32>) -> ((MachineTime, MachineTime), f64) {
    let tracker_s = || tracker.map_or(0.0, |id| process_s(&id.to_string()));
    sleep_until_ms(window.from_ms).await;
    let (from, tracker_from_s) = (MachineTime::now(), tracker_s());
    sleep_until_ms(window.until_ms).await;
    ((from, MachineTime::now()), tracker_s() - tracker_from_s)
}

/// Its address, and the program.
async fn start_tracker(hosts: &[HostSetup], places: &Places) -> Result<(String, Program)> {
    let host = hosts.iter().find(|host| host.role == HostRole::Tracker).context("no tracker in the setup")?;
    let data = places.folder.join("data");
    let mut program = Program::start(&host.name, places, "swarmcast-tracker", |command| {
        command.args(["--listen", &format!("0.0.0.0:{TRACKER_PORT}"), "--rtmp", "off", "--udp", "off"]);
        command.args(["--registration", "open"]).arg("--data").arg(data);
    })?;
    program.line().await.context("the tracker did not begin")?;
    Ok((format!("http://{}:{TRACKER_PORT}", address(&host.name)?), program))
}

fn start_source(
    setup: &SwarmSetup,
    hosts: &[HostSetup],
    places: &Places,
    tracker: &str,
    window: Window,
) -> Result<Program> {
    let host = hosts.iter().find(|host| host.role == HostRole::Source).context("no source in the setup")?;
    Program::start(&host.name, places, "synthetic-source", |command| {
        command.args(["--tracker", tracker, "--name", CHANNEL, "--seed", &setup.seed.to_string()]);
        command.args(["--bitrate", &setup.bitrate_bps.to_string()]);
        window_arguments(command, window);
    })
}

/// One after the other, each at its time.
async fn start_viewers(
    setup: &SwarmSetup,
    hosts: &[HostSetup],
    places: &Places,
    tracker: &str,
    window: Window,
    first_viewer_ms: u64,
) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    let apart_ms = u64::from(setup.arrivals_s) * 1000 / setup.viewers.saturating_sub(1).max(1) as u64;
    for host in hosts.iter().filter(|host| host.role == HostRole::Viewer) {
        sleep_until_ms(first_viewer_ms + apart_ms * programs.len() as u64).await;
        let public = address(&host.name)?;
        programs.push(Program::start(&host.name, places, "headless-viewer", |command| {
            command.args(["--tracker", tracker, "--channel", CHANNEL]);
            command.args(["--upload-cap", &host.upload_cap_times.to_string()]);
            command.args(["--bitrate", &setup.bitrate_bps.to_string()]);
            if host.nat != NatKind::None {
                command.args(["--announce", &public]);
            }
            window_arguments(command, window);
        })?);
    }
    Ok(programs)
}

fn window_arguments(command: &mut Command, window: Window) {
    command.args(["--from-ms", &window.from_ms.to_string(), "--until-ms", &window.until_ms.to_string()]);
}

async fn collect(programs: Vec<Program>) -> Result<Vec<ViewerRecord>> {
    let mut records = Vec::new();
    for program in programs {
        records.push(program.record().await?);
    }
    Ok(records)
}

impl Program {
    fn start(
        host: &str,
        places: &Places,
        program: &str,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<Program> {
        let log = std::fs::File::create(places.folder.join(format!("{host}.log")))?;
        let mut command = Command::new(netlab()?);
        command.args(["exec", host]).arg(places.programs.join(program));
        arguments(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let stdout = child.stdout.take().context("no standard output")?;
        Ok(Program { name: host.to_owned(), child, lines: BufReader::new(stdout).lines() })
    }

    /// Its next line, soon.
    async fn line(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.with_context(|| format!("{} says nothing", self.name))??;
        line.with_context(|| format!("{} has ended; see its log", self.name))
    }

    /// Its last words: it writes them when the window is over.
    async fn record<T: DeserializeOwned>(mut self) -> Result<T> {
        let Some(line) = self.lines.next_line().await? else {
            bail!("{} has ended without a record; see its log", self.name);
        };
        serde_json::from_str(&line).with_context(|| format!("{} wrote no record: {line:.200}", self.name))
    }
}

fn netlab() -> Result<PathBuf> {
    Ok(PathBuf::from(std::env::var_os("NETLAB").context("not inside of netlab")?))
}

/// The public address of a host.
fn address(host: &str) -> Result<String> {
    std::env::var(format!("NETLAB_IP_{host}")).with_context(|| format!("netlab has no host {host}"))
}

async fn netlab_stats() -> Result<Value> {
    let output = Command::new(netlab()?).arg("stats").output().await?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The folder of this program, where its companions are as well.
pub fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.parent().map(Path::to_owned).context("this program is nowhere")
}
