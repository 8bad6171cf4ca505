//! The chat of one channel: who is there, what was said in this broadcast, who may write and how fast. It is told the time
//! and what visitors say, and answers with what to tell them; sockets, keys and addresses are its shell's.
//!
//! Nothing outlives a broadcast: lines, names and bans go when the next one begins, and lines as soon as this one ends.

mod moderating;
mod pacing;
mod rules;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use swarm::Timestamp;
use wire::{ChannelId, Epoch};

use super::message::{FromVisitor, Line, Objection, Open, Role, State, ToVisitor, Words, You};
use super::words;
use pacing::{HOUSEHOLD_NAMES, Household, Pace};
pub(crate) use rules::Rules;

/// Speakers with a name. 4,096: about 1 MB; those who left are forgotten first.
const SPEAKERS_MAX: usize = 4_096;

/// Bytes of a sealed line: name and text of full length as JSON, nonce and tag, in base64url.
const SEALED_BYTES_MAX: usize = 2_400;

/// Names that sound as if somebody spoke for the server or the channel.
const NAMES_OF_OFFICE: [&str; 8] =
    ["admin", "administrator", "host", "mod", "moderator", "owner", "server", "swarmcast"];

/// One connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct VisitId(pub(crate) u64);

/// Somebody who writes: the hash of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SpeakerId(pub(crate) [u8; 8]);

/// One address, or network of IPv6, hashed with a key that nobody has: it says which are the same and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HouseholdId(pub(crate) [u8; 8]);

/// Who comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visitor {
    pub(crate) speaker: SpeakerId,
    /// `None` on this machine itself, where a proxy may stand for everybody.
    pub(crate) household: Option<HouseholdId>,
}

/// What the server's operator bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Lines that newcomers are shown.
    pub(crate) lines_kept: usize,
    /// Lines of everybody in a second.
    pub(crate) lines_per_second: u32,
    /// Time from one line of a speaker to the next, on average.
    pub(crate) line_every: Duration,
}

/// What to tell, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    /// Everybody.
    All(ToVisitor),
    /// One of them.
    One(VisitId, ToVisitor),
}

#[derive(Debug)]
struct Visit {
    visitor: Visitor,
    /// A key that was proven, whether or not it is a moderator's now.
    key: Option<ChannelId>,
}

#[derive(Debug)]
struct Speaker {
    name: String,
    looks: String,
    /// What they were when they took the name, or have become since: who may take it from them.
    role: Role,
    lines: Pace,
    said_at: Option<Timestamp>,
    used_at: Timestamp,
}

#[derive(Debug)]
struct Kept {
    line: Line,
    visitor: Visitor,
}

#[derive(Debug)]
struct Ban {
    number: u64,
    name: String,
    visitor: Visitor,
}

/// Why something is not done, and how long to wait before asking again.
type Refused = (Objection, Option<Duration>);

/// The chat of one channel.
#[derive(Debug)]
pub(crate) struct Room {
    bounds: Bounds,
    rules: Rules,
    /// Unix time in milliseconds of the clock's zero.
    zero_unix_ms: u64,
    broadcast: Option<Epoch>,
    /// The broadcast that what is kept belongs to.
    last: Option<Epoch>,
    sealed: bool,
    slow_s: u32,
    visits: BTreeMap<VisitId, Visit>,
    speakers: BTreeMap<SpeakerId, Speaker>,
    /// Who has a name that looks so.
    names: BTreeMap<String, SpeakerId>,
    households: BTreeMap<HouseholdId, Household>,
    bans: VecDeque<Ban>,
    lines: VecDeque<Kept>,
    pace: Pace,
    numbered: u64,
    outputs: VecDeque<Output>,
}

impl Room {
    pub(crate) fn new(bounds: Bounds, rules: Rules, zero_unix_ms: u64) -> Self {
        let slow_s = rules.slow_s;
        Room {
            bounds,
            rules,
            zero_unix_ms,
            broadcast: None,
            last: None,
            sealed: false,
            slow_s,
            visits: BTreeMap::new(),
            speakers: BTreeMap::new(),
            names: BTreeMap::new(),
            households: BTreeMap::new(),
            bans: VecDeque::new(),
            lines: VecDeque::new(),
            pace: Pace::default(),
            numbered: 0,
            outputs: VecDeque::new(),
        }
    }

