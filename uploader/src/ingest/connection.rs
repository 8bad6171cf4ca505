//! One encoder's connection from its first byte to its last: reads the socket, keeps the deadlines, asks for the
//! key, and passes media on. What the bytes say is the dialogue's.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::dialogue::{Dialogue, DialogueError, Step};
use super::keys::{self, Admission, Refused};
use super::publication::{ConsumerGone, EndReason, Publisher};
use super::server::Shared;

/// Bytes read at once, and what one idle connection keeps. A megabit arrives in eight reads.
const READ_BYTES: usize = 16 << 10;

/// The same before the end of the handshake, which has 3,073 bytes.
const GREETING_READ_BYTES: usize = 4 << 10;

/// How long, and how many bytes, a refused encoder is listened to, so that its own bytes in flight do not make
/// the system discard the refusal with a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_READS: usize = 64;

/// Why a connection ended.
#[derive(Debug, Error)]
pub(crate) enum Ending {
    #[error("{0}")]
    Dialogue(#[from] DialogueError),
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    #[error("closed by the peer")]
    Eof,
    #[error("too slow to present a key")]
    AdmissionTimeout,
    #[error("nothing received for too long")]
    Silent,
    #[error("replies are not read")]
    WriteTimeout,
    #[error("refused: the stream key is wrong")]
    WrongKey,
    #[error("refused: asked to play")]
    AskedToPlay,
    #[error("stopped by the encoder")]
    Finished,
    #[error("another encoder took over")]
    Replaced,
    #[error("closed here")]
    Closed,
}

impl Ending {
    pub fn reason(&self) -> EndReason {
        match self {
            Self::Dialogue(_) | Self::AskedToPlay | Self::WrongKey => EndReason::Violation,
            Self::Io(_) | Self::Eof | Self::AdmissionTimeout | Self::WriteTimeout => {
                EndReason::ConnectionLost
            }
            Self::Silent => EndReason::Silent,
            Self::Finished => EndReason::Stopped,
            Self::Replaced => EndReason::Replaced,
            Self::Closed => EndReason::Closed,
        }
    }

