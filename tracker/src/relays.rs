//! Relays elsewhere that help this server: who they are, and the session on which each proves the shared secret and
//! hears which channels to relay.
//!
//! ```text
//! here       {"nonce":"..."}
//! relay      {"name":"frankfurt","peer":"be45cb2605bf36be","proof":"(HMAC-SHA256 in hex)"}
//! here       {"channels":["11qY..."]}            at once, and when it changes
//! relay      {"sent_bytes":123456}               now and then
//! ```
//!
//! The proof covers the nonce and the relay's peer id, so that who joins a channel under that id is believed to be the
//! relay: the id itself is proven by its secret.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use data_encoding::HEXLOWER;
use ring::hmac;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tungstenite::Error;
use tungstenite::error::ProtocolError;
use wire::session::is_name;
use wire::{ChannelId, PeerId};

use crate::channel::ToChannel;
use crate::machine;
use crate::refusals::{Door, Reason};
use crate::shell::Shell;

/// Relays at once. 64: one for each region, many times over.
const RELAYS_MAX: usize = 64;

/// How often the list of channels is looked at. 1 s: a broadcast's first viewers come one by one.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// Bytes of a message to a relay. 256 KiB: the ids of 4,096 channels.
pub(crate) const LIST_BYTES_MAX: usize = 256 << 10;

/// Bytes of a message from a relay. 1 KiB: several times an introduction.
pub(crate) const HEARD_BYTES_MAX: usize = 1 << 10;

/// What the proof's message begins with, so that it can be taken for nothing else.
const PROOF_PREFIX: &str = "swarmcast/1 relay";

/// What this end says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum FromOrigin {
    /// To be answered with a proof.
    Hello { nonce: String },
    /// Channels that are live and watched.
    List { channels: Vec<ChannelId> },
    /// It is not believed, or there is no room for it.
    Refused { refused: String },
}

/// How a relay introduces itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Introduction {
    pub(crate) name: String,
    pub(crate) peer: PeerId,
    pub(crate) proof: String,
}

/// What a relay tells of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) sent_bytes: u64,
}

/// The relays that are here.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    here: Mutex<BTreeMap<PeerId, Relay>>,
}

#[derive(Debug)]
struct Relay {
    name: String,
    sent_bytes: u64,
}

impl Relays {
    /// Whether a peer is a relay that has proven itself.
    pub(crate) fn knows(&self, peer: PeerId) -> bool {
        self.lock().contains_key(&peer)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Relay>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The proof that a relay's peer knows the secret, in hex.
pub(crate) fn proof(secret: &str, nonce: &str, peer: PeerId) -> String {
    HEXLOWER.encode(hmac::sign(&key(secret), covered(nonce, peer).as_bytes()).as_ref())
}

fn is_proven(secret: &str, nonce: &str, introduction: &Introduction) -> bool {
    let Ok(proof) = HEXLOWER.decode(introduction.proof.as_bytes()) else { return false };
    hmac::verify(&key(secret), covered(nonce, introduction.peer).as_bytes(), &proof).is_ok()
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

fn covered(nonce: &str, peer: PeerId) -> String {
    format!("{PROOF_PREFIX}\0{nonce}\0{peer}")
}

/// A relay's place, which it leaves however its session ends.
struct Presence<'a> {
    shell: &'a Shell,
    peer: PeerId,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if let Some(relay) = self.shell.relays.lock().remove(&self.peer) {
            tracing::warn!(relay = relay.name, sent_bytes = relay.sent_bytes, "a relay elsewhere is gone");
        }
    }
}

/// Why a relay is not taken in, by name and in words for its operator.
type TurnedAway = (Reason, String);

/// Serves one relay's session to its end.
pub(crate) async fn serve(mut socket: WebSocket, secret: String, shell: &Shell) {
    let limits = shell.config().limits.clone();
    let mut ending = shell.ending.clone();
    let entered = timeout(limits.first_message_timeout, enter(&mut socket, &secret, shell)).await;
    let presence = match entered {
        Ok(Ok(presence)) => presence,
        Ok(Err(Some((reason, why)))) => {
            shell.metrics.refused(Door::Opening, reason);
            tracing::warn!("a relay elsewhere was turned away: {why}");
            // Whether it hears that is up to it.
            let _ = say(&mut socket, &FromOrigin::Refused { refused: why }).await;
            return;
        }
        Ok(Err(None)) => return,
        Err(_) => return shell.metrics.refused(Door::Opening, Reason::NothingSaid),
    };
    let reason = tokio::select! {
        reason = converse(&mut socket, &presence, limits.dead_after) => reason,
        _ = ending.wait_for(|ending| *ending) => None,
    };
    if let Some(reason) = reason {
        shell.metrics.refused(Door::Session, reason);
    }
}

/// `Err`: why it is not taken in; `None`: it is gone.
async fn enter<'a>(
    socket: &mut WebSocket,
    secret: &str,
    shell: &'a Shell,
) -> Result<Presence<'a>, Option<TurnedAway>> {
    let away = |reason, why: &str| Some((reason, why.to_owned()));
    let nonce = HEXLOWER.encode(&machine::random::<16>());
    say(socket, &FromOrigin::Hello { nonce: nonce.clone() }).await.ok_or(None)?;
    let introduction: Introduction = match hear(socket).await {
        Ok(introduction) => introduction,
        Err(None) => return Err(None),
        Err(Some(reason)) => {
            return Err(away(reason, "it says what no relay says: is it of another version?"));
        }
    };
    if !is_proven(secret, &nonce, &introduction) {
        let why = "its secret is another one: give both servers the same --relay-secret";
        return Err(away(Reason::BadProof, why));
    }
    let Introduction { name, peer, .. } = introduction;
    if !is_name(&name) {
        return Err(away(Reason::BadMessage, "it needs a --name of a-z, 0-9, - and _"));
    }
    {
        let mut relays = shell.relays.lock();
        if relays.len() >= RELAYS_MAX {
            return Err(Some((Reason::Busy, format!("there are {RELAYS_MAX} relays already"))));
        }
        relays.insert(peer, Relay { name: name.clone(), sent_bytes: 0 });
    }
    tracing::info!(relay = name, %peer, "a relay elsewhere has come");
    for channel in shell.directory.handles() {
        // A task that is gone has no viewers either.
        let _ = channel.tell(ToChannel::Relay { peer }).await;
    }
    Ok(Presence { shell, peer })
}

