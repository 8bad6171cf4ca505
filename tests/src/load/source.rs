//! The broadcaster of a swarm under load: announces a live channel and its stream, and sends no pieces.
//!
//! A swarm without a stream is not laid out, so viewers would have nobody to be matched with; pieces would measure the
//! relay, which is not what is asked here.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use uploader::Numbering;
use wire::session::{Announce, FromPeer, FromTracker};
use wire::{Epoch, Signer};

use super::peer::{self, Socket};
use crate::programme::Programme;

/// The channel that all viewers join.
pub const CHANNEL: &str = "load";

/// For each answer of the tracker.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bits a second that the stream claims to have.
const BITRATE_BPS: u32 = 3_000_000;

/// Goes live, and stays until dropped with the task.
pub async fn go_live(address: SocketAddr) -> Result<JoinHandle<()>> {
    let signer = Signer::from_seed(&[7; 32]);
    let mut socket = peer::connect(address, 0).await.map_err(|end| anyhow::anyhow!("{end:?}"))?;
    let FromTracker::Hello { nonce, time_ms } = told(&mut socket).await? else { bail!("no hello") };
    let epoch = Epoch(time_ms.min(unix_ms()));
    let announce = FromPeer::Announce(Announce {
        version: wire::VERSION,
        channel: signer.channel(),
        name: CHANNEL.to_owned(),
        secret: signer.peer_secret(),
        proof: signer.announce(&nonce),
        delegation: None,
        epoch: Some(epoch),
    });
    socket.send(Message::text(announce.to_text())).await?;
    match told(&mut socket).await? {
        FromTracker::Welcome(_) => {}
        other => bail!("{other:?} instead of a welcome"),
    }
    let mut numbering = Numbering::new(epoch, BITRATE_BPS);
    let (_, header) = numbering.header(&Programme::new(BITRATE_BPS).init(), &signer).context("no header")?;
    socket.send(Message::Binary(header)).await?;
    // Reading answers pings.
    Ok(tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} }))
}

async fn told(socket: &mut Socket) -> Result<FromTracker> {
    loop {
        let heard = timeout(PATIENCE, socket.next()).await.context("the tracker says nothing")?;
        if let Message::Text(text) = heard.context("the session ended")?? {
            return Ok(FromTracker::parse(&text)?);
        }
    }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}