    /// `None`: nobody was refused anything.
    fn refused(&self) -> Option<Refused> {
        match self {
            Self::WrongKey => Some(Refused::WrongKey),
            Self::AskedToPlay => Some(Refused::AskedToPlay),
            Self::Dialogue(DialogueError::Violation(_)) => Some(Refused::Violation),
            Self::Dialogue(DialogueError::Unusable(_)) => Some(Refused::Unusable),
            Self::AdmissionTimeout => Some(Refused::NothingSaid),
            Self::Silent => Some(Refused::Silent),
            Self::WriteTimeout => Some(Refused::RepliesUnread),
            Self::Io(_) | Self::Eof | Self::Finished | Self::Replaced | Self::Closed => None,
        }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    // Replies are tiny and awaited.
    let _ = socket.set_nodelay(true);
    let mut connection = Connection {
        deadline: Instant::now() + shared.config.limits.admission_timeout,
        dialogue: Dialogue::new(shared.config.limits.clone()),
        socket,
        shared,
        published: None,
    };
    let ending = match connection.run().await {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    connection.finish(&ending);
}

/// What a connection is once its key was accepted.
struct Published {
    admission: Admission,
    publisher: Publisher,
    /// Fires when another encoder takes over.
    replaced: oneshot::Receiver<()>,
    number: u64,
}

struct Connection {
    socket: TcpStream,
    shared: Arc<Shared>,
    dialogue: Dialogue,
    /// For the key; afterwards the idle time counts.
    deadline: Instant,
    published: Option<Published>,
}

impl Connection {
    async fn run(&mut self) -> Result<std::convert::Infallible, Ending> {
        let mut buffer = Vec::new();
        loop {
            let most = if self.dialogue.is_greeting() { GREETING_READ_BYTES } else { READ_BYTES };
            buffer.resize(most, 0);
            let count = self.read(&mut buffer).await?;
            self.dialogue.hear(&buffer[..count])?;
            while let Some(step) = self.dialogue.next_step()? {
                self.take(step).await?;
            }
        }
    }

    async fn take(&mut self, step: Step) -> Result<(), Ending> {
        match step {
            Step::Reply(bytes) => self.write(&bytes).await,
            Step::Publish { request, app, stream_name } => self.decide(request, &app, &stream_name).await,
            Step::Play => {
                let refusal = self.dialogue.refuse_play()?;
                self.refuse(&refusal).await?;
                Err(Ending::AskedToPlay)
            }
            Step::Metadata(metadata) => match &mut self.published {
                Some(Published { publisher, replaced, .. }) => {
                    delivered(publisher.send_metadata(metadata), replaced).await
                }
                None => Ok(()),
            },
            Step::Media { kind, timestamp_ms, body } => match &mut self.published {
                Some(Published { publisher, replaced, .. }) => {
                    delivered(publisher.send_tag(kind, timestamp_ms, body), replaced).await
                }
                None => Ok(()),
            },
            Step::Finished => Err(Ending::Finished),
        }
    }

    /// Accepts or refuses a key. A connection publishes once.
    async fn decide(&mut self, request: u32, app: &str, name: &str) -> Result<(), Ending> {
        let key = keys::key_of(&self.shared.config.app, app, name);
        let admission = match key {
            Some(key) => self.shared.keys.admit(key).await,
            None => None,
        };
        let Some(admission) = admission.filter(|_| self.published.is_none()) else {
            let refusal = self.dialogue.refuse_key()?;
            self.refuse(&refusal).await?;
            return Err(Ending::WrongKey);
        };
        let (number, publisher, replaced) = self.shared.publish(&admission).await.ok_or(Ending::Closed)?;
        self.published = Some(Published { admission, publisher, replaced, number });
        let reply = self.dialogue.accept(request)?;
        self.write(&reply).await
    }

    async fn refuse(&mut self, refusal: &[u8]) -> Result<(), Ending> {
        self.write(refusal).await?;
        self.socket.shutdown().await?;
        let drain = async {
            let mut buffer = [0; 1 << 10];
            for _ in 0..LINGER_READS {
                if !matches!(self.socket.read(&mut buffer).await, Ok(1..)) {
                    return;
                }
            }
        };
        let _ = timeout(LINGER, drain).await;
        Ok(())
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Ending> {
        let count = match &mut self.published {
            None => {
                let read = timeout_at(self.deadline, self.socket.read(buffer));
                read.await.map_err(|_| Ending::AdmissionTimeout)??
            }
            Some(published) => {
                let read = timeout(self.shared.config.limits.idle_timeout, self.socket.read(buffer));
                tokio::select! {
                    read = read => read.map_err(|_| Ending::Silent)??,
                    _ = &mut published.replaced => return Err(Ending::Replaced),
                    () = published.publisher.consumer_gone() => return Err(Ending::Closed),
                }
            }
        };
        if count == 0 { Err(Ending::Eof) } else { Ok(count) }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        if bytes.is_empty() {
            return Ok(());
        }
        let write = timeout(self.shared.config.limits.write_timeout, self.socket.write_all(bytes));
        write.await.map_err(|_| Ending::WriteTimeout)?.map_err(Ending::Io)
    }

    fn finish(self, ending: &Ending) {
        if let Some(why) = ending.refused() {
            self.shared.keys.refused(why);
        }
        let Some(Published { admission, publisher, number, .. }) = self.published else {
            match ending {
                Ending::WrongKey => tracing::warn!("an encoder was refused: its stream key is wrong"),
                // Port scanners and health checks connect and leave.
                Ending::Eof => tracing::debug!("a connection closed before it presented a key"),
                _ => tracing::info!("a connection ended before it presented a key: {ending}"),
            }
            return;
        };
        self.shared.unpublish(&admission, number);
        tracing::info!(publisher = number, %admission, "the encoder is gone: {ending}");
        publisher.end(ending.reason());
    }
}

/// Waits while the consumer's queue is full, which holds the encoder back, but not beyond a takeover.
async fn delivered(
    sent: impl Future<Output = Result<(), ConsumerGone>>,
    replaced: &mut oneshot::Receiver<()>,
) -> Result<(), Ending> {
    tokio::select! {
        sent = sent => sent.map_err(|ConsumerGone| Ending::Closed),
        _ = replaced => Err(Ending::Replaced),
    }
}
