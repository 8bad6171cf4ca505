//! What a monitor reads of the server: counters and gauges, in the words of OpenMetrics. The one file that names
//! prometheus-client.
//!
//! Counting is an addition to an atomic number: no lock, and nothing for each session. Everything else happens when
//! somebody asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::figures::{ChannelFigures, Channels};
use crate::firewall::Firewall;
use crate::refusals::{Door, Reason};

/// `Content-Type` of what [`Metrics::text`] writes.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper edges of the buckets for the time from a join to the first neighbors, in microseconds: half a millisecond,
/// where an idle server is, to 2.5 s, where a viewer notices; 20 and 50 ms are what the server is held against.
const MATCH_EDGES_US: [u64; 11] =
    [500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000];

/// Every counter of the server.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Figures by channel.
    pub(crate) channels: Channels,
    /// Sessions that were opened.
    pub(crate) sessions: Count,
    /// Viewers that were let in.
    pub(crate) viewers: Count,
    /// Broadcasters that were let in.
    pub(crate) sources: Count,
    /// Broadcasts that began.
    pub(crate) started: Count,
    /// Lines that chats have passed on.
    pub(crate) chat_lines: Count,
    /// Webhooks that were taken.
    pub(crate) hooks_delivered: Count,
    /// Attempts to deliver one that failed.
    pub(crate) hooks_failed: Count,
    /// Webhooks that were given up.
    pub(crate) hooks_dropped: Count,
    matched: Matched,
    refusals: [[Count; Reason::ALL.len()]; Door::ALL.len()],
}

/// What is known only at the moment of asking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Present {
    /// Sessions that are open.
    pub(crate) sessions: usize,
    /// Sessions that may be open.
    pub(crate) sessions_max: usize,
    /// Time since the start.
    pub(crate) uptime: Duration,
    /// Whether the server takes viewers.
    pub(crate) ready: bool,
    /// Connections to chats.
    pub(crate) chat_visits: u64,
    /// The STUN server, if there is one.
    pub(crate) stun: Option<Stun>,
}

