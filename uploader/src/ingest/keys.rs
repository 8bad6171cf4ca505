//! Who may publish. The server asks; the tracker answers from its channels, the uploader knows one key.

use std::fmt;
use std::future::ready;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;

use subtle::ConstantTimeEq;

/// What an accepted key stands for, for example a channel. Two encoders with equal names feed the same broadcast:
/// the later one takes over.
#[derive(Clone)]
pub struct Admission {
    name: Arc<str>,
    key_number: i64,
}

/// The answer to [`Keys::admit`], to be waited for.
pub type Admitting<'a> = Pin<Box<dyn Future<Output = Option<Admission>> + Send + 'a>>;

impl Admission {
    /// `name` appears in logs: not the key.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), key_number: 0 }
    }

    /// The same, by key number `key_number` of those that stand for it.
    pub fn shown(self, key_number: i64) -> Self {
        Self { key_number, ..self }
    }

    /// The name given to [`Self::new`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number given to [`Self::shown`], 0 without.
    pub fn key_number(&self) -> i64 {
        self.key_number
    }
}

impl PartialEq for Admission {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Admission {}

impl Hash for Admission {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, formatter)
    }
}

impl fmt::Display for Admission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// Decides on stream keys.
pub trait Keys: Send + Sync + 'static {
    /// What `key` stands for, or `None` when it is wrong. Asked once for each connection, on its task: must not
    /// block. Compare with [`same_key`].
    fn admit<'a>(&'a self, key: &'a str) -> Admitting<'a>;

    /// Told of each connection that is refused, or ended for what it does. For statistics: must not block.
    fn refused(&self, _why: Refused) {}
}

/// Why a connection was refused, or ended for what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its key is not accepted.
    WrongKey,
    /// It wanted to play.
    AskedToPlay,
    /// As many connections are open as may be, in all or of its address.
    ConnectionsFull,
    /// It sent what has no honest explanation.
    Violation,
    /// It sent what the RTMP library does not take.
    Unusable,
    /// It presented no key in time.
    NothingSaid,
    /// It published, and fell silent.
    Silent,
    /// It does not read replies.
    RepliesUnread,
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
    fn admit<'a>(&'a self, key: &'a str) -> Admitting<'a> {
        Box::pin(ready((!self.key.is_empty() && same_key(&self.key, key)).then(|| self.admission.clone())))
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

    #[tokio::test]
    async fn an_empty_key_opens_nothing() {
        let keys = OneKey::new("", Admission::new("mine"));
        assert_eq!(keys.admit("").await, None);
        let keys = OneKey::new("secret", Admission::new("mine"));
        assert_eq!(keys.admit("secret").await.unwrap().name(), "mine");
        assert_eq!(keys.admit("secret ").await, None);
    }
}