    /// What to tell next.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Nobody is here, and nothing is on.
    pub(crate) fn is_idle(&self) -> bool {
        self.visits.is_empty() && self.broadcast.is_none()
    }

    /// A broadcast is on the air. The same one again changes nothing.
    pub(crate) fn begin(&mut self, epoch: Epoch) {
        if self.last != Some(epoch) {
            self.forget();
            self.last = Some(epoch);
            self.slow_s = self.rules.slow_s;
            self.outputs.push_back(Output::All(ToVisitor::Cleared));
        }
        self.change(|room| room.broadcast = Some(epoch));
    }

    /// The broadcast has ended.
    pub(crate) fn over(&mut self) {
        self.lines.clear();
        self.change(|room| room.broadcast = None);
    }

    /// Whether what is on the air is for those with the whole link.
    pub(crate) fn seal(&mut self, sealed: bool) {
        if sealed != self.sealed {
            self.lines.clear();
            self.outputs.push_back(Output::All(ToVisitor::Cleared));
        }
        self.change(|room| room.sealed = sealed);
    }

    /// The channel's settings are these now.
    pub(crate) fn set_rules(&mut self, rules: Rules) {
        let keyed = self.visits.iter().filter_map(|(id, visit)| Some((*id, visit.key?)));
        let changed: Vec<_> =
            keyed.filter(|(_, key)| self.rules.role(Some(*key)) != rules.role(Some(*key))).collect();
        self.change(|room| {
            if rules.slow_s != room.rules.slow_s {
                room.slow_s = rules.slow_s;
            }
            room.rules = rules;
        });
        changed.into_iter().for_each(|(visit, _)| self.take_office(visit));
    }

    pub(crate) fn enter(&mut self, id: VisitId, visitor: Visitor) {
        let visit = Visit { visitor, key: None };
        let lines = self.lines.iter().map(|kept| kept.line.clone()).collect();
        let you = self.you(&visit);
        self.visits.insert(id, visit);
        self.outputs.push_back(Output::One(id, ToVisitor::Welcome { state: self.state(), you, lines }));
    }

    pub(crate) fn leave(&mut self, visit: VisitId) {
        self.visits.remove(&visit);
    }

    /// A visitor's connection has proven a key. One that is no moderator's yet may become it.
    pub(crate) fn proven(&mut self, visit: VisitId, key: ChannelId) -> Result<(), Objection> {
        let Some(known) = self.visits.get_mut(&visit) else { return Err(Objection::BadMessage) };
        known.key = Some(key);
        self.take_office(visit);
        if self.rules.role(Some(key)) == Role::Guest { Err(Objection::NotListed) } else { Ok(()) }
    }

    /// What a visitor says. Whoever is refused is told why.
    pub(crate) fn handle(
        &mut self,
        now: Timestamp,
        visit: VisitId,
        said: FromVisitor,
    ) -> Result<(), Objection> {
        let done = self.act(now, visit, said);
        done.map_err(|(reason, wait)| {
            let wait_ms = wait.map(|wait| wait.as_millis() as u64 + 1);
            self.outputs.push_back(Output::One(visit, ToVisitor::Refused { reason, wait_ms }));
            reason
        })
    }

    fn act(&mut self, now: Timestamp, visit: VisitId, said: FromVisitor) -> Result<(), Refused> {
        let Some(Visit { visitor, key }) = self.visits.get(&visit) else {
            return Err((Objection::BadMessage, None));
        };
        let (visitor, role) = (*visitor, self.rules.role(*key));
        match said {
            FromVisitor::Name { name } => self.name(now, visitor, role, &name),
            FromVisitor::Say(words) => self.say(now, visitor, role, words),
            FromVisitor::Delete { id } => self.delete(visitor, role, id).map_err(plain),
            FromVisitor::Ban { id } => self.ban(role, id).map_err(plain),
            FromVisitor::Lift { ban } => self.lift(role, ban).map_err(plain),
            FromVisitor::Slow { seconds } => self.slow(role, seconds).map_err(plain),
            FromVisitor::Enter { .. } | FromVisitor::Prove { .. } => Err((Objection::BadMessage, None)),
        }
    }