/// Says which channels are watched, whenever that changes, and hears what was sent. Returns why that ends; `None`: the
/// relay is gone.
async fn converse(socket: &mut WebSocket, presence: &Presence<'_>, dead_after: Duration) -> Option<Reason> {
    let mut look = tokio::time::interval(LIST_EVERY);
    let mut said = None;
    loop {
        tokio::select! {
            _ = look.tick() => {
                let channels = presence.shell.directory.watched();
                if said.as_ref() != Some(&channels) {
                    say(socket, &FromOrigin::List { channels: channels.clone() }).await?;
                    said = Some(channels);
                }
            }
            heard = timeout(dead_after, hear::<Sent>(socket)) => {
                let Sent { sent_bytes } = match heard {
                    Ok(Ok(sent)) => sent,
                    Ok(Err(reason)) => return reason,
                    Err(_) => return Some(Reason::Silent),
                };
                if let Some(relay) = presence.shell.relays.lock().get_mut(&presence.peer) {
                    relay.sent_bytes = sent_bytes;
                }
            }
        }
    }
}

async fn say(socket: &mut WebSocket, message: &FromOrigin) -> Option<()> {
    socket.send(Message::text(serde_json::to_string(message).ok()?)).await.ok()
}

/// The next message. `Err`: it is none that a relay says; `None`: the relay is gone.
async fn hear<T: for<'a> Deserialize<'a>>(socket: &mut WebSocket) -> Result<T, Option<Reason>> {
    loop {
        match socket.recv().await.ok_or(None)?.map_err(unreadable)? {
            Message::Text(text) => return serde_json::from_str(&text).map_err(|_| Some(Reason::Malformed)),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) => return Err(Some(Reason::BadMessage)),
            Message::Close(_) => return Err(None),
        }
    }
}

/// `None`: it is gone.
fn unreadable(error: axum::Error) -> Option<Reason> {
    match error.into_inner().downcast_ref::<Error>()? {
        Error::Capacity(_) => Some(Reason::TooLong),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) | Error::Utf8(_) => Some(Reason::Unreadable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_for_one_nonce_one_peer_and_one_secret() {
        let introduction = |secret, nonce| Introduction {
            name: "frankfurt".into(),
            peer: PeerId(7),
            proof: proof(secret, nonce, PeerId(7)),
        };
        assert!(is_proven("s", "n", &introduction("s", "n")));
        assert!(!is_proven("s", "n", &introduction("t", "n")));
        assert!(!is_proven("s", "n", &introduction("s", "m")));
        assert!(!is_proven("s", "n", &Introduction { peer: PeerId(8), ..introduction("s", "n") }));
        assert!(!is_proven("s", "n", &Introduction { proof: "x".into(), ..introduction("s", "n") }));
    }

    #[test]
    fn what_is_said_is_as_documented() {
        let list = FromOrigin::List { channels: vec![ChannelId([0; 32])] };
        let text = format!(r#"{{"channels":["{}"]}}"#, ChannelId([0; 32]));
        assert_eq!(serde_json::to_string(&list).unwrap(), text);
        assert!(matches!(serde_json::from_str(&text), Ok(FromOrigin::List { .. })));
        assert!(matches!(serde_json::from_str(r#"{"nonce":"n"}"#), Ok(FromOrigin::Hello { .. })));
        assert!(matches!(serde_json::from_str(r#"{"refused":"n"}"#), Ok(FromOrigin::Refused { .. })));
    }
}
