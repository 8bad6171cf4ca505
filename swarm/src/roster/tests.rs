//! The Roster alone: every order of events leaves trees that are true, shallow and within everyone's upload.

use proptest::prelude::*;

use super::*;

const SOURCE: PeerId = PeerId(1_000);

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn with_source() -> Roster {
    let mut roster = Roster::new(RosterConfig::default(), 1);
    roster.join(at(0), SOURCE, RosterRole::Source, true, Report::default());
    roster
}

fn grown(viewers: u64) -> Roster {
    let mut roster = with_source();
    for viewer in 1..=viewers {
        roster.join(at(viewer * 100), PeerId(viewer), RosterRole::Viewer, true, Report::default());
    }
    (0..60).for_each(|tick| roster.wake(at(viewers * 100 + tick * 500)));
    roster
}

/// Counts are true, nobody feeds more than it can, and no tree has a cycle.
fn check(roster: &Roster) {
    for (&peer, member) in &roster.members {
        assert_eq!(member.children, roster.count_children(peer), "{peer}'s children are counted");
        assert!(roster.load(peer) <= member.slots, "{peer} is asked for {}", roster.load(peer));
        for stripe in 0..roster.stripes {
            let parent = roster.parent(peer, stripe);
            assert!(parent.is_none_or(|parent| !roster.is_below(parent, peer, stripe)), "a cycle at {peer}");
        }
    }
}

#[test]
fn everyone_is_fed_and_trees_stay_shallow() {
    for viewers in (1..=12).chain([30, 100, 300]) {
        let roster = grown(viewers);
        check(&roster);
        let unfed = roster.viewers_sharing().filter(|&viewer| roster.is_unfed(viewer)).count();
        assert_eq!(unfed, 0, "of {viewers}");
        let deepest = roster.view().depths.into_iter().max().unwrap();
        assert!(deepest <= 2 + viewers.ilog2() as usize, "{deepest} levels for {viewers}");
    }
}

#[test]
fn homes_are_dealt_out_so_that_a_loss_costs_one_stripe() {
    let roster = grown(12);
    let most = roster.viewers_sharing().map(|viewer| roster.members[&viewer].homes.len()).max();
    assert_eq!(most, Some(1));
}

#[test]
fn those_who_share_nothing_feed_nobody_and_are_named_to_nobody() {
    let mut roster = with_source();
    roster.join(at(0), PeerId(1), RosterRole::Viewer, false, Report::default());
    roster.join(at(0), PeerId(2), RosterRole::Viewer, true, Report::default());
    roster.wake(at(1_000));
    let told = std::iter::from_fn(|| roster.poll_output()).find(|output| output.to == PeerId(1));
    assert!(told.is_none_or(|output| matches!(output.message, FromTracker::Viewers { .. })));
    assert!(!roster.may_signal(PeerId(1), PeerId(2)) && !roster.may_signal(PeerId(2), PeerId(1)));
    check(&roster);
}

#[test]
fn a_parent_that_fails_its_children_loses_its_place_near_the_source() {
    let mut roster = grown(6);
    let root = roster.viewers_sharing().find(|&viewer| roster.parent(viewer, 0) == Some(SOURCE)).unwrap();
    let children: Vec<_> = roster.viewers_sharing().filter(|&v| roster.parent(v, 0) == Some(root)).collect();
    let now = at(60_000);
    children.iter().for_each(|&child| roster.orphaned(now, child, StripeSet::only(0), root));
    roster.wake(now);
    assert_eq!(roster.load(root), 0);
    let heir = roster.viewers_sharing().find(|&viewer| roster.parent(viewer, 0) == Some(SOURCE));
    assert!(heir.is_some_and(|heir| heir != root), "somebody else is fed by the source");
    check(&roster);
}

#[test]
fn a_restarted_tracker_leaves_feeds_as_they_are() {
    let before = grown(8);
    let mut after = with_source();
    for viewer in before.viewers_sharing() {
        let feeds = before.members[&viewer].parents.clone();
        after.join(at(100), viewer, RosterRole::Viewer, true, Report { feeds, ..Report::default() });
    }
    check(&after);
    for viewer in before.viewers_sharing() {
        assert_eq!(after.members[&viewer].parents, before.members[&viewer].parents);
    }
}

proptest! {
    #[test]
    fn no_order_of_events_breaks_the_trees(events in prop::collection::vec((0u8..6, 1u64..12, 0u64..13), 1..120)) {
        let mut roster = with_source();
        for (step, (kind, peer, other)) in (1u64..).zip(events) {
            let (now, peer, other) = (at(step * 600), PeerId(peer), PeerId(other));
            match kind {
                0 | 1 => roster.join(now, peer, RosterRole::Viewer, true, Report::default()),
                2 => roster.leave(now, peer),
                3 => roster.orphaned(now, peer, StripeSet(0b101), other),
                4 => roster.sharing(now, peer, other.0 % 2 == 0),
                _ => {
                    let lie = Report { capacity_bps: Some(u32::MAX), links: vec![other], ..Report::default() };
                    roster.report(now, peer, lie);
                }
            }
            roster.wake(now);
            check(&roster);
        }
    }
}
