//! The program under load: started here, or running already; its processor time and memory as `/proc` has them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::native::cpu::process_s;

/// For a program to begin to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at a port that nobody listens on yet.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Share of a core that a server at rest uses at most.
const AT_REST: f64 = 0.02;

/// Where `make bench-tracker` installs the other tracker.
pub const AQUATIC: &str = "target/aquatic/bin/aquatic_ws";

/// A tracker under load. One that was started here ends with this value.
pub struct Server {
    /// Where sessions are opened.
    pub address: SocketAddr,
    process: u32,
    _program: Option<(Child, TempDir)>,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_s: f64,
    /// Memory of its own (`RssAnon`): heap and stacks, neither the program's file nor the kernel's socket buffers.
    pub own_bytes: f64,
}

impl Server {
    /// One that runs already.
    pub fn running(address: SocketAddr, process: u32) -> Self {
        Server { address, process, _program: None }
    }

    /// `swarmcast-tracker` on a free port of loopback, with default limits; `arguments` besides.
    pub async fn swarmcast(arguments: &[String]) -> Result<Self> {
        let program = beside("swarmcast-tracker")?;
        let folder = tempfile::tempdir()?;
        let mut command = quiet(&program);
        command.args(["--listen", "127.0.0.1:0", "--rtmp", "off", "--udp", "off"]).args(arguments);
        command.arg("--data").arg(folder.path()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| program.display().to_string())?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.context("the tracker says nothing")??;
        let line = line.context("the tracker ended at once")?;
        let address = line.strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix('/'));
        let address = address.with_context(|| format!("unexpected: {line}"))?.parse()?;
        Self::started(address, child, folder)
    }

    /// `aquatic_ws` on a free port of loopback, one socket worker and one swarm worker, as its makers advise.
    pub async fn aquatic() -> Result<Self> {
        let program = Path::new(AQUATIC);
        if !program.exists() {
            bail!("{AQUATIC} is missing: `make bench-tracker` installs it");
        }
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let config = folder.path().join("aquatic.toml");
        std::fs::write(&config, format!("log_level = \"error\"\n[network]\naddress = \"{address}\"\n"))?;
        let mut command = quiet(program);
        let child = command.arg("-c").arg(&config).spawn().context(AQUATIC)?;
        let server = Self::started(address, child, folder)?;
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).await.is_err() {
            if Instant::now() > deadline {
                bail!("{AQUATIC} does not listen");
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(server)
    }

    fn started(address: SocketAddr, child: Child, folder: TempDir) -> Result<Self> {
        let process = child.id().context("the program ended at once")?;
        Ok(Server { address, process, _program: Some((child, folder)) })
    }

    /// Waits until the server does next to nothing for `quiet`; not for ever.
    pub async fn at_rest(&self, quiet: Duration) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let before_s = self.usage().cpu_s;
            sleep(quiet).await;
            if self.usage().cpu_s - before_s < AT_REST * quiet.as_secs_f64() {
                break;
            }
        }
    }

    /// Used so far.
    pub fn usage(&self) -> Usage {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process)).unwrap_or_default();
        let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let own_kb =
            own.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|kb| kb.parse::<f64>().ok());
        Usage { cpu_s: process_s(&self.process.to_string()), own_bytes: own_kb.unwrap_or(f64::NAN) * 1024.0 }
    }
}

fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("RUST_LOG", "error").stdout(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    command
}

/// A program of the same build.
fn beside(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        bail!("{} is missing: cargo build --release -p tracker", path.display());
    }
    Ok(path)
}
