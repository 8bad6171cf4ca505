//! Arguments, environment and file, brought together. The only file that reads the environment.
//!
//! Arguments are read twice: once to know which file is meant, and once more with file and environment as defaults.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use tracker::settings::{Layers, Schema};
use tracker::{Config, NEED_RESTART};

use crate::commands::{Command, Serve};

/// The file's name in the data folder.
const FILE_NAME: &str = "swarmcast.toml";

/// The file that is read if there is none in the data folder: where a package puts it.
const SYSTEM_FILE: &str = "/etc/swarmcast/swarmcast.toml";

/// The variable that stands for `--config`.
const FILE_VARIABLE: &str = "SWARMCAST_CONFIG";

/// Variables that begin as those of settings do: the file's, and the uploader's.
const OTHER_VARIABLES: [&str; 2] = [FILE_VARIABLE, "SWARMCAST_TRACKER"];

const EVERY_SETTING: &str = "\
Every setting of `serve` can also stand in a TOML file, as in `relay_egress_mbps = 200`, and in the environment, as in \
SWARMCAST_RELAY_EGRESS_MBPS=200. The command line comes before the environment, and that before the file. \
`--print-config` shows what results, and where each value comes from.";

/// The swarmcast server: viewers watch live channels and pass the picture on to each other.
///
/// Without a command it serves: open the address that it prints in a browser. An encoder (OBS, ffmpeg) publishes to
/// it by RTMP with a stream key from `channel add`; a broadcaster who keeps the key runs `swarmcast-uploader`.
#[derive(Parser)]
#[command(name = "swarmcast-tracker", version, args_conflicts_with_subcommands = true,
    after_long_help = EVERY_SETTING)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
    /// File with settings; by default swarmcast.toml in the data folder, or else /etc/swarmcast/swarmcast.toml
    #[arg(long, value_name = "FILE", global = true, help_heading = "Settings")]
    config: Option<PathBuf>,
}

/// What there is to say on the command line.
pub(crate) fn description() -> clap::Command {
    CommandLine::command()
}

/// What to do, with all settings in place.
pub(crate) struct Loaded {
    pub(crate) command: Command,
    /// Prints the settings instead.
    pub(crate) print_config: bool,
    layers: Layers,
    matches: ArgMatches,
}

impl Loaded {
    /// Reads everything anew. Ends the process where arguments are wrong, or ask for help.
    pub(crate) fn from_arguments() -> anyhow::Result<Loaded> {
        let first = CommandLine::command().get_matches();
        Ok(Loaded::with(&first, gather(&first)?).unwrap_or_else(|mistake| mistake.exit()))
    }

    /// Reads the file again. What a running server cannot change stays as it is, and is logged by its name.
    pub(crate) fn again(&self) -> anyhow::Result<Loaded> {
        let mut layers = gather(&self.matches)?;
        for key in layers.differing(&self.layers) {
            if NEED_RESTART.contains(&key.as_str()) {
                tracing::warn!("`{key}` has changed, which takes effect at the next start");
                layers.pin(&key, &self.layers);
            } else {
                tracing::info!("`{key}` has changed");
            }
        }
        Ok(Loaded::with(&self.matches, layers)?)
    }

    fn with(first: &ArgMatches, layers: Layers) -> clap::error::Result<Loaded> {
        let matches = layers.fill(CommandLine::command()).try_get_matches()?;
        let line = CommandLine::from_arg_matches(&matches)?;
        let print_config =
            deepest(first).try_get_one("print_config").ok().flatten().copied().unwrap_or(false);
        let command = line.command.unwrap_or(Command::Serve(Box::new(line.serve)));
        Ok(Loaded { command, print_config, layers, matches })
    }

    /// Variables that look like settings and are none.
    pub(crate) fn doubtful_variables(&self) -> Vec<String> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let names = names.filter(|name| !OTHER_VARIABLES.contains(&name.as_str()));
        Schema::of::<Config>().doubtful_variables(names)
    }

    /// The settings in force, as a file that would set them again.
    pub(crate) fn printed(&self) -> String {
        Schema::of::<Config>().print(&self.layers, deepest(&self.matches))
    }
}

/// Reads the file that arguments, environment or place name, and the environment.
fn gather(arguments: &ArgMatches) -> anyhow::Result<Layers> {
    let path = file(deepest(arguments));
    let text = match &path {
        Some(path) => Some(std::fs::read_to_string(path).with_context(|| {
            format!("cannot read the settings in {}; name another file with --config", path.display())
        })?),
        None => None,
    };
    let file = path.as_deref().zip(text.as_deref());
    Ok(Layers::gather(&Schema::of::<Config>(), file, variable)?)
}

/// The file to read, if there is one.
fn file(arguments: &ArgMatches) -> Option<PathBuf> {
    let named = arguments.get_one::<PathBuf>("config").cloned();
    if let Some(path) = named.or_else(|| variable(FILE_VARIABLE).map(PathBuf::from)) {
        return Some(path);
    }
    let given = matches!(arguments.try_contains_id("data"), Ok(true))
        && arguments.value_source("data") == Some(ValueSource::CommandLine);
    let data = given.then(|| arguments.get_one::<PathBuf>("data").cloned()).flatten();
    let data = data.or_else(|| variable("SWARMCAST_DATA").map(PathBuf::from));
    let data = data.unwrap_or_else(|| Config::default().data);
    [data.join(FILE_NAME), PathBuf::from(SYSTEM_FILE)].into_iter().find(|path| path.exists())
}

/// An empty variable is none.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The arguments of the command that was given, as `channel add`.
fn deepest(arguments: &ArgMatches) -> &ArgMatches {
    match arguments.subcommand() {
        Some((_, inner)) => deepest(inner),
        None => arguments,
    }
}
