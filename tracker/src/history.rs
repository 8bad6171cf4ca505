//! The last hour in figures, for charts: a sample every ten seconds, bounded, in memory only.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use swarm::Received;

use crate::machine;
use crate::shell::Shell;

/// Time between samples: what happens within it is still seen as it happens, and an idle server stays idle.
pub(crate) const SAMPLE_EVERY: Duration = Duration::from_secs(10);

/// Samples that are kept: an hour.
const SAMPLES_MAX: usize = 360;

/// Samples over which a channel's offload is taken: a minute.
const MINUTE: usize = 6;

/// The server at one moment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    /// Unix time in milliseconds.
    pub(crate) time_ms: u64,
    pub(crate) viewers: u64,
    pub(crate) sessions: u64,
    /// Bits a second that the relay has sent since the last sample.
    pub(crate) relay_bps: u64,
    /// Bits a second that viewers got from each other since the last sample.
    pub(crate) viewers_bps: u64,
    /// Share of bytes that came from viewers since the last sample; `None` if there were none.
    pub(crate) offload: Option<f64>,
    /// Refusals since the last sample.
    pub(crate) refusals: u64,
}

/// The samples of the last hour.
#[derive(Debug, Default)]
pub(crate) struct History {
    samples: Mutex<VecDeque<Sample>>,
}

impl History {
    /// Oldest first.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn push(&self, sample: Sample) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(sample);
    }
}

/// Takes samples until dropped.
pub(crate) async fn run(shell: Arc<Shell>) {
    let mut sampler = Sampler::default();
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    loop {
        ticks.tick().await;
        shell.history.push(sampler.sample(&shell));
    }
}

/// Makes rates of counters.
#[derive(Debug, Default)]
struct Sampler {
    relay_bytes: u64,
    received: Received,
    refusals: u64,
    /// What was received at the samples of the last minute, by channel.
    minutes: HashMap<String, VecDeque<Received>>,
}

impl Sampler {
    fn sample(&mut self, shell: &Shell) -> Sample {
        let (mut viewers, mut relay_bytes, mut received) = (0, 0, Received::default());
        let all = shell.metrics.channels.all();
        self.minutes.retain(|name, _| all.iter().any(|figures| figures.name() == name));
        for figures in &all {
            viewers += figures.viewers.now();
            relay_bytes += figures.relay_bytes.total();
            let now = figures.received();
            received = received.plus(now);
            let minute = self.minutes.entry(figures.name().to_owned()).or_default();
            figures.note_minute(now.since(minute.front().copied().unwrap_or_default()));
            minute.push_back(now);
            if minute.len() > MINUTE {
                minute.pop_front();
            }
        }
        let refusals = shell.metrics.refusals();
        let step = received.since(self.received);
        let per_second = |bytes: u64| bytes * 8 / SAMPLE_EVERY.as_secs();
        let sample = Sample {
            time_ms: machine::unix_ms(),
            viewers,
            sessions: shell.sessions_open() as u64,
            relay_bps: per_second(relay_bytes.saturating_sub(self.relay_bytes)),
            viewers_bps: per_second(step.viewers),
            offload: (step.all() > 0).then(|| step.offload()),
            refusals: refusals.saturating_sub(self.refusals),
        };
        (self.relay_bytes, self.received, self.refusals) = (relay_bytes, received, refusals);
        sample
    }
}