    fn name(&mut self, now: Timestamp, visitor: Visitor, role: Role, said: &str) -> Result<(), Refused> {
        self.check_open(visitor)?;
        if self.sealed {
            return Err((Objection::Sealing, None));
        }
        let name = words::name(said).ok_or((Objection::BadName, None))?;
        let looks = words::looks(&name);
        if !self.rules.links && role == Role::Guest && words::has_link(&name) {
            return Err((Objection::Link, None));
        }
        if self.is_reserved(&looks, role) || self.is_held(&looks, visitor.speaker, role) {
            return Err((Objection::NameTaken, None));
        }
        if let Some(household) = self.household(now, visitor) {
            household.names.take(now, HOUSEHOLD_NAMES).map_err(|wait| (Objection::TooFast, Some(wait)))?;
        }
        let before = self.release(visitor.speaker).map(|speaker| (speaker.lines, speaker.said_at));
        // A moderator takes their name back from whoever looks like them.
        if let Some(holder) = self.names.get(&looks).copied() {
            self.release(holder);
            self.tell_each(|visitor| visitor.speaker == holder);
        }
        self.make_room_for_speaker()?;
        self.names.insert(looks.clone(), visitor.speaker);
        let (lines, said_at) = before.unwrap_or_default();
        let speaker = Speaker { name, looks, role, lines, said_at, used_at: now };
        self.speakers.insert(visitor.speaker, speaker);
        self.tell_each(|other| other.speaker == visitor.speaker);
        Ok(())
    }

