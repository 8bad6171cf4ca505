//! `native-swarm`: a whole swarm over the real transport, on a network that it makes itself, and its figures as one
//! JSON object: the counterpart of the simulator. Nothing leaves the machine.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Parser;
use tests::native::launch::{self, Places};
use tests::native::network;
use tests::swarm_setup::{NAT_MIX, SwarmSetup};

/// The exit code of a test that the system does not allow, as automake has it.
const NOT_AVAILABLE: u8 = 77;

/// A swarm of native viewers in network namespaces. Needs root, or user namespaces.
#[derive(Parser)]
struct Arguments {
    /// JSON file with parameters; the flags below go first.
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// Viewers.
    #[arg(long)]
    viewers: Option<usize>,
    /// Measured time.
    #[arg(long)]
    seconds: Option<u32>,
    /// Deals lines and losses.
    #[arg(long)]
    seed: Option<u64>,
    /// Bits of media a second.
    #[arg(long)]
    bitrate: Option<u32>,
    /// Packets lost, as a share.
    #[arg(long)]
    loss: Option<f64>,
    /// Put viewers behind NATs: 15 % symmetric, 3 % without UDP.
    #[arg(long)]
    nat: bool,
    /// Keep logs and all records in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print the parameters, and do nothing.
    #[arg(long)]
    print_parameters: bool,
    /// Used by this program itself: run inside of the network, with what lies in this folder.
    #[arg(long, hide = true, value_name = "DIR")]
    inside: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(folder) = &arguments.inside {
        return inside(folder);
    }
    let setup = setup(&arguments)?;
    if arguments.print_parameters {
        println!("{}", serde_json::to_string_pretty(&setup)?);
        return Ok(ExitCode::SUCCESS);
    }
    let temporary = tempfile::tempdir()?;
    let folder = match &arguments.keep {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            folder.canonicalize()?
        }
        None => temporary.path().to_owned(),
    };
    outside(&setup, &folder)
}

fn setup(arguments: &Arguments) -> Result<SwarmSetup> {
    let mut setup = match &arguments.parameters {
        Some(path) => serde_json::from_str(&std::fs::read_to_string(path)?)
            .with_context(|| format!("{}: not the parameters of a swarm", path.display()))?,
        None => SwarmSetup::default(),
    };
    setup.viewers = arguments.viewers.unwrap_or(setup.viewers);
    setup.seconds = arguments.seconds.unwrap_or(setup.seconds);
    setup.seed = arguments.seed.unwrap_or(setup.seed);
    setup.bitrate_bps = arguments.bitrate.unwrap_or(setup.bitrate_bps);
    setup.loss = arguments.loss.unwrap_or(setup.loss);
    if arguments.nat {
        setup.nats = NAT_MIX.into();
    }
    Ok(setup)
}

/// Makes the network and starts this program again inside of it.
fn outside(setup: &SwarmSetup, folder: &Path) -> Result<ExitCode> {
    let netlab = launch::programs()?.join("netlab");
    if !netlab.exists() {
        bail!("{} is missing: build the whole workspace first", netlab.display());
    }
    if let Err(why) = network::available(&netlab, folder) {
        eprintln!("this system does not let us make network namespaces: {why}");
        return Ok(ExitCode::from(NOT_AVAILABLE));
    }
    let scenario = folder.join("network.toml");
    std::fs::write(&scenario, network::scenario(setup))?;
    std::fs::write(folder.join("parameters.json"), serde_json::to_string_pretty(setup)?)?;
    let status = network::unshare()
        .arg(&netlab)
        .args(["up", "--quiet"])
        .arg(&scenario)
        .arg("--")
        .arg(std::env::current_exe()?)
        .arg("--inside")
        .arg(folder)
        .env("NETLAB_STATE", folder)
        .stdin(Stdio::null())
        .status()
        .context("cannot start unshare")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[tokio::main(flavor = "current_thread")]
async fn inside(folder: &Path) -> Result<ExitCode> {
    let setup: SwarmSetup = serde_json::from_str(&std::fs::read_to_string(folder.join("parameters.json"))?)?;
    let places = Places { programs: launch::programs()?, folder: folder.to_owned() };
    let (run, network) = launch::run(setup, &places).await?;
    std::fs::write(folder.join("source.json"), serde_json::to_string(&run.source)?)?;
    std::fs::write(folder.join("viewers.json"), serde_json::to_string(&run.viewers)?)?;
    std::fs::write(folder.join("netlab.json"), serde_json::to_string_pretty(&network)?)?;
    let figures = run.figures(network::summary(&network));
    println!("{}", serde_json::to_string_pretty(&figures)?);
    Ok(ExitCode::SUCCESS)
}
