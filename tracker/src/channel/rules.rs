//! What a channel's owner allows: how many watch, and whether they pass the broadcast on to each other.
//!
//! What is forbidden later counts for those who come after it; what is allowed, for everyone.

use std::collections::HashSet;

use swarm::Timestamp;
use wire::PeerId;
use wire::session::SharingRule;

use super::ChannelTask;
use crate::store::settings::{ChannelSettings, Sharing};

/// A swarm that has been shared stays so until a quarter of the viewers that it takes is lacking: a swarm whose size goes
/// up and down by one is not taken apart each time.
const STAYS_SHARED_ABOVE: u32 = 4;

/// The rules in force, as the newest viewer brought them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    viewers_max: Option<u32>,
    sharing: Sharing,
    sharing_viewers_min: u32,
}

/// Who may pass on what it gets.
#[derive(Debug, Default)]
pub(super) struct Permission {
    rules: Rules,
    /// Whether the swarm is large enough.
    granted: bool,
    /// Viewers that would share, kept only where the rules hold somebody back.
    willing: HashSet<PeerId>,
}

impl Rules {
    /// Those of a channel's settings.
    pub(crate) fn of(settings: &ChannelSettings) -> Self {
        Rules {
            viewers_max: settings.viewers_max,
            sharing: settings.sharing,
            sharing_viewers_min: settings.sharing_viewers_min.unwrap_or(0),
        }
    }

    /// For viewers.
    pub(super) fn sharing(self) -> Option<SharingRule> {
        match self.sharing {
            Sharing::On => None,
            Sharing::Ask => Some(SharingRule::Ask),
            Sharing::Off => Some(SharingRule::Off),
        }
    }

    fn hold_back(self) -> bool {
        self.sharing == Sharing::Off || self.sharing_viewers_min > 0
    }

    /// Whether a swarm of so many viewers may be shared, that has been (`before`) or not.
    fn grant(self, viewers: u32, before: bool) -> bool {
        let min = self.sharing_viewers_min;
        let wanted = if before { min - min / STAYS_SHARED_ABOVE } else { min };
        self.sharing != Sharing::Off && viewers >= wanted
    }
}

impl Permission {
    pub(super) fn rules(&self) -> Rules {
        self.rules
    }

    pub(super) fn forget(&mut self, peer: PeerId) {
        self.willing.remove(&peer);
    }

    /// Notes whether a viewer would share, and returns whether it may.
    fn ask(&mut self, peer: PeerId, would: bool) -> bool {
        if would && self.rules.hold_back() {
            self.willing.insert(peer);
        } else {
            self.willing.remove(&peer);
        }
        would && (self.granted || !self.rules.hold_back())
    }
}

impl ChannelTask {
    /// Takes over the rules that a newcomer brings. `false`: there is no place for it.
    pub(super) fn has_place(&mut self, peer: PeerId, rules: Rules) -> bool {
        self.permission.rules = rules;
        let full = rules.viewers_max.is_some_and(|max| self.roster.viewers() as u64 >= u64::from(max));
        // Who only opens another session has its place already.
        !full || self.members.unsent_bytes(peer).is_some()
    }

    /// Whether a viewer that would share may do so now.
    pub(super) fn may_share(&mut self, peer: PeerId, would: bool) -> bool {
        self.permission.ask(peer, would)
    }

    /// Lets the swarm be shared when it has become large enough, and ends that when it has become too small.
    pub(super) fn review_sharing(&mut self, now: Timestamp) {
        let Permission { rules, granted, .. } = self.permission;
        if !rules.hold_back() {
            for peer in self.permission.willing.drain() {
                self.roster.sharing(now, peer, true);
            }
            return;
        }
        let grant = rules.grant(self.roster.viewers() as u32, granted);
        if grant != granted {
            self.permission.granted = grant;
            for peer in &self.permission.willing {
                self.roster.sharing(now, *peer, grant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swarm_is_shared_from_its_size_on_and_not_taken_apart_for_one_who_leaves() {
        let settings = ChannelSettings { sharing_viewers_min: Some(8), ..ChannelSettings::default() };
        let rules = Rules::of(&settings);
        assert!(!rules.grant(7, false) && rules.grant(8, false));
        assert!(rules.grant(7, true) && rules.grant(6, true) && !rules.grant(5, true));
        let off = Rules::of(&ChannelSettings { sharing: Sharing::Off, ..settings });
        assert!(!off.grant(100, true));
    }
}
