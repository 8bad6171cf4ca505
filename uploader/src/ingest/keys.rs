//! Who may publish. The server asks; the tracker answers from its channels, the uploader knows one key.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

/// What an accepted key stands for, for example a channel. Two encoders with equal admissions feed the same
/// broadcast: the later one takes over.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Admission(Arc<str>);

impl Admission {
    /// `name` appears in logs: not the key.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name given to [`Self::new`].
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for Admission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Decides on stream keys.
pub trait Keys: Send + Sync + 'static {
    /// What `key` stands for, or `None` when it is wrong. Called once for each connection, on its task: must not
    /// block. Compare with [`same_key`].
    fn admit(&self, key: &str) -> Option<Admission>;
}

/// A single accepted key.
pub struct OneKey {
    key: String,
    admission: Admission,
}

impl OneKey {
    /// Accepts `key` as `admission`. An empty key is never accepted.
    pub fn new(key: impl Into<String>, admission: Admission) -> Self {
        Self { key: key.into(), admission }
    }
}

impl Keys for OneKey {
    fn admit(&self, key: &str) -> Option<Admission> {
        (!self.key.is_empty() && same_key(&self.key, key)).then(|| self.admission.clone())
    }
}

/// Whether two keys are equal, in a time that tells their lengths and nothing else.
pub fn same_key(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// The key in what the encoder was told: `rtmp://host/APP` with the key as stream name, or
/// `rtmp://host/APP/KEY` with any stream name or none. Parameters after a `?` are not part of it.
pub(crate) fn key_of<'a>(expected_app: &str, app: &'a str, stream_name: &'a str) -> Option<&'a str> {
    let in_path = app.trim_matches('/').strip_prefix(expected_app)?;
    let key = match in_path.strip_prefix('/') {
        Some(key) => key,
        None if in_path.is_empty() || in_path.starts_with('?') => stream_name,
        None => return None,
    };
    let key = key.split('?').next().unwrap_or_default().trim_matches('/');
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_address_carry_the_key() {
        assert_eq!(key_of("live", "live", "KEY"), Some("KEY"));
        assert_eq!(key_of("live", "live/", "KEY?x=1"), Some("KEY"));
        assert_eq!(key_of("live", "live/KEY", ""), Some("KEY"));
        assert_eq!(key_of("live", "live/KEY", "anything"), Some("KEY"));
        assert_eq!(key_of("live", "live?x=1", "KEY"), Some("KEY"));
        assert_eq!(key_of("live", "live", ""), None);
        assert_eq!(key_of("live", "livery", "KEY"), None);
        assert_eq!(key_of("live", "app", "KEY"), None);
    }

    #[test]
    fn an_empty_key_opens_nothing() {
        let keys = OneKey::new("", Admission::new("mine"));
        assert_eq!(keys.admit(""), None);
        let keys = OneKey::new("secret", Admission::new("mine"));
        assert_eq!(keys.admit("secret").unwrap().name(), "mine");
        assert_eq!(keys.admit("secret "), None);
    }
}
