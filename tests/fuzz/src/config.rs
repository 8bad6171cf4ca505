//! The configuration file of the server.

use std::path::Path;
use std::sync::LazyLock;

use clap::{Args, Command, FromArgMatches};
use tracker::Config;
use tracker::settings::{Layers, Mistakes, Schema};

const PATH: &str = "swarmcast.toml";

static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<Config>);

/// The input is the file.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match settings(text) {
        Err(Mistakes(mistakes)) => {
            assert!(!mistakes.is_empty());
            mistakes
                .iter()
                .for_each(|mistake| assert!(mistake.starts_with("swarmcast.toml, line "), "{mistake}"));
        }
        Ok(printed) => {
            let again = settings(&printed).expect("what is printed is a file");
            assert_eq!(without_origins(&again), without_origins(&printed), "and sets the same again");
        }
    }
}

/// The settings that result, as `--print-config` shows them.
fn settings(file: &str) -> Result<String, Mistakes> {
    let layers = Layers::gather(&SCHEMA, Some((Path::new(PATH), file)), |_| None)?;
    let command = layers.fill(Config::augment_args(Command::new("test").no_binary_name(true)));
    let matches = command.try_get_matches_from([""; 0]).expect("values were checked one by one");
    Config::from_arg_matches(&matches).expect("and so were all together");
    Ok(SCHEMA.print(&layers, &matches))
}

fn without_origins(text: &str) -> Vec<&str> {
    // Secrets are not shown, so the second time they are not set.
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once("  # ").map_or(line, |(setting, _)| setting)).collect()
}
