//! One member of a broadcast, as the tracker knows it.

use std::collections::BTreeMap;
use std::time::Duration;

use wire::limits::STRIPES_MAX;
use wire::session::Report;
use wire::{PeerId, StripeSet};

use super::pairing::Attempt;
use super::reach::Reach;
use super::received::LastReport;
use super::tree::Seat;
use super::upload::Upload;
use crate::{Timestamp, table::Table};

/// A link that was asked for and is not reported after this long was never made.
pub(super) const LINKING_MAX: Duration = Duration::from_secs(20);

/// Children that a parent failed are remembered for this long.
pub(super) const COMPLAINTS_KEPT: Duration = Duration::from_secs(5);

/// First time as a leaf for a parent that fails its children; twice as long at every further failure.
const DEMOTION_FIRST: Duration = Duration::from_secs(60);

/// One member. One that is not `present` was named by somebody who came back to a restarted tracker before it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) peer: PeerId,
    pub(super) present: bool,
    pub(super) sharing: bool,
    pub(super) joined: Timestamp,
    pub(super) upload: Upload,
    /// Stripes that it passes on.
    pub(super) homes: StripeSet,
    /// Stripes that somebody feeds it, as far as it has reported: in others it is of no use as a parent.
    pub(super) fed: StripeSet,
    /// When it last was fed by its parent in each stripe, as it reports, or has been given another parent.
    pub(super) served: [Timestamp; STRIPES_MAX as usize],
    /// Links that it reports, in rising order.
    pub(super) links: Vec<PeerId>,
    /// Links that were asked for and not yet reported.
    pub(super) linking: Table<PeerId, Attempt>,
    /// When the latest of those links was asked for that have opened.
    pub(super) latest_opened: Option<Timestamp>,
    /// Others that no link could be made with, in a row.
    pub(super) unlinked: u32,
    /// What is believed of its network.
    pub(super) reach: Reach,
    /// When it is worth another attempt, if hardly anyone reaches it.
    pub(super) probe_at: Timestamp,
    /// Children that it failed lately, and when.
    pub(super) complaints: BTreeMap<Seat, Timestamp>,
    /// Feeds nobody before then.
    pub(super) demoted_until: Timestamp,
    demotions: u32,
    /// The relay elsewhere that is named to it in place of the tracker's, and for how many stripes.
    pub(super) stand_in: Option<(PeerId, usize)>,
    /// Slots and homes as they stand in the Roster's sums.
    pub(super) counted: (usize, StripeSet),
    pub(super) is_counted: bool,
    /// Homes under which it stands among those with upload to spare.
    pub(super) spare_as: Option<usize>,
    /// What it reported last to have received.
    pub(super) reported: LastReport,
}

impl Member {
    pub(super) fn new(now: Timestamp, peer: PeerId, upload: Upload) -> Self {
        Member {
            peer,
            present: false,
            sharing: false,
            joined: now,
            upload,
            homes: StripeSet::EMPTY,
            fed: StripeSet::all(STRIPES_MAX),
            served: [now; STRIPES_MAX as usize],
            links: Vec::new(),
            linking: Table::new(),
            latest_opened: None,
            unlinked: 0,
            reach: Reach::UNKNOWN,
            probe_at: now,
            complaints: BTreeMap::new(),
            demoted_until: Timestamp::default(),
            demotions: 0,
            stand_in: None,
            counted: (0, StripeSet::EMPTY),
            is_counted: false,
            spare_as: None,
            reported: LastReport::default(),
        }
    }

    /// A session begins; what was known of an earlier one is void, but for its failures.
    pub(super) fn become_present(&mut self, now: Timestamp, sharing: bool, upload: Upload) {
        // Who only opens another session counts on.
        if !self.present {
            self.reported = LastReport::begin(now, &Report::default());
        }
        self.present = true;
        self.sharing = sharing;
        self.joined = now;
        self.upload = upload;
        self.links.clear();
        self.linking.clear();
        self.unlinked = 0;
        (self.latest_opened, self.reach, self.probe_at) = (None, Reach::UNKNOWN, now);
    }

    /// Here, and ready to be linked with others.
    pub(super) fn takes_part(&self) -> bool {
        self.present && self.sharing
    }

    /// Stripe feeds that it can give at once.
    pub(super) fn slots(&self, now: Timestamp) -> usize {
        if self.takes_part() && self.demoted_until <= now { self.upload.slots() } else { 0 }
    }

    /// Linked, or about to be.
    pub(super) fn met(&self, peer: PeerId) -> bool {
        self.links.binary_search(&peer).is_ok() || self.linking.contains_key(&peer)
    }

    pub(super) fn link_count(&self) -> usize {
        self.links.len() + self.linking.len()
    }

    pub(super) fn forget(&mut self, peer: PeerId) {
        if let Ok(at) = self.links.binary_search(&peer) {
            self.links.remove(at);
        }
        self.linking.remove(&peer);
    }

    /// Whether it is linked with these and no others.
    pub(super) fn has_links(&self, links: &[PeerId]) -> bool {
        links.len() == self.links.len() && links.iter().all(|peer| self.links.binary_search(peer).is_ok())
    }

    /// Takes over what a report says of links and feeds.
    pub(super) fn note(&mut self, now: Timestamp, report: &Report) {
        if report.links.iter().any(|peer| self.links.binary_search(peer).is_err()) {
            self.unlinked = 0;
        }
        if !report.feeds.is_empty() {
            let feeds = (0u8..).zip(&report.feeds);
            self.fed = feeds.filter(|(_, feed)| feed.is_some()).map(|(stripe, _)| stripe).collect();
        }
        self.links.clone_from(&report.links);
        self.links.sort_unstable();
        let links = &self.links;
        let waiting = |peer: &PeerId, attempt: &Attempt| {
            links.binary_search(peer).is_err() && now.since(attempt.since) < LINKING_MAX
        };
        self.linking.retain(|peer, attempt| waiting(peer, attempt));
    }

    /// A parent that failed several of its children is a leaf for a while.
    pub(super) fn demote(&mut self, now: Timestamp) {
        self.complaints.clear();
        self.demoted_until = now + DEMOTION_FIRST * 2u32.pow(self.demotions.min(6));
        self.demotions += 1;
    }
}
