//! Where the value of a setting comes from: the command line before the environment, that before the file, that before
//! the default. The one file that names the TOML parser.
//!
//! Which settings there are is read off a `clap::Args`: `--relay-egress-mbps` is `relay_egress_mbps` in the file and
//! `SWARMCAST_RELAY_EGRESS_MBPS` in the environment. File and environment become defaults of the command line, so that
//! every value is read by the same code, wherever it stands.

mod file;
mod print;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::builder::OsStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Args, Command};

/// What the names of all variables begin with.
const VARIABLE_PREFIX: &str = "SWARMCAST_";

/// How alike a key and a setting must be for one to be suggested for the other (Jaro-Winkler, 0 to 1). 0.8: a letter
/// or two.
const ALIKE_MIN: f64 = 0.8;

/// The settings that there are.
pub struct Schema {
    command: Command,
}

/// What file and environment say, checked value by value.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    given: BTreeMap<String, Given>,
}

#[derive(Debug, Clone)]
struct Given {
    values: Vec<String>,
    origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file, counted from 1.
    File(PathBuf, usize),
    /// A variable of the environment.
    Environment(String),
}

/// What is wrong in the file or in the environment: all of it, each with what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Origin::Environment(variable) => write!(f, "environment, {variable}"),
        }
    }
}

impl Schema {
    /// The settings that `A` declares.
    pub fn of<A: Args>() -> Schema {
        let command = A::augment_args(Command::new("settings").no_binary_name(true));
        Schema { command: command.disable_help_flag(true).disable_version_flag(true) }
    }

    /// Their keys, in the order of their declaration.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.command.get_arguments().filter_map(key)
    }

    /// What is to be said of variables that look like settings and are none: a misspelt one would do nothing.
    pub fn doubtful_variables(&self, names: impl Iterator<Item = String>) -> Vec<String> {
        let doubtful = names.filter_map(|name| {
            let wanted = name.strip_prefix(VARIABLE_PREFIX)?.to_lowercase();
            self.find(&wanted).is_none().then(|| format!("{name} has no effect: {}", self.unknown(&wanted)))
        });
        doubtful.collect()
    }

    fn find(&self, wanted: &str) -> Option<&Arg> {
        self.command.get_arguments().find(|arg| key(arg).is_some_and(|key| key == wanted))
    }

    fn unknown(&self, wanted: &str) -> String {
        let near = self
            .keys()
            .map(|key| (strsim::jaro_winkler(&key, wanted), key))
            .max_by(|(one, _), (other, _)| one.total_cmp(other));
        match near {
            Some((alike, key)) if alike >= ALIKE_MIN => {
                format!("there is no setting `{wanted}`; did you mean `{key}`?")
            }
            _ => format!("there is no setting `{wanted}`; --help lists those that there are"),
        }
    }

    /// Whether these values can be used, by the setting's own reading; if not, what to write.
    fn check(&self, key: &str, values: &[String]) -> Result<(), String> {
        let Some(arg) = self.find(key) else { return Err(self.unknown(key)) };
        if values.len() > 1 && !takes_list(arg) {
            return Err(format!("`{key}` takes one value, not a list"));
        }
        let words = values.iter().map(|value| format!("--{}={value}", key.replace('_', "-")));
        let probe = Command::new("value").no_binary_name(true).arg(arg.clone());
        let refused = |error: clap::Error| match arg.is_hide_env_values_set() {
            true => format!("`{key}` cannot be this (it is not shown): {}", advice(&error, arg)),
            false => format!("`{key}` cannot be \"{}\": {}", values.join(","), advice(&error, arg)),
        };
        probe.try_get_matches_from(words).map(drop).map_err(refused)
    }
}

/// What to write instead.
fn advice(error: &clap::Error, arg: &Arg) -> String {
    use std::error::Error;
    if let Some(ContextValue::Strings(possible)) = error.get(ContextKind::ValidValue)
        && !possible.is_empty()
    {
        return format!("write {}", possible.join(" or "));
    }
    match (error.source(), arg.get_value_names().and_then(|names| names.first())) {
        (Some(source), _) => source.to_string(),
        (None, Some(name)) => format!("write {name}"),
        (None, None) => "write a value".to_owned(),
    }
}

impl Layers {
    /// Reads the file, if there is one, and the environment by `variable`.
    pub fn gather(
        schema: &Schema,
        file: Option<(&Path, &str)>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Layers, Mistakes> {
        let (mut layers, mut mistakes) = (Layers::default(), Vec::new());
        if let Some((path, text)) = file {
            for entry in file::read(path, text)? {
                let checked = entry.values.and_then(|values| {
                    schema.check(&entry.key, &values)?;
                    Ok(Given { values, origin: entry.origin.clone() })
                });
                match checked {
                    Ok(given) => drop(layers.given.insert(entry.key, given)),
                    Err(mistake) => mistakes.push(format!("{}: {mistake}", entry.origin)),
                }
            }
        }
        for key in schema.keys() {
            let name = variable_name(&key);
            match from_variable(schema, &key, variable(&name)) {
                Ok(Some(values)) => {
                    let origin = Origin::Environment(name);
                    layers.given.insert(key, Given { values, origin });
                }
                Ok(None) => {}
                Err(mistake) => mistakes.push(format!("{name}: {mistake}")),
            }
        }
        if mistakes.is_empty() { Ok(layers) } else { Err(Mistakes(mistakes)) }
    }

    /// Makes what was gathered the defaults of `command` and of its subcommands.
    pub fn fill(&self, command: Command) -> Command {
        let filled = command.mut_args(|arg| {
            let given = key(&arg).and_then(|key| self.given.get(&key));
            match given {
                Some(given) => arg.default_values(given.values.iter().map(OsStr::from)),
                None => arg,
            }
        });
        filled.mut_subcommands(|subcommand| self.fill(subcommand))
    }

    /// Says something else about `key` than was gathered, or nothing.
    pub fn pin(&mut self, key: &str, like: &Layers) {
        match like.given.get(key) {
            Some(given) => drop(self.given.insert(key.to_owned(), given.clone())),
            None => drop(self.given.remove(key)),
        }
    }

    /// Keys of which these say something else than `other`.
    pub fn differing(&self, other: &Layers) -> Vec<String> {
        let says = |layers: &Layers, key: &str| layers.given.get(key).map(|given| given.values.clone());
        let mut keys: Vec<_> = self.given.keys().chain(other.given.keys()).cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| says(self, key) != says(other, key));
        keys
    }
}

/// An empty variable is none: that is how a container is told that a setting is not set.
fn from_variable(schema: &Schema, key: &str, value: Option<OsString>) -> Result<Option<Vec<String>>, String> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let value = value.into_string().map_err(|_| format!("`{key}` is not UTF-8"))?;
    schema.check(key, std::slice::from_ref(&value))?;
    Ok(Some(vec![value]))
}

/// The variable of the environment that gives the setting `key`.
fn variable_name(key: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", key.to_uppercase())
}

fn key(arg: &Arg) -> Option<String> {
    Some(arg.get_long()?.replace('-', "_"))
}

fn takes_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

#[cfg(test)]
mod tests;