/// The STUN server at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stun {
    /// Questions by what became of them.
    questions: [(&'static str, u64); 3],
    /// Whether something keeps strangers' questions back.
    blocked: bool,
}

impl Stun {
    /// As the server knows it now.
    pub(crate) fn of(firewall: &Firewall) -> Self {
        let tally = firewall.tally();
        let questions =
            [("answered", tally.answered()), ("too_many", tally.too_many()), ("garbage", tally.garbage())];
        Stun { questions, blocked: firewall.blocks() }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    /// So many more.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How long viewers waited for their first neighbors.
#[derive(Debug, Default)]
struct Matched {
    /// By bucket; the last has no upper edge.
    buckets: [Count; MATCH_EDGES_US.len() + 1],
    sum_us: Count,
}

impl Metrics {
    /// All zero. At most `named_max` channels have figures of their own, see [`Channels`].
    pub(crate) fn new(named_max: usize) -> Self {
        Metrics {
            channels: Channels::new(named_max),
            sessions: Count::default(),
            viewers: Count::default(),
            sources: Count::default(),
            started: Count::default(),
            chat_lines: Count::default(),
            hooks_delivered: Count::default(),
            hooks_failed: Count::default(),
            hooks_dropped: Count::default(),
            matched: Matched::default(),
            refusals: std::array::from_fn(|_| std::array::from_fn(|_| Count::default())),
        }
    }

    /// Somebody was refused.
    pub(crate) fn refused(&self, door: Door, reason: Reason) {
        self.refusals[door as usize][reason as usize].add_one();
    }

    /// Who was refused so far: door, reason and number.
    pub(crate) fn refused_by_reason(&self) -> Vec<(&'static str, &'static str, u64)> {
        let counted = Door::ALL.iter().flat_map(|door| {
            let counts = Reason::ALL.iter().zip(&self.refusals[*door as usize]);
            counts.map(|(reason, count)| (door.name(), reason.name(), count.total()))
        });
        counted.filter(|(.., count)| *count > 0).collect()
    }

    /// So many were refused, at all doors.
    pub(crate) fn refusals(&self) -> u64 {
        self.refusals.iter().flatten().map(Count::total).sum()
    }

    /// A viewer was told its first neighbors, so long after it asked.
    pub(crate) fn matched(&self, after: Duration) {
        let us = after.as_micros() as u64;
        let bucket = MATCH_EDGES_US.iter().position(|edge| us <= *edge).unwrap_or(MATCH_EDGES_US.len());
        self.matched.buckets[bucket].add_one();
        self.matched.sum_us.add(us);
    }

    /// Everything, as OpenMetrics text.
    pub(crate) fn text(self: &Arc<Self>, present: Present) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("swarmcast");
        registry.register_collector(Box::new(Reading { metrics: Arc::clone(self), present }));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// The metrics at one moment.
#[derive(Debug)]
struct Reading {
    metrics: Arc<Metrics>,
    present: Present,
}

impl Collector for Reading {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Page(encoder);
        self.server(&mut page)?;
        self.refusals(&mut page)?;
        self.channels(&mut page)
    }
}

impl Reading {
    fn server(&self, page: &mut Page) -> fmt::Result {
        let Reading { metrics, present } = self;
        let build =
            [("version", env!("CARGO_PKG_VERSION").to_owned()), ("protocol", wire::VERSION.to_string())];
        page.gauges("build_info", "The running program: always 1", [(build, 1.0)])?;
        page.gauge("uptime_seconds", "Time since the start", present.uptime.as_secs_f64())?;
        page.gauge("ready", "1 while the server takes viewers, see /readyz", f64::from(present.ready))?;
        page.gauge("sessions", "Open sessions", present.sessions as f64)?;
        page.gauge("sessions_limit", "Sessions that may be open", present.sessions_max as f64)?;
        page.gauge("chat_visits", "Open connections to chats", present.chat_visits as f64)?;
        page.counter("chat_lines", "Lines passed on in chats", &metrics.chat_lines)?;
        page.counter("sessions_opened", "Sessions opened", &metrics.sessions)?;
        let joins = [("viewer", &metrics.viewers), ("source", &metrics.sources)];
        let joins = joins.map(|(role, count)| ([("role", role)], count.total()));
        page.counters("joins", "Members let into a channel", joins)?;
        page.counter("broadcasts_started", "Broadcasts that began", &metrics.started)?;
        let hooks = [
            ("delivered", &metrics.hooks_delivered),
            ("failed", &metrics.hooks_failed),
            ("dropped", &metrics.hooks_dropped),
        ];
        let hooks = hooks.map(|(outcome, count)| ([("outcome", outcome)], count.total()));
        page.counters("webhooks", "Webhooks delivered, attempts that failed, webhooks given up", hooks)?;
        if let Some(stun) = present.stun {
            let questions = stun.questions.map(|(outcome, count)| ([("outcome", outcome)], count));
            page.counters("stun_questions", "Datagrams at the STUN port, by what became of them", questions)?;
            let help = "1 while viewers elsewhere are to make links, and none of their questions arrives";
            page.gauge("stun_blocked", help, f64::from(stun.blocked))?;
        }
        page.matched(&metrics.matched)
    }

    fn refusals(&self, page: &mut Page) -> fmt::Result {
        let refused = self.metrics.refused_by_reason().into_iter();
        let refused = refused.map(|(door, reason, count)| ([("door", door), ("reason", reason)], count));
        page.counters("refusals", "Refusals, by door and reason", refused)
    }

    fn channels(&self, page: &mut Page) -> fmt::Result {
        let all = self.metrics.channels.all();
        let gauges: [(&str, &str, Read); 8] = [
            ("channel_live", "1 while a broadcast is under way", |of| of.live.now() as f64),
            ("channel_viewers", "Viewers", |of| of.viewers.now() as f64),
            ("channel_sharing", "Viewers that pass the broadcast on", |of| of.sharing.now() as f64),
            ("channel_offload_ratio", "Bytes from viewers / all bytes that viewers got, last minute", |of| {
                of.offload()
            }),
            ("ingest_encoders", "Encoders that publish", |of| of.encoders.now() as f64),
            ("ingest_bitrate_bps", "What the encoder sends, bits a second", |of| of.bitrate_bps.now() as f64),
            ("ingest_keyframe_interval_seconds", "Time between its latest keyframes", |of| {
                of.keyframe_interval_ms.now() as f64 / 1e3
            }),
            ("ingest_connected", "Hosted broadcasts with a session of their own", |of| {
                of.connected.now() as f64
            }),
        ];
        for (name, help, read) in gauges {
            let rows = all.iter().map(|of| ([("channel", of.name())], read(of)));
            page.gauges(name, help, rows)?;
        }
        let received = all.iter().flat_map(|of| {
            let origins = ["viewers", "source", "relay"].into_iter().zip(&of.received);
            origins.map(|(from, count)| {
                ([("channel", of.name().to_owned()), ("from", from.to_owned())], count.total())
            })
        });
        page.counters("received_bytes", "Payload that viewers report to have received, by origin", received)?;
        let counts: [(&str, &str, ReadCount); 3] = [
            ("relay_egress_bytes", "Frames that the relay has sent", |of| of.relay_bytes.total()),
            ("ingest_bytes", "Media of hosted broadcasts", |of| of.ingest_bytes.total()),
            ("ingest_keyframe_warnings", "Encoders seen with keyframes too far apart", |of| {
                of.keyframe_warnings.total()
            }),
        ];
        for (name, help, read) in counts {
            page.counters(name, help, all.iter().map(|of| ([("channel", of.name())], read(of))))?;
        }
        Ok(())
    }
}

type Read = fn(&ChannelFigures) -> f64;
type ReadCount = fn(&ChannelFigures) -> u64;

/// Where metrics are written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn counter(&mut self, name: &str, help: &str, count: &Count) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(count.total()).encode(metric)
    }

    fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in rows {
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn matched(&mut self, matched: &Matched) -> fmt::Result {
        let help = "Time from a viewer's join to its first neighbors";
        let edges = MATCH_EDGES_US.iter().map(|edge| *edge as f64 / 1e6).chain([f64::INFINITY]);
        let buckets: Vec<_> = edges.zip(matched.buckets.iter().map(Count::total)).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let mut metric = self.0.encode_descriptor("match_seconds", help, None, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(matched.sum_us.total() as f64 / 1e6, count, &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Arc<Metrics>) -> String {
        let uptime = Duration::from_secs(3);
        metrics
            .text(Present { sessions: 2, sessions_max: 9, uptime, ready: true, chat_visits: 0, stun: None })
            .unwrap()
    }

    #[test]
    fn a_refusal_is_named_with_its_door() {
        let metrics = Arc::new(Metrics::new(4));
        metrics.refused(Door::Session, Reason::Flood);
        metrics.refused(Door::Session, Reason::Flood);
        assert!(
            text(&metrics).contains("swarmcast_refusals_total{door=\"session\",reason=\"flood\"} 2\n"),
            "{}",
            text(&metrics)
        );
    }

    #[test]
    fn the_time_to_the_first_neighbors_is_a_histogram() {
        let metrics = Arc::new(Metrics::new(4));
        for ms in [1, 15, 15, 9_000] {
            metrics.matched(Duration::from_millis(ms));
        }
        let text = text(&metrics);
        for line in [
            "swarmcast_match_seconds_bucket{le=\"0.001\"} 1",
            "swarmcast_match_seconds_bucket{le=\"0.02\"} 3",
            "swarmcast_match_seconds_bucket{le=\"2.5\"} 3",
            "swarmcast_match_seconds_bucket{le=\"+Inf\"} 4",
            "swarmcast_match_seconds_count 4",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
