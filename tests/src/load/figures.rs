//! What a run prints. A figure that a mode does not measure is not there.

use serde::Serialize;

use super::speech::Dialect;

/// Figures of one run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// `idle`, `relay`, `join` or `overload`.
    pub mode: &'static str,
    /// The server under load.
    pub server: &'static str,
    /// Sessions that were open.
    pub viewers: usize,
    /// The server's own memory with all viewers less that without them, for each: `RssAnon`, so heap and stacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_viewer: Option<f64>,
    /// The same after everyone has offered and answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_viewer_after_signalling: Option<f64>,
    /// Offers and answers that arrived, for each second of the server's processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relays_per_cpu_s: Option<f64>,
    /// Sessions opened, up to the server's `hello`, for each second of its processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_per_cpu_s: Option<f64>,
    /// Viewers that opened a session, joined, were let in and matched, for each second of the server's processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joins_per_cpu_s: Option<f64>,
    /// From a viewer's join to the first neighbors that it is told, 99th percentile, as the viewer sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_p99_ms: Option<f64>,
    /// The same, median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_p50_ms: Option<f64>,
    /// Share of one core that the server uses while all viewers are silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_cpu: Option<f64>,
    /// What the mode counted besides.
    pub counts: serde_json::Map<String, serde_json::Value>,
}

impl Figures {
    /// Of a run of `mode` with nothing measured yet.
    pub fn new(mode: &'static str, dialect: Dialect, viewers: usize) -> Self {
        let server = match dialect {
            Dialect::Swarmcast => "swarmcast-tracker",
            Dialect::Webtorrent => "aquatic_ws",
        };
        Figures { mode, server, viewers, ..Figures::default() }
    }

    /// Adds a count.
    pub fn count(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        self.counts.insert(name.to_owned(), value.into());
    }
}
