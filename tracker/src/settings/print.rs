//! The settings in force, written as a file that would set them again, with where each comes from.

use std::fmt::Write;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::{Layers, Schema, key, takes_list};

impl Schema {
    /// A TOML file of all settings in `matches`, which were parsed by a command that `layers` had filled. Secrets are
    /// not in it.
    pub fn print(&self, layers: &Layers, matches: &ArgMatches) -> String {
        let mut out = String::new();
        for arg in self.command.get_arguments() {
            let Some(key) = key(arg) else { continue };
            let id = arg.get_id().as_str();
            let origin = match (matches.value_source(id), layers.given.get(&key)) {
                (Some(ValueSource::CommandLine), _) => "command line".to_owned(),
                (_, Some(given)) => given.origin.to_string(),
                (_, None) => "default".to_owned(),
            };
            let values: Vec<_> = matches
                .get_raw(id)
                .into_iter()
                .flatten()
                .map(|value| literal(&value.to_string_lossy()))
                .collect();
            // Writing to a string does not fail.
            let _ = match values.as_slice() {
                // An empty list says something: none, in place of the default.
                [] if takes_list(arg) && layers.given.contains_key(&key) => {
                    writeln!(out, "{key} = []  # {origin}")
                }
                [] => writeln!(out, "# {key} is not set"),
                _ if arg.is_hide_env_values_set() => writeln!(out, "# {key} is set, and secret  # {origin}"),
                values if takes_list(arg) => writeln!(out, "{key} = [{}]  # {origin}", values.join(", ")),
                values => writeln!(out, "{key} = {}  # {origin}", values.join(", ")),
            };
        }
        out
    }
}

/// A value as TOML. What looks like a number or a truth value is one: read again, it becomes the same text.
fn literal(value: &str) -> String {
    let is_number = value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
    if is_number || matches!(value, "true" | "false") {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            // TOML 1.0, "Basic strings": control characters must be escaped.
            control if control.is_control() => {
                let _ = write!(text, "\\u{:04X}", u32::from(control));
            }
            plain => text.push(plain),
        }
    }
    text + "\""
}
