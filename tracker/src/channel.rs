//! The task of one channel: owns its Roster, its relay and its sessions, and moves messages between them.
//!
//! Who feeds whom is the [`Roster`]'s to decide, what the relay sends the [`Swarm`]'s. Reading sockets is the
//! sessions' part. A task that fails takes its own sessions along and nobody else's.

mod handle;
mod programme;
mod relaying;
mod rules;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use swarm::{
    Config as SwarmConfig, Identity, Input, Output, Role, Roster, RosterConfig, RosterRole, Swarm, Timestamp,
};
use tokio::sync::mpsc;
use wire::session::{FromPeer, FromTracker, Refusal, Report, Welcome};
use wire::{ChannelId, Epoch, PeerId, PeerSecret};

use crate::config::Limits;
use crate::ledger::Ledger;
use crate::machine;
use crate::members::{Member, Members};
use crate::refusals::Reason;
use crate::shell::Shell;
use crate::stills::STILL_BYTES_MAX;
pub(crate) use handle::{ChannelHandle, Status, ToChannel, Waiting};
use programme::Programme;
use relaying::{Place, Relaying};
use rules::Permission;
pub(crate) use rules::Rules;

const REPLACED: &str = "Another session took over; this one ends.";
const REMOVED: &str = "This channel was removed.";
const FULL: &str = "This channel has as many viewers as its owner allows. Try again later.";
const RESTARTING: &str = "The server is restarting; reconnect.";

/// Messages that are handled before what follows from them is carried out. 64: some milliseconds' worth at most.
const BATCH_MESSAGES: usize = 64;

/// One channel's state.
pub(crate) struct ChannelTask {
    channel: ChannelId,
    name: String,
    shell: Arc<Shell>,
    status: Arc<Status>,
    relay: Swarm,
    roster: Roster,
    relaying: Relaying,
    permission: Permission,
    members: Members,
    ledger: Ledger,
    source: Option<PeerId>,
    /// The broadcast under way and whose it is, as viewers were told; `None`: offline.
    live: Option<(Epoch, PeerId)>,
    programme: Programme,
    /// When the last session left.
    idle_since: Option<Timestamp>,
}

impl ChannelTask {
    /// Starts the task of a channel.
    pub(crate) fn start(channel: ChannelId, name: String, shell: Arc<Shell>) -> ChannelHandle {
        let (inbox, inbox_end) = mpsc::channel(shell.config().limits.inbox_messages);
        let status = Arc::new(Status::default());
        let seed = u64::from_be_bytes(machine::random());
        let identity = Identity {
            role: Role::Relay,
            secret: PeerSecret(machine::random()),
            channel: name.clone(),
            expected: Some(channel),
        };
        let now = shell.clock.now();
        let task = ChannelTask {
            channel,
            status: Arc::clone(&status),
            relay: Swarm::new(relay_config(&shell.config().limits), identity, seed),
            roster: Roster::new(RosterConfig::default(), seed),
            relaying: Relaying::default(),
            permission: Permission::default(),
            members: Members::default(),
            ledger: Ledger::open(&name, &shell.metrics),
            source: None,
            live: None,
            programme: Programme::default(),
            idle_since: Some(now),
            name,
            shell,
        };
        tokio::spawn(task.run(inbox_end));
        ChannelHandle { inbox, status }
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<ToChannel>) {
        let shell = Arc::clone(&self.shell);
        let _place = Place { egress: &shell.egress, channel: self.channel };
        let mut why = (Refusal::ShuttingDown, RESTARTING);
        let (mut messages, mut ended) = (Vec::new(), false);
        let mut timer = pin!(tokio::time::sleep_until(self.shell.clock.instant(self.deadline()).into()));
        while !ended {
            tokio::select! {
                count = inbox.recv_many(&mut messages, BATCH_MESSAGES) => {
                    ended = count == 0;
                    for message in messages.drain(..) {
                        match message {
                            message if ended => turn_away(message, why),
                            ToChannel::ShutDown => ended = true,
                            ToChannel::Removed => {
                                self.go_offline(true);
                                why = (Refusal::UnknownChannel, REMOVED);
                                ended = true;
                            }
                            message => self.handle(message),
                        }
                    }
                }
                () = timer.as_mut() => self.wake(),
            }
            if !ended {
                self.work();
                ended = self.is_idle();
            }
            let wake = self.shell.clock.instant(self.deadline()).into();
            // A timer that is due too early is set anew when it has come: most messages change nothing about it.
            if timer.is_elapsed() || wake < timer.deadline() {
                timer.as_mut().reset(wake);
            }
        }
        self.status.live.store(false, Ordering::Relaxed);
        // After a restart the broadcast goes on.
        if why.0 != Refusal::ShuttingDown || self.is_idle() {
            self.programme_over();
        }
        self.close(inbox, why);
    }

