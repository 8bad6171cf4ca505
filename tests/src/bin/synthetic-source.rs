//! `synthetic-source`: a broadcaster without an encoder. It signs and publishes chunks of a given bitrate as the
//! uploader does, and writes down when each piece left as one JSON object at its end.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use peer::transport::{Endpoint, EndpointConfig};
use peer::{Event, Participant, ParticipantConfig, Publisher};
use swarm::{Config, Identity, Role};
use tests::native::cpu::process_s;
use tests::native::record::{Counters, Published, SourceRecord};
use tests::native::recorder::Recorder;
use tests::native::window::{LINGER, Window, sleep_until_ms, unix_us};
use tests::programme::{CHUNK_MS, Programme};
use tests::random::Random;
use tokio::time::timeout;
use uploader::Numbering;
use uploader::account::Account;
use wire::{Epoch, Signer};

/// For the tracker to let it in.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broadcaster without an encoder.
#[derive(Parser)]
struct Arguments {
    /// The server: `http://HOST:PORT`.
    #[arg(long)]
    tracker: String,
    /// The channel's name.
    #[arg(long)]
    name: String,
    /// The channel's key follows from it.
    #[arg(long)]
    seed: u64,
    /// Bits of media a second.
    #[arg(long)]
    bitrate: u32,
    #[command(flatten)]
    window: Window,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut source = Source::announce(&arguments).await?;
    let offset_ms = source.welcomed().await?;
    source.begin(offset_ms).await?;
    println!("live");
    source.broadcast(arguments.window).await;
    source.record.traffic = source.recorder.take();
    println!("{}", serde_json::to_string(&source.record)?);
    Ok(())
}

struct Source {
    signer: Signer,
    programme: Programme,
    bitrate_bps: u32,
    participant: Participant,
    publisher: Publisher,
    recorder: Recorder,
    numbering: Option<Numbering>,
    record: SourceRecord,
}

impl Source {
    async fn announce(arguments: &Arguments) -> Result<Source> {
        let signer = Signer::from_seed(&seed(arguments.seed));
        let account = Account::new(&arguments.tracker, signer.clone(), None)?;
        let name = arguments.name.clone();
        tokio::task::spawn_blocking(move || account.claim_if_free(&name, None)).await??;
        let tracker = arguments.tracker.trim_end_matches('/').replacen("http", "ws", 1);
        let endpoint = Endpoint::bind(EndpointConfig::new(([0, 0, 0, 0], 0).into())).await?;
        let recorder = Recorder::default();
        let secret = signer.peer_secret();
        let participant = Participant::start(ParticipantConfig {
            session_url: format!("{tracker}/session"),
            authorities: peer::Authorities::OfTheWeb,
            identity: Identity {
                role: Role::Source,
                secret,
                channel: arguments.name.clone(),
                expected: Some(signer.channel()),
            },
            engine: Config::default(),
            endpoint: Some(endpoint),
            announce: Some((signer.clone(), arguments.name.clone())),
            alteration: None,
            observer: Some(recorder.observer()),
        });
        Ok(Source {
            programme: Programme::new(arguments.bitrate),
            bitrate_bps: arguments.bitrate,
            publisher: participant.publisher(),
            participant,
            recorder,
            numbering: None,
            record: SourceRecord { peer: secret.peer().to_string(), ..SourceRecord::default() },
            signer,
        })
    }

    /// Waits for the tracker's clock.
    async fn welcomed(&mut self) -> Result<i64> {
        loop {
            let event = timeout(PATIENCE, self.participant.next()).await.context("no welcome")?;
            match event.context("the participant has ended")? {
                Event::Welcomed { clock_offset_ms, .. } => return Ok(clock_offset_ms),
                Event::Refused { message, .. } => bail!("refused: {message}"),
                other => eprintln!("{other:?}"),
            }
        }
    }

    /// Media time 0 is now.
    async fn begin(&mut self, offset_ms: i64) -> Result<()> {
        let began_us = unix_us();
        let epoch = Epoch((began_us / 1000).saturating_add_signed(offset_ms));
        let mut numbering = Numbering::new(epoch, self.bitrate_bps);
        let header = numbering.header(&self.programme.init(), &self.signer);
        let (header, frame) = header.context("the programme has no header")?;
        self.record.epoch_ms = epoch.0;
        self.record.began_us = began_us;
        self.record.target_lag_ms = header.target_lag_ms.into();
        self.publisher.stream(header, frame).await;
        self.numbering = Some(numbering);
        Ok(())
    }

    /// One chunk after the other, each when its last frame has been captured.
    async fn broadcast(&mut self, window: Window) {
        let ends_ms = window.until_ms + LINGER.as_millis() as u64;
        let began_ms = self.record.began_us / 1000;
        let mut measuring = false;
        for number in 0.. {
            let whole_ms = began_ms + u64::from(number + 1) * u64::from(CHUNK_MS);
            if whole_ms > ends_ms {
                return;
            }
            self.listen_until(whole_ms).await;
            if !measuring && whole_ms >= window.from_ms {
                measuring = true;
                self.record.at_start = self.counters();
            }
            if whole_ms <= window.until_ms {
                self.record.at_end = self.counters();
            }
            self.publish(number).await;
        }
    }

    async fn listen_until(&mut self, unix_ms: u64) {
        let mut due = std::pin::pin!(sleep_until_ms(unix_ms));
        loop {
            tokio::select! {
                () = &mut due => return,
                event = self.participant.next() => match event {
                    Some(event) => eprintln!("{event:?}"),
                    None => return,
                },
            }
        }
    }

    async fn publish(&mut self, number: u32) {
        let Some(numbering) = &mut self.numbering else { return };
        for piece in numbering.pieces(&self.programme.chunk(number), &self.signer) {
            let (seq, time_ms) = (piece.header.seq, piece.header.time_ms);
            let payload_bytes = piece.payload().len() as u32;
            self.record.pieces.push(Published { seq, time_ms, payload_bytes, at_us: unix_us() });
            self.publisher.piece(piece).await;
        }
    }

    fn counters(&self) -> Counters {
        Counters::new(&self.participant.stats(), self.recorder.control_sent(), process_s("self"))
    }
}

fn seed(number: u64) -> [u8; 32] {
    let mut random = Random::seeded(number);
    let mut seed = [0; 32];
    seed.chunks_mut(8).for_each(|eight| eight.copy_from_slice(&random.number().to_le_bytes()));
    seed
}