    fn say(&mut self, now: Timestamp, visitor: Visitor, role: Role, said: Words) -> Result<(), Refused> {
        self.check_open(visitor)?;
        let words = match said {
            Words::Text(text) if !self.sealed => {
                self.named(visitor.speaker).ok_or((Objection::NoName, None))?;
                let text = words::text(&text).ok_or((Objection::BadText, None))?;
                if !self.rules.links && role == Role::Guest && words::has_link(&text) {
                    return Err((Objection::Link, None));
                }
                Words::Text(text)
            }
            Words::Sealed(sealed) if self.sealed => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                if sealed.is_empty() || sealed.len() > SEALED_BYTES_MAX || !sealed.bytes().all(plain) {
                    return Err((Objection::BadText, None));
                }
                self.seat_unnamed(now, visitor, role)?;
                Words::Sealed(sealed)
            }
            _ => return Err((Objection::Sealing, None)),
        };
        self.keep_pace(now, visitor, role)?;
        let name = match words {
            Words::Text(_) => self.named(visitor.speaker).unwrap_or_default().to_owned(),
            Words::Sealed(_) => String::new(),
        };
        self.numbered += 1;
        let line = Line {
            id: self.numbered,
            by: by(visitor.speaker),
            role,
            name,
            words,
            at_ms: self.zero_unix_ms + now.as_millis(),
        };
        self.outputs.push_back(Output::All(ToVisitor::Line(line.clone())));
        self.lines.push_back(Kept { line, visitor });
        while self.lines.len() > self.bounds.lines_kept {
            self.lines.pop_front();
        }
        Ok(())
    }

    fn check_open(&self, visitor: Visitor) -> Result<(), Refused> {
        if self.open() != Open::Yes {
            return Err((Objection::Closed, None));
        }
        if self.is_banned(visitor) { Err((Objection::Banned, None)) } else { Ok(()) }
    }

    fn open(&self) -> Open {
        match (self.rules.off, self.broadcast) {
            (true, _) => Open::Off,
            (false, Some(_)) => Open::Yes,
            (false, None) => Open::Waiting,
        }
    }

    fn state(&self) -> State {
        State { open: self.open(), slow_s: self.slow_s, links: self.rules.links, sealed: self.sealed }
    }

    fn you(&self, visit: &Visit) -> You {
        let speaker = visit.visitor.speaker;
        let name = self.named(speaker).unwrap_or_default().to_owned();
        let (role, banned) = (self.rules.role(visit.key), self.is_banned(visit.visitor));
        You { by: by(speaker), role, name, banned }
    }

    fn named(&self, speaker: SpeakerId) -> Option<&str> {
        self.speakers.get(&speaker).map(|speaker| speaker.name.as_str()).filter(|name| !name.is_empty())
    }

    /// What a speaker has proven to be, on any of their connections.
    fn office(&self, speaker: SpeakerId) -> Role {
        let visits = self.visits.values().filter(|visit| visit.visitor.speaker == speaker);
        visits.map(|visit| self.rules.role(visit.key)).max().unwrap_or(Role::Guest)
    }

    /// An office protects from a ban of the whole household.
    fn is_banned(&self, visitor: Visitor) -> bool {
        self.bans.iter().any(|ban| ban.visitor.is_like(visitor))
            && self.office(visitor.speaker) == Role::Guest
    }

    fn is_reserved(&self, looks: &str, role: Role) -> bool {
        let owners = self.rules.owners_names.iter().any(|name| name == looks);
        (owners && role != Role::Owner)
            || (role == Role::Guest && NAMES_OF_OFFICE.iter().any(|office| words::looks(office) == looks))
    }

    /// Whether somebody else has a name that looks so, whom this role cannot take it from.
    fn is_held(&self, looks: &str, speaker: SpeakerId, role: Role) -> bool {
        let holder = self.names.get(looks).filter(|holder| **holder != speaker);
        holder.and_then(|holder| self.speakers.get(holder)).is_some_and(|holder| holder.role >= role)
    }

    /// In a private channel names are sealed with the words: a speaker needs none here.
    fn seat_unnamed(&mut self, now: Timestamp, visitor: Visitor, role: Role) -> Result<(), Refused> {
        if !self.speakers.contains_key(&visitor.speaker) {
            self.make_room_for_speaker()?;
            let (name, looks) = (String::new(), String::new());
            let speaker = Speaker { name, looks, role, lines: Pace::default(), said_at: None, used_at: now };
            self.speakers.insert(visitor.speaker, speaker);
        }
        Ok(())
    }

    fn make_room_for_speaker(&mut self) -> Result<(), Refused> {
        if self.speakers.len() < SPEAKERS_MAX {
            return Ok(());
        }
        let here: Vec<SpeakerId> = self.visits.values().map(|visit| visit.visitor.speaker).collect();
        let gone = self.speakers.iter().filter(|(id, _)| !here.contains(id));
        let oldest = gone.min_by_key(|(_, speaker)| speaker.used_at).map(|(id, _)| *id);
        oldest.map(|oldest| drop(self.release(oldest))).ok_or((Objection::Busy, None))
    }

    /// A speaker has no name any more.
    fn release(&mut self, speaker: SpeakerId) -> Option<Speaker> {
        let released = self.speakers.remove(&speaker)?;
        if self.names.get(&released.looks) == Some(&speaker) {
            self.names.remove(&released.looks);
        }
        Some(released)
    }

    /// A connection's key has become something else here.
    fn take_office(&mut self, id: VisitId) {
        let Some(visit) = self.visits.get(&id) else { return };
        let (speaker, role, you) = (visit.visitor.speaker, self.rules.role(visit.key), self.you(visit));
        if let Some(speaker) = self.speakers.get_mut(&speaker) {
            speaker.role = role;
        }
        self.outputs.push_back(Output::One(id, ToVisitor::You(you)));
        if role > Role::Guest {
            self.outputs.push_back(Output::One(id, self.bans()));
        }
    }

    /// Tells these what holds for them.
    fn tell_each(&mut self, which: impl Fn(Visitor) -> bool) {
        for (id, visit) in self.visits.iter().filter(|(_, visit)| which(visit.visitor)) {
            self.outputs.push_back(Output::One(*id, ToVisitor::You(self.you(visit))));
        }
    }

    /// Changes something, and tells everybody what holds if that is something else now.
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.state();
        change(self);
        if self.state() != before {
            self.outputs.push_back(Output::All(ToVisitor::State(self.state())));
        }
    }

    fn forget(&mut self) {
        self.lines.clear();
        self.speakers.clear();
        self.names.clear();
        self.households.clear();
        self.bans.clear();
        self.tell_each(|_| true);
    }
}

impl Visitor {
    /// The same speaker, or somebody of the same household.
    fn is_like(self, other: Visitor) -> bool {
        self.speaker == other.speaker || (self.household.is_some() && self.household == other.household)
    }
}

fn plain(reason: Objection) -> Refused {
    (reason, None)
}

fn by(speaker: SpeakerId) -> String {
    data_encoding::HEXLOWER.encode(&speaker.0)
}

#[cfg(test)]
mod tests;
