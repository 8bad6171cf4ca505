//! How a session begins: its first message says who comes, and here it is let in or refused.

use std::sync::Arc;

use wire::session::{Announce, FromPeer, FromTracker, Join, Refusal, Report};
use wire::{ChannelId, Epoch, PeerId};

use crate::bans::Address;
use crate::channel::{ChannelHandle, Rules, ToChannel};
use crate::config::Registration;
use crate::embedding;
use crate::machine;
use crate::members::Member;
use crate::refusals::Reason;
use crate::shell::Shell;
use crate::store::settings::{JoinPolicy, Sharing};
use crate::store::{Right, StoreError};
use crate::tokens::{Comer, Objection};

/// Why a session ends, for its peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: Refusal,
    pub(crate) message: String,
    /// For metrics.
    pub(crate) reason: Reason,
}

/// Somebody who may come in.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) channel: ChannelHandle,
    pub(crate) peer: PeerId,
    role: Entering,
}

#[derive(Debug)]
enum Entering {
    Viewer { sharing: bool, known: Report, rules: Rules, pass: Option<String> },
    Source { name: String, epoch: Option<Epoch> },
}

impl Refused {
    pub(crate) fn new(code: Refusal, message: impl Into<String>) -> Self {
        Refused { code, message: message.into(), reason: code.into() }
    }

    /// The same, for a reason that has a name of its own.
    pub(crate) fn because(self, reason: Reason) -> Self {
        Refused { reason, ..self }
    }

    pub(crate) fn to_text(&self) -> String {
        FromTracker::Refused { code: self.code, message: self.message.clone() }.to_text()
    }
}

impl Entrance {
    pub(crate) fn is_source(&self) -> bool {
        matches!(self.role, Entering::Source { .. })
    }

    /// The message that brings `member` in.
    pub(crate) fn message(self, member: Member) -> ToChannel {
        let peer = self.peer;
        match self.role {
            Entering::Viewer { sharing, known, rules, pass } => {
                ToChannel::Join { peer, member, sharing, known, rules, pass, asked: machine::instant() }
            }
            Entering::Source { name, epoch } => ToChannel::Announce { peer, member, name, epoch },
        }
    }
}

/// Where a session comes from.
#[derive(Debug)]
pub(crate) struct Provenance {
    pub(crate) address: Address,
    /// The other site whose page opened it.
    pub(crate) embedded_in: Option<String>,
}

/// Lets in whoever sent `first`, or says why not. `nonce` is the session's own.
pub(crate) async fn admit(
    first: FromPeer,
    nonce: &str,
    from: Provenance,
    shell: &Arc<Shell>,
) -> Result<Entrance, Refused> {
    match first {
        FromPeer::Join(join) => admit_viewer(join, from, shell).await,
        FromPeer::Announce(announce) => admit_source(announce, nonce, from, shell).await,
        _ => Err(Refused::new(Refusal::BadMessage, "A session begins with `join` or `announce`.")),
    }
}

async fn admit_viewer(join: Join, from: Provenance, shell: &Arc<Shell>) -> Result<Entrance, Refused> {
    check_version(join.version)?;
    let settled = shell.clock.instant(swarm::Timestamp::default() + shell.config().limits.settling);
    let found = shell.directory.find_until(&join.channel, settled).await;
    let channel = found.map_err(|error| explain(error, &join.channel))?.ok_or_else(|| {
        let message = format!(
            "No channel “{}” is known here. Check the link; the broadcaster may not have started yet.",
            join.channel.escape_debug()
        );
        Refused::new(Refusal::UnknownChannel, message)
    })?;
    let peer = join.secret.peer();
    not_banned(shell, Some(channel.id), peer, from.address)?;
    let site = from.embedded_in.as_deref();
    let objection = site.and_then(|site| embedding::objection(&channel.settings.embed_origins, site));
    if let Some(objection) = objection {
        return Err(Refused::new(Refusal::EmbedRefused, objection));
    }
    // A relay elsewhere has proven itself in its own way.
    let asked = channel.settings.join == JoinPolicy::Token && !shell.relays.knows(peer);
    let pass = match join.token.as_deref() {
        _ if !asked => None,
        token => {
            let now_s = machine::unix_ms() / 1000;
            Some(shell.tokens.admit(&channel, token, Comer { peer, site }, now_s).map_err(not_admitted)?)
        }
    };
    let known = Report { links: join.links, feeds: join.feeds, ..Report::default() };
    let rules = Rules::of(&channel.settings);
    let sharing = join.sharing && (join.consent || channel.settings.sharing != Sharing::Ask);
    let role = Entering::Viewer { sharing, known, rules, pass };
    Ok(Entrance { channel: shell.directory.open(&channel, shell), peer, role })
}

