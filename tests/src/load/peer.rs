//! One session: connects from an address of its own choice, joins, then answers what it hears and offers when told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};

use super::speech::{Heard, Speech};
use super::tally::Tally;

/// A session's socket.
pub type Socket = WebSocketStream<TcpStream>;

/// Addresses that sessions come from, of the machine's own 127.0.0.0/8: a server counts sessions by address, and a crowd
/// of real viewers has as many addresses as heads. No limit of the server is lifted for this.
const ADDRESSES: u64 = 128;

/// For a connection to open, and again for its welcome. Browsers wait longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes read at once: the library's 128 KiB would be 1.3 GB for 10,000 sessions.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// What all sessions of a crowd are told to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Orders {
    /// Rounds of offers, since the start.
    pub rounds: u64,
    /// Time between the rounds of one peer; the first ones are spread over it. Zero: all at once.
    pub period: Duration,
    /// Close the session.
    pub leave: bool,
}

/// Why there is no session, or no longer.
#[derive(Debug)]
pub enum End {
    /// The server said that it will not.
    Refused,
    /// Something else.
    Broken(String),
}

/// Opens a session for peer `number`.
pub async fn connect(address: SocketAddr, number: u64) -> std::result::Result<Socket, End> {
    let opening = async {
        let socket = TcpSocket::new_v4().map_err(broken)?;
        if address.ip().is_loopback() {
            let from = Ipv4Addr::new(127, 1, 0, 1 + (number % ADDRESSES) as u8);
            socket.bind((from, 0).into()).map_err(broken)?;
        }
        let stream = socket.connect(address).await.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
        let url = format!("ws://{address}/session");
        let opened = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await;
        match opened {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(answer)) if is_refusal(answer.status().as_u16()) => {
                Err(End::Refused)
            }
            Err(error) => Err(broken(error)),
        }
    };
    timeout(PATIENCE, opening).await.unwrap_or_else(|_| Err(End::Broken("no connection in time".to_owned())))
}

/// Opens a session, hears the server's first words if it begins, and goes without a farewell.
pub async fn open_and_leave(address: SocketAddr, number: u64) -> Result<()> {
    let mut socket = connect(address, number).await.map_err(|end| anyhow!("{end:?}"))?;
    timeout(PATIENCE, socket.next()).await.context("no hello")?.context("closed at once")??;
    Ok(())
}

/// 429 and 503 ask to come again later.
fn is_refusal(status: u16) -> bool {
    matches!(status, 429 | 503)
}

fn broken(error: impl std::fmt::Display) -> End {
    End::Broken(error.to_string())
}

/// A peer that has joined.
pub struct Peer {
    socket: Socket,
    speech: Speech,
    tally: Arc<Tally>,
    joined: Instant,
    matched: bool,
    rounds_done: u64,
    next_round: Option<Instant>,
    /// This peer's part of a period, from 0 to 1, before its first round.
    phase: f64,
}

impl Peer {
    /// Connects, and says who comes.
    pub async fn join(
        address: SocketAddr,
        number: u64,
        mut speech: Speech,
        tally: Arc<Tally>,
    ) -> std::result::Result<Self, End> {
        let mut socket = connect(address, number).await?;
        let join = Message::text(speech.join());
        let joined = Instant::now();
        socket.send(join).await.map_err(broken)?;
        // The golden ratio spreads any number of peers evenly.
        let phase = (number as f64 * 0.618_033_988_75).fract();
        Ok(Peer { socket, speech, tally, joined, matched: false, rounds_done: 0, next_round: None, phase })
    }

    /// Waits until the peer is let in, and told whom to link with if `matched` is asked for.
    pub async fn settle(&mut self, matched: bool) -> std::result::Result<(), End> {
        let mut welcomed = false;
        let settling = async {
            while !welcomed || matched && !self.matched {
                match self.next().await? {
                    Heard::Welcome => {
                        welcomed = true;
                        Tally::add(&self.tally.welcomed);
                    }
                    Heard::Refused => return Err(End::Refused),
                    other => self.take(other).await?,
                }
            }
            Ok(())
        };
        timeout(PATIENCE, settling)
            .await
            .unwrap_or_else(|_| Err(End::Broken("no welcome in time".to_owned())))
    }

    /// Does what it is told until it is told to leave.
    pub async fn run(&mut self, mut orders: watch::Receiver<Orders>) -> std::result::Result<(), End> {
        loop {
            let told = *orders.borrow_and_update();
            if told.leave {
                return self.socket.close(None).await.map_err(broken);
            }
            let due = self.due(told);
            tokio::select! {
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.next_round = due.map(|due| due + told.period);
                    self.offer().await?;
                }
                heard = self.next() => {
                    let heard = heard?;
                    self.take(heard).await?;
                }
                changed = orders.changed() => changed.map_err(broken)?,
            }
        }
    }

    /// When to offer next, if at all.
    fn due(&mut self, told: Orders) -> Option<Instant> {
        if self.rounds_done >= told.rounds {
            self.next_round = None;
            return None;
        }
        Some(*self.next_round.get_or_insert_with(|| Instant::now() + told.period.mul_f64(self.phase)))
    }

    async fn offer(&mut self) -> std::result::Result<(), End> {
        self.rounds_done += 1;
        for offer in self.speech.offers() {
            self.socket.send(Message::text(offer)).await.map_err(broken)?;
        }
        Ok(())
    }

    async fn take(&mut self, heard: Heard) -> std::result::Result<(), End> {
        match heard {
            Heard::Offer { answer } => {
                Tally::add(&self.tally.signals);
                self.socket.send(Message::text(answer)).await.map_err(broken)?;
            }
            Heard::Answer => Tally::add(&self.tally.signals),
            Heard::Neighbors if !self.matched => {
                self.matched = true;
                self.tally.matched_after(self.joined.elapsed());
                Tally::add(&self.tally.news);
            }
            Heard::Welcome | Heard::Neighbors | Heard::Other => Tally::add(&self.tally.news),
            Heard::Count => {}
            Heard::Refused => return Err(End::Refused),
        }
        Ok(())
    }

    async fn next(&mut self) -> std::result::Result<Heard, End> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(self.speech.hear(&text)),
                Some(Ok(Message::Close(_))) | None => {
                    return Err(End::Broken("closed by the server".to_owned()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(broken(error)),
            }
        }
    }
}
