//! The configuration file: `key = value` lines of TOML, without sections.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{Mistakes, Origin};

/// One `key = value` of the file.
pub(super) struct Entry {
    pub(super) key: String,
    /// As text, as a command line would have it; or why it cannot be.
    pub(super) values: Result<Vec<String>, String>,
    pub(super) origin: Origin,
}

/// All entries of a file, in its order.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Entry>, Mistakes> {
    let at = |start: usize| {
        let before = text.as_bytes().get(..start).unwrap_or_default();
        Origin::File(path.to_owned(), before.iter().filter(|&&byte| byte == b'\n').count() + 1)
    };
    let table = DeTable::parse(text).map_err(|error| {
        let place = at(error.span().map_or(0, |span| span.start));
        Mistakes(vec![format!(
            "{place}: {}; write lines such as: listen = \"0.0.0.0:8080\"",
            error.message()
        )])
    })?;
    let mut entries: Vec<_> = table.into_inner().into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entries = entries.into_iter().map(|(key, value)| {
        let origin = at(key.span().start);
        let key = key.into_inner().into_owned();
        let values = values(&key, value.get_ref());
        Entry { key, values, origin }
    });
    Ok(entries.collect())
}

fn values(key: &str, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match value {
        DeValue::Array(list) => list.iter().map(|value| text(key, value.get_ref())).collect(),
        DeValue::Table(_) => Err(format!("`{key}` cannot be a section: all settings are lines of their own")),
        single => Ok(vec![text(key, single)?]),
    }
}

fn text(key: &str, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map(|number| number.to_string())
            .map_err(|_| format!("`{key}`: {integer} is too large a number")),
        DeValue::Float(float) => Ok(float.to_string()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Err(format!("`{key}` takes text, a number, or true or false"))
        }
    }
}