fn not_admitted(objection: Objection) -> Refused {
    let code = if objection == Objection::Full { Refusal::Busy } else { Refusal::TokenRefused };
    Refused::new(code, objection.to_string()).because(Reason::from(&objection))
}

async fn admit_source(
    announce: Announce,
    nonce: &str,
    from: Provenance,
    shell: &Arc<Shell>,
) -> Result<Entrance, Refused> {
    check_version(announce.version)?;
    let Announce { channel, name, secret, proof, delegation, epoch, .. } = announce;
    let now_s = machine::unix_ms() / 1000;
    wire::announcement(channel, delegation.as_ref(), now_s, nonce, &proof).map_err(|_| {
        let message = "The proof does not verify: sign the nonce of this session's hello with the channel's key, or \
                       with one that the channel's owner lets sign for a time that is not over.";
        Refused::new(Refusal::BadProof, message)
    })?;
    not_banned(shell, None, secret.peer(), from.address)?;
    // From elsewhere a free name is claimed first, with work or an invite; programs on this machine need not.
    let open = from.address.0.is_loopback()
        && delegation.is_none()
        && shell.config().registration() == Registration::Open;
    let right = if open { Right::Open } else { Right::Closed };
    let registered = shell.directory.register(channel, &name, right).await;
    let registered = registered.map_err(|error| explain(error, &name))?;
    let handle = shell.directory.open(&registered, shell);
    Ok(Entrance { channel: handle, peer: secret.peer(), role: Entering::Source { name, epoch } })
}

/// `channel`: where it wants to watch. Its own broadcaster nobody bans but the server's operator.
fn not_banned(shell: &Shell, channel: Option<ChannelId>, peer: PeerId, from: Address) -> Result<(), Refused> {
    match shell.bans.find(channel, peer, from) {
        Some(ban) => Err(Refused::new(Refusal::Banned, ban.words()).because(ban.why())),
        None => Ok(()),
    }
}

fn check_version(version: u8) -> Result<(), Refused> {
    if version == wire::VERSION {
        return Ok(());
    }
    let ours = wire::VERSION;
    let message =
        format!("This server speaks version {ours}, not {version}. Reload the page, or update the program.");
    Err(Refused::new(Refusal::Version, message))
}

fn explain(error: StoreError, name: &str) -> Refused {
    match error {
        StoreError::Exists(_) => {
            let message = format!("The name `{name}` belongs to another key. Choose another name.");
            Refused::new(Refusal::NameTaken, message)
        }
        StoreError::Rotated(_) => Refused::new(Refusal::NameTaken, format!("For this server {error}.")),
        StoreError::Closed => {
            let message = "No channel of this name is registered. Claim it with `swarmcast-uploader channel claim`; \
                           where registration is by invite or closed, the server's owner has to help.";
            Refused::new(Refusal::RegistrationClosed, message)
        }
        StoreError::Full(_) => {
            Refused::new(Refusal::Busy, "This server knows as many channels as it can. Try later.")
        }
        other => {
            tracing::error!("the store fails: {other}");
            Refused::new(Refusal::Busy, "The server cannot look that up now. Try later.")
        }
    }
}

/// The server's first words.
pub(crate) fn hello(nonce: &str) -> String {
    FromTracker::Hello { nonce: nonce.to_owned(), time_ms: machine::unix_ms() }.to_text()
}
