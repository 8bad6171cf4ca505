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
use wire::session::is_name;
use wire::{ChannelId, PeerId};

use crate::channel::ToChannel;
use crate::machine;
use crate::shell::Shell;

/// Relays at once. 64: one for each region, many times over.
const RELAYS_MAX: usize = 64;

/// How often the list of channels is looked at. 1 s: a broadcast's first viewers come one by one.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// Bytes of a message on such a session, either way. 256 KiB: the ids of 4,096 channels.
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 << 10;

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

/// Serves one relay's session to its end.
pub(crate) async fn serve(mut socket: WebSocket, secret: String, shell: &Shell) {
    let limits = shell.config().limits.clone();
    let mut ending = shell.ending.clone();
    let entered = timeout(limits.first_message_timeout, enter(&mut socket, &secret, shell)).await;
    let presence = match entered {
        Ok(Ok(presence)) => presence,
        Ok(Err(Some(why))) => {
            tracing::warn!("a relay elsewhere was turned away: {why}");
            // Whether it hears that is up to it.
            let _ = say(&mut socket, &FromOrigin::Refused { refused: why }).await;
            return;
        }
        Ok(Err(None)) | Err(_) => return,
    };
    tokio::select! {
        () = converse(&mut socket, &presence, limits.dead_after) => {}
        _ = ending.wait_for(|ending| *ending) => {}
    }
}

/// `Err`: why it is not taken in; `None`: it is gone.
async fn enter<'a>(
    socket: &mut WebSocket,
    secret: &str,
    shell: &'a Shell,
) -> Result<Presence<'a>, Option<String>> {
    let nonce = HEXLOWER.encode(&machine::random::<16>());
    say(socket, &FromOrigin::Hello { nonce: nonce.clone() }).await.ok_or(None)?;
    let introduction: Introduction = hear(socket).await.ok_or(None)?;
    if !is_proven(secret, &nonce, &introduction) {
        return Err(Some("its secret is another one: give both servers the same --relay-secret".to_owned()));
    }
    let Introduction { name, peer, .. } = introduction;
    if !is_name(&name) {
        return Err(Some("it needs a --name of a-z, 0-9, - and _".to_owned()));
    }
    {
        let mut relays = shell.relays.lock();
        if relays.len() >= RELAYS_MAX {
            return Err(Some(format!("there are {RELAYS_MAX} relays already")));
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

/// Says which channels are watched, whenever that changes, and hears what was sent.
async fn converse(socket: &mut WebSocket, presence: &Presence<'_>, dead_after: Duration) {
    let mut look = tokio::time::interval(LIST_EVERY);
    let mut said = None;
    loop {
        tokio::select! {
            _ = look.tick() => {
                let channels = presence.shell.directory.watched();
                if said.as_ref() != Some(&channels) {
                    if say(socket, &FromOrigin::List { channels: channels.clone() }).await.is_none() {
                        return;
                    }
                    said = Some(channels);
                }
            }
            heard = timeout(dead_after, hear::<Sent>(socket)) => {
                let Ok(Some(Sent { sent_bytes })) = heard else { return };
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

/// The next message; `None`: it is gone, or says what makes no sense.
async fn hear<T: for<'a> Deserialize<'a>>(socket: &mut WebSocket) -> Option<T> {
    loop {
        match socket.recv().await?.ok()? {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Close(_) => return None,
        }
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