    /// Nobody is left behind in the inbox: who came while the task ended is sent away, to come again.
    fn close(mut self, mut inbox: mpsc::Receiver<ToChannel>, why: (Refusal, &'static str)) {
        inbox.close();
        while let Ok(waiting) = inbox.try_recv() {
            turn_away(waiting, why);
        }
        let (code, message) = why;
        for member in self.members.take_all() {
            member.refuse(code, message);
        }
    }

    fn handle(&mut self, message: ToChannel) {
        let now = self.shell.clock.now();
        match message {
            ToChannel::Join { peer, member, sharing, known, rules, pass, asked } => {
                if !self.has_place(peer, rules) && !self.shell.relays.knows(peer) {
                    self.ledger.refused(Reason::ChannelFull);
                    return member.refuse(Refusal::Busy, FULL);
                }
                let sharing = self.may_share(peer, sharing);
                if let Some(why) = self.cannot_feed(now, sharing) {
                    self.ledger.refused(Reason::RelaySpent);
                    return member.refuse(Refusal::Busy, why);
                }
                self.ledger.viewer_came(peer, sharing, asked);
                self.join(now, peer, member, pass, sharing, known);
            }
            ToChannel::Announce { peer, member, name, epoch } => {
                self.ledger.source_came(&name);
                self.name = name;
                self.announce(now, peer, member, epoch);
            }
            ToChannel::Said { peer, session, message } if self.members.is_current(peer, session) => {
                self.said(now, peer, message);
            }
            ToChannel::Frame { peer, session, bytes } if self.members.is_current(peer, session) => {
                self.relay.handle(now, Input::Frame { peer, bytes });
            }
            ToChannel::Drained { peer, session } if self.members.is_current(peer, session) => {
                self.report_queue(now, peer);
            }
            ToChannel::Bans => self.apply_bans(now),
            ToChannel::Relay { peer } if self.members.contains(peer) => self.take_relay(now, peer),
            ToChannel::Left { peer, session } if self.members.is_current(peer, session) => {
                drop(self.remove(now, peer));
            }
            // Who asked may have gone.
            ToChannel::Picture { peers_max, answer } => drop(answer.send(self.roster.picture(peers_max))),
            ToChannel::Still { answer } => {
                let take = || self.relay.still(STILL_BYTES_MAX);
                drop(answer.send(self.status.still.newest(machine::instant(), take)));
            }
            // From a session that was replaced.
            _ => {}
        }
    }

    fn join(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        member: Member,
        pass: Option<String>,
        sharing: bool,
        known: Report,
    ) {
        self.replace(now, peer);
        if self.source.take_if(|source| *source == peer).is_some() {
            self.go_offline(false);
        }
        self.enter(peer, member, pass);
        if self.shell.relays.knows(peer) {
            return self.take_relay(now, peer);
        }
        self.roster.join(now, peer, RosterRole::Viewer, sharing, known);
        self.relay.handle(now, Input::LinkOpened { peer });
    }

    fn announce(&mut self, now: Timestamp, peer: PeerId, member: Member, epoch: Option<Epoch>) {
        self.replace(now, peer);
        // The broadcaster is not gone: another session of its takes over, and viewers hear of no end.
        if let Some(old) = self.source.replace(peer).filter(|old| *old != peer) {
            let member = self.remove(now, old);
            self.ledger.refused(Reason::Replaced);
            refuse(member, Refusal::Replaced, REPLACED);
        }
        let mut welcome = self.enter(peer, member, None);
        self.roster.join(now, peer, RosterRole::Source, true, Report::default());
        // The relay is its own peer; what it learns of the broadcast is what the broadcaster says.
        welcome.peer = PeerId::RELAY;
        welcome.epoch = epoch;
        self.relay.handle(now, Input::Told(FromTracker::Welcome(welcome)));
        self.relay.handle(now, Input::LinkOpened { peer });
        match epoch {
            Some(epoch) => self.go_live(epoch),
            None => self.go_offline(false),
        }
    }

    /// Takes a session in, and welcomes it before anything else is sent.
    fn enter(&mut self, peer: PeerId, member: Member, pass: Option<String>) -> Welcome {
        let welcome = Welcome {
            peer,
            channel: self.channel,
            name: self.name.clone(),
            time_ms: machine::unix_ms(),
            epoch: self.live.map(|(epoch, _)| epoch),
            source: self.source,
            stun_port: self.shell.stun_port,
            turn: self.shell.turn(peer),
            sharing: self.permission.rules().sharing(),
            pass,
            viewers: self.roster.viewers() as u32,
        };
        member.outbox.say(&FromTracker::Welcome(welcome.clone()));
        self.members.insert(peer, member);
        self.idle_since = None;
        welcome
    }

    fn said(&mut self, now: Timestamp, peer: PeerId, message: FromPeer) {
        match message {
            FromPeer::Signal { to, signal } => {
                if self.roster.may_signal(peer, to) {
                    self.members.pass_on(to, &FromTracker::Signal { from: peer, signal });
                } else {
                    self.ledger.refused(Reason::ForeignSignal);
                }
            }
            FromPeer::Report(report) if self.relaying.is_outpost(peer) => {
                let egress_bps = report.upload_cap_bps.unwrap_or(0);
                self.roster.outpost(peer, egress_bps.into());
            }
            FromPeer::Report(report) => {
                self.roster.report(now, peer, &report);
                self.note_hunger(now, peer, &report);
            }
            FromPeer::Orphaned { stripes, failed, fault } => {
                self.roster.orphaned(now, peer, stripes, failed, fault);
            }
            FromPeer::Sharing { on } => {
                let on = self.may_share(peer, on);
                self.roster.sharing(now, peer, on);
            }
            FromPeer::Clock => self.members.say(peer, &FromTracker::Time { time_ms: machine::unix_ms() }),
            FromPeer::Ended if self.source == Some(peer) => self.go_offline(true),
            FromPeer::Ended | FromPeer::Join(_) | FromPeer::Announce(_) => {
                self.ledger.refused(Reason::BadMessage);
                let member = self.remove(now, peer);
                refuse(member, Refusal::BadMessage, "This session has already said who it is.");
            }
        }
    }

    fn wake(&mut self) {
        let now = self.shell.clock.now();
        self.relay.handle(now, Input::Wake);
        self.roster.wake(now);
        self.review_share_if_due(now);
        if self.programme.deadline(self.shell.config().limits.idle_channel).is_some_and(|over| now >= over) {
            self.programme_over();
        }
    }

    /// Carries out what the cores have decided, until they have no more to say.
    fn work(&mut self) {
        let now = self.shell.clock.now();
        self.review_sharing(now);
        let mut sent_to = Vec::new();
        loop {
            while let Some(output) = self.relay.poll_output() {
                self.perform(now, output, &mut sent_to);
            }
            while let Some(output) = self.roster.poll_output() {
                self.members.say(output.to, &output.message);
                self.ledger.told(output.to, &output.message);
                if let (FromTracker::Link { .. }, Some(firewall)) = (&output.message, &self.shell.firewall) {
                    self.members.address(output.to).into_iter().for_each(|from| firewall.links(from));
                }
            }
            if sent_to.is_empty() {
                break;
            }
            sent_to.sort_unstable();
            sent_to.dedup();
            sent_to.drain(..).for_each(|peer| self.report_queue(now, peer));
        }
        self.status.viewers.store(self.roster.viewers() as u32, Ordering::Relaxed);
        self.ledger.note(&self.roster, self.live.is_some());
    }

    fn perform(&mut self, now: Timestamp, output: Output, sent_to: &mut Vec<PeerId>) {
        match output {
            Output::Send { peer, frame, .. } => {
                self.shell.egress.count(frame.len());
                self.ledger.relayed(frame.len());
                self.members.send(peer, frame);
                sent_to.push(peer);
            }
            Output::Stream(header) => {
                self.roster.set_stream(now, header.stripes, header.bitrate_bps);
                self.status.private.store(header.private, Ordering::Relaxed);
                self.go_live(header.epoch);
                self.shell.directory.chats.seal(self.channel, header.private);
            }
            Output::CloseLink { peer } => {
                let member = self.remove(now, peer);
                refuse(member, Refusal::BadMessage, "The relay has ended this session.");
            }
            Output::Violation { peer, violation } => {
                self.ledger.refused(violation.into());
                tracing::warn!(channel = self.name, %peer, ?violation, "a peer broke the rules");
            }
            // A relay has no tracker to talk to, makes no links of its own, and shows nothing.
            Output::Tell(_) | Output::OpenLink { .. } | Output::Signal { .. } | Output::Chunk(_) => {}
        }
    }

    fn report_queue(&mut self, now: Timestamp, peer: PeerId) {
        if let Some(bytes) = self.members.unsent_bytes(peer) {
            self.relay.handle(now, Input::Queued { peer, bytes });
        }
    }

    /// A peer comes again: its old session ends. To the Roster it never left.
    fn replace(&mut self, now: Timestamp, peer: PeerId) {
        if let Some(member) = self.members.remove(peer) {
            self.relay.handle(now, Input::LinkClosed { peer });
            self.ledger.refused(Reason::Replaced);
            member.refuse(Refusal::Replaced, REPLACED);
        }
    }

    /// Ends the sessions of those who are banned by now.
    fn apply_bans(&mut self, now: Timestamp) {
        let shell = Arc::clone(&self.shell);
        let banned: Vec<_> = self
            .members
            .addresses()
            .filter_map(|(peer, from)| {
                let channel = (self.source != Some(peer)).then_some(self.channel);
                Some((peer, from, shell.bans.find(channel, peer, from)?))
            })
            .collect();
        for (peer, from, ban) in banned {
            self.ledger.refused(ban.why());
            refuse(self.remove(now, peer), Refusal::Banned, &ban.words());
            shell.note_banned(ban, from);
        }
    }

    fn remove(&mut self, now: Timestamp, peer: PeerId) -> Option<Member> {
        let member = self.members.remove(peer)?;
        self.ledger.left(peer);
        self.roster.leave(now, peer);
        self.relay.handle(now, Input::LinkClosed { peer });
        self.relaying.forget(peer);
        self.permission.forget(peer);
        self.roster.outpost_gone(now, peer);
        if self.source.take_if(|source| *source == peer).is_some() {
            self.go_offline(false);
        }
        self.idle_since = self.members.is_empty().then_some(now);
        Some(member)
    }

    fn deadline(&self) -> Timestamp {
        let idle = self.idle_since.map(|since| since + self.shell.config().limits.idle_channel);
        let review = (!self.members.is_empty()).then_some(self.relaying.review_at);
        let lost = self.programme.deadline(self.shell.config().limits.idle_channel);
        let timeouts = [self.relay.poll_timeout(), self.roster.poll_timeout(), idle, review, lost];
        let hour = self.shell.clock.now() + Duration::from_secs(3600);
        timeouts.into_iter().flatten().min().unwrap_or(hour)
    }

    fn is_idle(&self) -> bool {
        let over = |since| self.shell.clock.now() >= since + self.shell.config().limits.idle_channel;
        self.idle_since.is_some_and(over)
    }
}

/// Sends away who comes while the task ends.
fn turn_away(waiting: ToChannel, (code, message): (Refusal, &str)) {
    if let ToChannel::Join { member, .. } | ToChannel::Announce { member, .. } = waiting {
        member.refuse(code, message);
    }
}

fn refuse(member: Option<Member>, code: Refusal, message: &str) {
    if let Some(member) = member {
        member.refuse(code, message);
    }
}

/// A relay has a budget instead of a viewer's caps (see `relaying`): as many links as there may be sessions, made as
/// often as they come.
fn relay_config(limits: &Limits) -> SwarmConfig {
    SwarmConfig {
        links_max: limits.sessions_max,
        link_creations_per_hour: usize::MAX,
        upload_cap_x: f32::MAX,
        ..SwarmConfig::default()
    }
}
