//! `headless-viewer`: a native viewer that plays without a decoder, and writes down how it fared as one JSON object at
//! its end. It knows the programme, and checks what it is given to play.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Parser;
use peer::transport::{Endpoint, EndpointConfig};
use peer::{Event, Participant, ParticipantConfig};
use swarm::{Config, Identity, Role, Timestamp};
use tests::native::cpu::process_s;
use tests::native::percentile::percentile;
use tests::native::record::{Counters, ViewerRecord};
use tests::native::recorder::Recorder;
use tests::native::window::{Window, unix_us};
use tests::programme::Programme;
use tests::screen::Screen;
use tokio::time::{Instant, MissedTickBehavior, interval};
use wire::{Epoch, PeerSecret};

/// The screen is looked at this often, besides after each chunk: as often as a page looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The playhead is told to the engine this often, as by a page.
const TELL_EVERY: Duration = Duration::from_millis(240);

/// A native viewer without a decoder.
#[derive(Parser)]
struct Arguments {
    /// The server: `http://HOST:PORT`.
    #[arg(long)]
    tracker: String,
    /// The channel's name.
    #[arg(long)]
    channel: String,
    /// Bitrate of the programme, which decides its content.
    #[arg(long)]
    bitrate: u32,
    /// Pass on at most so many multiples of the bitrate.
    #[arg(long, default_value_t = 4.0)]
    upload_cap: f32,
    /// Announce this address in place of the machine's own.
    #[arg(long)]
    announce: Vec<std::net::IpAddr>,
    #[command(flatten)]
    window: Window,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let began = Instant::now();
    let arguments = Arguments::parse();
    let mut viewer = Viewer::join(&arguments, began).await?;
    tokio::select! {
        result = viewer.watch() => result?,
        () = arguments.window.over() => {}
    }
    println!("{}", serde_json::to_string(&viewer.finish())?);
    Ok(())
}

struct Viewer {
    began: Instant,
    window: Window,
    programme: Programme,
    participant: Participant,
    recorder: Recorder,
    screen: Screen,
    epoch: Option<Epoch>,
    told: Instant,
    timer_late_ms: Vec<f64>,
    at_start: Option<Counters>,
    at_end: Option<Counters>,
    record: ViewerRecord,
}

impl Viewer {
    async fn join(arguments: &Arguments, began: Instant) -> Result<Viewer> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).ok().context("no random bytes")?;
        let secret = PeerSecret(secret);
        let any_port = ([0, 0, 0, 0], 0).into();
        let endpoint =
            EndpointConfig { announce: arguments.announce.clone(), ..EndpointConfig::new(any_port) };
        let recorder = Recorder::default();
        let tracker = arguments.tracker.trim_end_matches('/').replacen("http", "ws", 1);
        let channel = arguments.channel.clone();
        let participant = Participant::start(ParticipantConfig {
            session_url: format!("{tracker}/session"),
            authorities: peer::Authorities::OfTheWeb,
            identity: Identity { role: Role::Viewer, secret, channel, expected: None },
            engine: Config { upload_cap_x: arguments.upload_cap, ..Config::default() },
            endpoint: Some(Endpoint::bind(endpoint).await?),
            announce: None,
            alteration: None,
            observer: Some(recorder.observer()),
        });
        Ok(Viewer {
            began,
            window: arguments.window,
            programme: Programme::new(arguments.bitrate),
            participant,
            recorder,
            screen: Screen::new(Timestamp::default()),
            epoch: None,
            told: began,
            timer_late_ms: Vec::new(),
            at_start: None,
            at_end: None,
            record: ViewerRecord { peer: secret.peer().to_string(), ..ViewerRecord::default() },
        })
    }

    async fn watch(&mut self) -> Result<()> {
        let mut beat = interval(LOOK_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.participant.next() => self.event(event.context("the participant has ended")?),
                due = beat.tick() => self.beat(due),
            }
            self.look().await;
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Stream(header) if self.epoch != Some(header.epoch) => {
                self.epoch = Some(header.epoch);
                self.screen.restart(header.target_lag_ms.into());
            }
            Event::Chunk(chunk) => {
                let intact = self.programme.is_chunk(chunk.number, &chunk.bytes);
                self.record.altered_chunks += u32::from(!intact);
                let (start, end) = (chunk.time_ms, chunk.time_ms + u32::from(chunk.duration_ms));
                self.screen.append(self.now(), start.into(), end.into());
            }
            Event::SessionLost { why } => eprintln!("session lost: {why}"),
            Event::Refused { message, .. } => eprintln!("refused: {message}"),
            Event::Violation { peer, violation } => eprintln!("{peer} broke the rules: {violation:?}"),
            Event::Welcomed { .. } | Event::Stream(_) => {}
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.began.elapsed().as_micros() as u64)
    }

    async fn look(&mut self) {
        let (Some(epoch), Some(offset_ms)) = (self.epoch, self.participant.clock_offset_ms()) else { return };
        let live_ms = unix_ms() + offset_ms - epoch.0 as i64;
        let look = self.screen.look(self.now(), live_ms);
        if self.screen.first_frame_at().is_some() && self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            self.participant.show(u32::try_from(look.position_ms).unwrap_or(0), look.stalled).await;
        }
    }

    /// Ten times a second: what the record needs.
    fn beat(&mut self, due: Instant) {
        let at_us = unix_us();
        if self.window.contains_us(at_us) {
            self.timer_late_ms.push(due.elapsed().as_secs_f64() * 1000.0);
            self.note_lag();
        }
        if self.at_start.is_none() && at_us >= self.window.from_ms * 1000 {
            self.at_start = Some(self.counters());
        }
        if self.at_end.is_none() && at_us >= self.window.until_ms * 1000 {
            self.at_end = Some(self.counters());
        }
    }

    fn note_lag(&mut self) {
        self.screen.advance(self.now());
        if let Some(epoch) = self.epoch.filter(|_| self.screen.first_frame_at().is_some()) {
            self.record.lag_ms.push(unix_ms() - epoch.0 as i64 - self.screen.position_ms());
        }
    }

    fn counters(&self) -> Counters {
        Counters::new(&self.participant.stats(), self.recorder.control_sent(), process_s("self"))
    }

    fn finish(mut self) -> ViewerRecord {
        self.screen.advance(self.now());
        let began_us = unix_us() - self.began.elapsed().as_micros() as u64;
        let first_frame_at = self.screen.first_frame_at();
        let stalls = self.screen.stalls().into_iter();
        ViewerRecord {
            first_frame_ms: first_frame_at.map(|at| at.as_micros() as f64 / 1000.0),
            first_frame_us: first_frame_at.map(|at| began_us + at.as_micros()),
            stalls: stalls
                .map(|stall| (began_us + stall.since.as_micros(), stall.length.as_secs_f64() * 1000.0))
                .collect(),
            jumps: self.screen.jumps(),
            timer_late_p99_ms: percentile(std::mem::take(&mut self.timer_late_ms), 0.99).unwrap_or(0.0),
            at_start: self.at_start.unwrap_or_default(),
            at_end: self.at_end.unwrap_or_else(|| self.counters()),
            traffic: self.recorder.take(),
            ..self.record
        }
    }
}

/// This machine's Unix time in milliseconds.
fn unix_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
