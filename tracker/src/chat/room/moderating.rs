//! What the owner and moderators do: lines deleted, speakers banned, everybody slowed down.

use super::{Ban, Kept, Output, Room, Visitor, by};
use crate::chat::message::{BanView, Objection, Role, ToVisitor};
use crate::store::settings::CHAT_SLOW_S_MAX;

/// Bans of one broadcast; the oldest goes first. 1,024: more than moderators press in an evening.
const BANS_MAX: usize = 1_024;

impl Room {
    pub(super) fn delete(&mut self, visitor: Visitor, role: Role, id: u64) -> Result<(), Objection> {
        let kept = self.lines.iter().find(|kept| kept.line.id == id).ok_or(Objection::Unknown)?;
        if kept.visitor.speaker != visitor.speaker && role <= kept.line.role {
            return Err(Objection::NotAllowed);
        }
        self.delete_lines(|kept| kept.line.id == id);
        Ok(())
    }

    pub(super) fn ban(&mut self, role: Role, id: u64) -> Result<(), Objection> {
        let kept = self.lines.iter().find(|kept| kept.line.id == id).ok_or(Objection::Unknown)?;
        let (name, visitor) = (kept.line.name.clone(), kept.visitor);
        if role == Role::Guest || role <= kept.line.role.max(self.office(visitor.speaker)) {
            return Err(Objection::NotAllowed);
        }
        if !self.is_banned(visitor) {
            self.numbered += 1;
            self.bans.push_back(Ban { number: self.numbered, name, visitor });
        }
        while self.bans.len() > BANS_MAX {
            self.bans.pop_front();
        }
        self.delete_lines(|kept| kept.visitor.speaker == visitor.speaker && kept.line.role == Role::Guest);
        self.tell_of_bans(visitor);
        Ok(())
    }

    pub(super) fn lift(&mut self, role: Role, number: u64) -> Result<(), Objection> {
        if role == Role::Guest {
            return Err(Objection::NotAllowed);
        }
        let at = self.bans.iter().position(|ban| ban.number == number).ok_or(Objection::Unknown)?;
        if let Some(lifted) = self.bans.remove(at) {
            self.tell_of_bans(lifted.visitor);
        }
        Ok(())
    }

    pub(super) fn slow(&mut self, role: Role, seconds: u32) -> Result<(), Objection> {
        if role == Role::Guest {
            return Err(Objection::NotAllowed);
        }
        if seconds > CHAT_SLOW_S_MAX {
            return Err(Objection::BadMessage);
        }
        self.change(|room| room.slow_s = seconds);
        Ok(())
    }

    pub(super) fn delete_lines(&mut self, which: impl Fn(&Kept) -> bool) {
        let ids: Vec<u64> = self.lines.iter().filter(|kept| which(kept)).map(|kept| kept.line.id).collect();
        self.lines.retain(|kept| !which(kept));
        if !ids.is_empty() {
            self.outputs.push_back(Output::All(ToVisitor::Deleted { ids }));
        }
    }

    /// Those whom a ban is about hear what holds for them, moderators hear of all bans.
    pub(super) fn tell_of_bans(&mut self, about: Visitor) {
        self.tell_each(|visitor| visitor.is_like(about));
        for (id, _) in self.visits.iter().filter(|(_, visit)| self.rules.role(visit.key) > Role::Guest) {
            self.outputs.push_back(Output::One(*id, self.bans()));
        }
    }

    pub(super) fn bans(&self) -> ToVisitor {
        let view =
            |ban: &Ban| BanView { ban: ban.number, by: by(ban.visitor.speaker), name: ban.name.clone() };
        ToVisitor::Bans { bans: self.bans.iter().map(view).collect() }
    }
}
