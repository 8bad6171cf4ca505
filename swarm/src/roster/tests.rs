//! The Roster alone: every order of events leaves trees that are true, shallow and within everyone's upload.

use proptest::prelude::*;

use super::reach::Reach;
use super::unfed::REPAIRS_AT_ONCE;
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
    for tick in 0..60 {
        let now = at(viewers * 100 + tick * 500);
        roster.wake(now);
        if tick % 4 == 0 {
            let copes = Report { capacity_bps: Some(12_000_000), uplink_busy: Some(20), ..Report::default() };
            (1..=viewers).for_each(|viewer| says(&mut roster, now, PeerId(viewer), &copes));
        }
    }
    roster
}

/// A viewer reports, and all links that it was to make are open.
fn says(roster: &mut Roster, now: Timestamp, viewer: PeerId, report: &Report) {
    let member = roster.seat(viewer).and_then(|seat| roster.member(seat));
    let links = member.map(|member| member.links.iter().chain(member.linking.keys()).copied().collect());
    roster.report(now, viewer, &Report { links: links.unwrap_or_default(), ..report.clone() });
}

/// Sums are true, nobody feeds more than it can, and every parent is here.
fn check(roster: &Roster, now: Timestamp) {
    let (mut slots, mut sharing) = (0, 0);
    for (&peer, &seat) in &roster.seats {
        let member = roster.member(seat).unwrap();
        assert_eq!(member.peer, peer);
        slots += member.counted.0;
        sharing += usize::from(member.takes_part());
        assert!(roster.load(seat) <= member.slots(now), "{peer} is asked for {}", roster.load(seat));
        let fed = (0..roster.stripes).all(|stripe| roster.tree(stripe).parent(seat).is_some());
        assert_eq!(roster.unfed.contains(&seat), member.takes_part() && !fed, "{peer}");
        for stripe in 0..roster.stripes {
            let parent = roster.tree(stripe).parent(seat);
            assert!(parent.is_none_or(|parent| parent == Seat::ROOT || roster.member(parent).is_some()));
        }
    }
    assert_eq!((slots, sharing), (roster.slots, roster.sharing));
}

fn seats(roster: &Roster) -> Vec<Seat> {
    roster.seats.values().copied().collect()
}

fn parent(roster: &Roster, seat: Seat, stripe: u8) -> Option<Seat> {
    roster.tree(stripe).parent(seat)
}

#[test]
fn the_broadcaster_is_told_how_many_watch() {
    let mut roster = grown(3);
    let told = std::iter::from_fn(|| roster.poll_output()).filter(|output| output.to == SOURCE);
    let counts = told.filter_map(|output| match output.message {
        FromTracker::Viewers { count } => Some(count),
        _ => None,
    });
    assert_eq!(counts.last(), Some(3));
}

#[test]
fn everyone_is_fed_and_trees_stay_shallow() {
    for viewers in (1..=12).chain([30, 100, 300]) {
        let roster = grown(viewers);
        check(&roster, at(viewers * 100 + 30_000));
        assert_eq!(roster.unfed.len(), 0, "of {viewers}");
        let deepest = roster.view().depths.into_iter().max().unwrap();
        assert!(deepest <= 2 + viewers.ilog2() as usize, "{deepest} levels for {viewers}");
    }
}

#[test]
fn homes_are_dealt_out_so_that_a_loss_costs_one_stripe() {
    let roster = grown(12);
    let most = seats(&roster).into_iter().map(|seat| roster.homes(seat).len()).max();
    assert!(most <= Some(2), "{most:?}: two for those who pass on more than eight feeds");
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
    check(&roster, at(1_000));
}

#[test]
fn a_parent_that_fails_its_children_loses_its_place_near_the_source() {
    let mut roster = grown(6);
    let root = seats(&roster).into_iter().find(|&seat| parent(&roster, seat, 0) == Some(Seat::ROOT)).unwrap();
    let (liar, now) = (roster.peer(root).unwrap(), at(60_000));
    for child in roster.tree(0).children(root).to_vec() {
        let child = roster.peer(child).unwrap();
        roster.orphaned(now, child, StripeSet::only(0), liar, Fault::Lied);
    }
    roster.wake(now);
    assert_eq!(roster.load(root), 0);
    let heir = seats(&roster).into_iter().find(|&seat| parent(&roster, seat, 0) == Some(Seat::ROOT));
    assert!(heir.is_some_and(|heir| heir != root), "somebody else is fed by the source");
    check(&roster, now);
}

/// What a viewer is told to link with from now on.
fn links_asked(roster: &mut Roster, viewer: PeerId) -> Vec<PeerId> {
    let told = std::iter::from_fn(|| roster.poll_output()).filter(|output| output.to == viewer);
    let links = told.filter_map(|output| match output.message {
        FromTracker::Link { peers } => Some(peers),
        _ => None,
    });
    links.flatten().collect()
}

#[test]
fn a_parent_whose_link_was_given_up_is_linked_again() {
    let mut roster = grown(12);
    let child =
        seats(&roster).into_iter().find(|&seat| parent(&roster, seat, 0) != Some(Seat::ROOT)).unwrap();
    let (viewer, named) = (roster.peer(child).unwrap(), parent(&roster, child, 0).unwrap());
    let named = roster.peer(named).unwrap();
    let mut links: Vec<_> = (1..=12).map(PeerId).filter(|&peer| peer != viewer).collect();
    links.push(SOURCE);
    roster.report(at(60_000), viewer, &Report { links: links.clone(), ..Report::default() });
    links_asked(&mut roster, viewer);
    links.retain(|&peer| peer != named);
    roster.report(at(90_000), viewer, &Report { links, ..Report::default() });
    assert_eq!(links_asked(&mut roster, viewer), [named]);
}

#[test]
fn a_parent_that_does_not_feed_is_replaced_while_media_flows() {
    let mut roster = grown(30);
    let child =
        seats(&roster).into_iter().find(|&seat| parent(&roster, seat, 0) != Some(Seat::ROOT)).unwrap();
    let (viewer, idle) = (roster.peer(child).unwrap(), parent(&roster, child, 0).unwrap());
    let mut feeds: Vec<_> =
        (0..6).map(|stripe| roster.peer(parent(&roster, child, stripe).unwrap())).collect();
    let links = (1..=30).map(PeerId).chain([SOURCE]).collect();
    let served = Report { feeds: feeds.clone(), links, from_relay: 50_000, ..Report::default() };
    feeds[0] = Some(PeerId::RELAY);
    let silent = Report { feeds, ..served.clone() };
    roster.report(at(60_000), viewer, &served);
    for second in 61..70 {
        roster.report(at(second * 1_000), viewer, &silent);
        assert_eq!(parent(&roster, child, 0), Some(idle), "nobody is to blame while nothing is published");
    }
    for second in 70..78 {
        roster.report(at(second * 1_000), viewer, &Report { from_relay: second * 1_000, ..silent.clone() });
    }
    assert!(parent(&roster, child, 0).is_some_and(|other| other != idle));
    check(&roster, at(77_000));
}

#[test]
fn who_lacks_a_stripe_is_nobodys_parent_there() {
    let mut roster = grown(30);
    let home =
        |roster: &Roster, seat| roster.homes(seat).contains(0) && roster.tree(0).depth(seat) == Some(1);
    let hungry = seats(&roster).into_iter().find(|&seat| home(&roster, seat)).unwrap();
    let fed = |is_fed: bool| {
        let feed = |stripe| (stripe > 0 || is_fed).then_some(PeerId::RELAY);
        Report { feeds: (0..6).map(feed).collect(), uplink_busy: Some(20), ..Report::default() }
    };
    let open = |roster: &Roster| roster.tree(0).open().any(|(_, seat)| seat == hungry);
    let peer = roster.peer(hungry).unwrap();
    let children = roster.tree(0).children(hungry).to_vec();
    children.into_iter().for_each(|child| roster.set_parent(at(60_000), child, 0, None));
    says(&mut roster, at(60_000), peer, &fed(false));
    assert!(!open(&roster));
    says(&mut roster, at(62_000), peer, &fed(true));
    assert!(open(&roster));
}

#[test]
fn a_swarm_in_which_nothing_changes_is_left_alone_until_somebody_can_give() {
    let mut roster = with_source();
    let shares_nothing = Report { upload_cap_bps: Some(0), ..Report::default() };
    for viewer in 1..=600 {
        roster.join(at(viewer), PeerId(viewer), RosterRole::Viewer, true, Report::default());
        says(&mut roster, at(viewer), PeerId(viewer), &shares_nothing);
    }
    let report_and_wake = |roster: &mut Roster, second: u64| {
        (1..=600).for_each(|viewer| says(roster, at(second * 1_000), PeerId(viewer), &shares_nothing));
        (second..second + 10).for_each(|second| roster.wake(at(second * 1_000)));
        std::iter::from_fn(|| roster.poll_output()).map(|output| output.message).collect::<Vec<_>>()
    };
    // Homes that were dealt for an upload that nobody has are given up, one at a time.
    (1..12).for_each(|round| drop(report_and_wake(&mut roster, round * 10)));
    assert!(roster.unfed.len() > 580);
    assert_eq!(report_and_wake(&mut roster, 120), [], "nothing new is said");

    let gives =
        Report { upload_cap_bps: Some(60_000_000), capacity_bps: Some(60_000_000), ..Report::default() };
    says(&mut roster, at(130_000), PeerId(7), &Report { uplink_busy: Some(10), ..gives });
    (131..140).for_each(|second| roster.wake(at(second * 1_000)));
    assert!(roster.load(roster.seat(PeerId(7)).unwrap()) > 0, "who can give is found");
    check(&roster, at(140_000));
}

#[test]
fn where_nobody_has_anything_to_give_time_alone_costs_nothing() {
    let mut roster = with_source();
    for viewer in 1..=600 {
        roster.join(at(viewer), PeerId(viewer), RosterRole::Viewer, true, Report::default());
    }
    let said = |roster: &mut Roster, seconds: std::ops::Range<u64>| {
        seconds.for_each(|second| roster.wake(at(second * 1_000)));
        std::iter::from_fn(|| roster.poll_output()).count()
    };
    assert!(said(&mut roster, 1..60) > 600);
    assert!(roster.unfed.len() > 300, "half of what is needed is assumed");
    assert_eq!(said(&mut roster, 60..600), 0);
}

#[test]
fn when_a_crowd_leaves_those_who_stay_get_other_parents_some_at_a_time() {
    let mut roster = grown(999);
    let told = |roster: &mut Roster| {
        let outputs = std::iter::from_fn(|| roster.poll_output());
        outputs.filter(|output| matches!(output.message, FromTracker::Parents { .. })).count()
    };
    told(&mut roster);
    let mut now = roster.next_tick;
    (1..=700).for_each(|viewer| roster.leave(now, PeerId(viewer)));
    let mut most = told(&mut roster);
    assert!(!roster.unrepaired.is_empty());
    while !roster.unrepaired.is_empty() {
        now = roster.poll_timeout().unwrap();
        roster.wake(now);
        most = most.max(told(&mut roster));
    }
    assert!(most < 2 * REPAIRS_AT_ONCE, "{most}");
    assert!(
        roster.unfed.len() < 40,
        "{} of 299 lack a parent: they give a little less than is needed",
        roster.unfed.len()
    );
    check(&roster, now);
}

#[test]
fn a_restarted_tracker_leaves_feeds_as_they_are() {
    let before = grown(8);
    let mut after = Roster::new(RosterConfig::default(), 2);
    let feeds = |roster: &Roster, seat: Seat| -> Vec<Option<PeerId>> {
        let parent = |stripe| parent(roster, seat, stripe).and_then(|parent| before.peer(parent));
        (0..6).map(parent).collect()
    };
    for (&peer, &seat) in &before.seats {
        let known = Report { feeds: feeds(&before, seat), ..Report::default() };
        after.join(at(100), peer, RosterRole::Viewer, true, known);
    }
    after.join(at(200), SOURCE, RosterRole::Source, true, Report::default());
    for (&peer, &seat) in &before.seats {
        let there = after.seat(peer).unwrap();
        let now: Vec<_> =
            (0..6).map(|stripe| parent(&after, there, stripe).and_then(|p| after.peer(p))).collect();
        assert_eq!(now, feeds(&before, seat), "{peer}");
    }
}

#[test]
fn who_copes_is_given_more_and_who_does_not_is_given_less() {
    let mut roster = grown(40);
    let busy =
        |percent, bps| Report { capacity_bps: Some(bps), uplink_busy: Some(percent), ..Report::default() };
    // Most turn out to have little to give: the others are asked for more.
    let little = Report { upload_cap_bps: Some(1_000_000), ..Report::default() };
    (11..=40).for_each(|viewer| says(&mut roster, at(50_000), PeerId(viewer), &little));
    (0..20).for_each(|tick| roster.wake(at(50_000 + tick * 500)));
    let full = |seat: &Seat| roster.load(*seat) == roster.member(*seat).unwrap().upload.slots();
    let seat = (1..=10).map(|viewer| roster.seat(PeerId(viewer)).unwrap()).find(full).unwrap();
    let (peer, before) = (roster.peer(seat).unwrap(), roster.load(seat));
    says(&mut roster, at(60_000), peer, &busy(30, 30_000_000));
    assert!(roster.member(seat).unwrap().upload.slots() > before);
    let slots = |roster: &Roster| roster.member(seat).unwrap().upload.slots();
    let before = slots(&roster);
    says(&mut roster, at(62_000), peer, &busy(100, 1_000_000));
    assert!((before / 2..before).contains(&slots(&roster)), "step by step");
    (0..20).for_each(|more| says(&mut roster, at(63_000 + more * 1_000), peer, &busy(100, 1_000_000)));
    assert_eq!(roster.load(seat), 1, "90 % of 1 Mb/s is one stripe of 500 kb/s");
    check(&roster, at(90_000));
}

#[test]
fn who_gives_again_gets_its_share_again() {
    let mut roster = grown(6);
    let report = |cap| Report { upload_cap_bps: Some(cap), ..Report::default() };
    says(&mut roster, at(60_000), PeerId(1), &report(0));
    (0..20).for_each(|tick| roster.wake(at(60_000 + tick * 500)));
    for tick in 0..40 {
        let now = at(70_000 + tick * 500);
        roster.wake(now);
        if tick % 4 == 0 {
            (1..=6).for_each(|viewer| says(&mut roster, now, PeerId(viewer), &report(12_000_000)));
        }
    }
    assert!(roster.load(roster.seat(PeerId(1)).unwrap()) > 0);
}

#[test]
fn a_root_that_has_nothing_to_give_makes_room_for_one_that_has() {
    let mut roster = with_source();
    let gives_nothing = Report { upload_cap_bps: Some(0), ..Report::default() };
    let copes = Report { capacity_bps: Some(30_000_000), uplink_busy: Some(5), ..Report::default() };
    (1..=6).for_each(|viewer| {
        roster.join(at(viewer), PeerId(viewer), RosterRole::Viewer, true, Report::default())
    });
    for tick in 0..60 {
        let now = at(1_000 + tick * 500);
        roster.wake(now);
        if tick % 4 == 0 {
            (1..=3).for_each(|viewer| says(&mut roster, now, PeerId(viewer), &gives_nothing));
            (4..=6).for_each(|viewer| says(&mut roster, now, PeerId(viewer), &copes));
        }
    }
    assert_eq!(roster.unfed.len(), 0, "three give enough for six");
    check(&roster, at(31_000));
}

#[test]
fn a_machine_that_was_held_up_for_a_moment_still_feeds_the_few() {
    let mut roster = grown(6);
    let root = seats(&roster).into_iter().find(|&seat| parent(&roster, seat, 0) == Some(Seat::ROOT)).unwrap();
    let (silent, fed) = (roster.peer(root).unwrap(), roster.load(root));
    for child in roster.tree(0).children(root).to_vec() {
        let child = roster.peer(child).unwrap();
        roster.orphaned(at(60_000), child, StripeSet::only(0), silent, Fault::Silent);
    }
    assert!(roster.load(root) < fed);
    (0..40).for_each(|tick| roster.wake(at(60_000 + tick * 500)));
    assert_eq!(roster.load(root), fed);
    check(&roster, at(80_000));
}

#[test]
fn the_strong_come_near_the_source() {
    let mut roster = grown(200);
    let strong = PeerId(200);
    let modest = Report { upload_cap_bps: Some(2_500_000), ..Report::default() };
    (1..200).for_each(|viewer| says(&mut roster, at(55_000), PeerId(viewer), &modest));
    let seat = roster.seat(strong).unwrap();
    for second in 0..40 {
        let now = at(60_000 + second * 2_000);
        roster.change(now, seat, |member| member.upload.able = 24);
        roster.find_homes(now, seat);
        (0..4).for_each(|tick| roster.wake(at(60_000 + second * 2_000 + tick * 500)));
    }
    let depths: Vec<_> = roster.homes(seat).iter().map(|home| roster.tree(home).depth(seat)).collect();
    assert!(depths.len() >= 3, "24 feeds need three stripes");
    let near = depths.iter().filter(|depth| depth.is_some_and(|depth| depth <= 2));
    assert!(near.count() >= 3, "{depths:?}");
}

#[test]
fn the_source_gives_each_of_its_children_one_stripe_however_strong_they_are() {
    let mut roster = grown(30);
    let modest = Report { upload_cap_bps: Some(2_500_000), ..Report::default() };
    (4..=30).for_each(|viewer| says(&mut roster, at(55_000), PeerId(viewer), &modest));
    for tick in 0..80 {
        let now = at(60_000 + tick * 500);
        for viewer in 1..=3 {
            let strong = roster.seat(PeerId(viewer)).unwrap();
            roster.change(now, strong, |member| member.upload.able = 24);
            roster.find_homes(now, strong);
        }
        roster.wake(now);
    }
    let from_source = |seat| (0..6).filter(|&s| parent(&roster, seat, s) == Some(Seat::ROOT)).count();
    assert_eq!(seats(&roster).into_iter().map(from_source).max(), Some(1));
    check(&roster, at(100_000));
}

/// A newcomer to thirty, whose links with those that `reach` it open, and others do not; then its parents.
fn newcomer(
    roster: &mut Roster,
    reach: impl Fn(PeerId) -> bool,
    seconds: u64,
) -> (PeerId, Vec<Option<PeerId>>) {
    let newcomer = PeerId(31);
    roster.join(at(40_000), newcomer, RosterRole::Viewer, true, Report::default());
    for second in 40..40 + seconds {
        let opens = |peer: PeerId, other: PeerId| {
            (peer != newcomer || reach(other)) && (other != newcomer || reach(peer))
        };
        for peer in (1..=31).map(PeerId).filter(|_| second % 2 == 0) {
            let member = roster.member(roster.seat(peer).unwrap()).unwrap();
            let met = member.links.iter().chain(member.linking.keys()).copied();
            let links = met.filter(|&other| opens(peer, other)).collect();
            roster.report(at(second * 1_000), peer, &Report { links, ..Report::default() });
        }
        roster.wake(at(second * 1_000));
    }
    let seat = roster.seat(newcomer).unwrap();
    (newcomer, (0..6).map(|stripe| roster.feeder(seat, stripe)).collect())
}

#[test]
fn parents_whose_links_do_not_open_are_replaced_before_the_attempts_end() {
    let reach = |other: PeerId| other.0 % 2 == 1;
    let (_, first) = newcomer(&mut grown(30), reach, 1);
    let (_, then) = newcomer(&mut grown(30), reach, 30);
    assert!(first.iter().flatten().any(|&parent| !reach(parent)), "{first:?}");
    assert!(then.iter().all(|parent| parent.is_some_and(reach)), "{then:?}");
}

#[test]
fn who_is_reached_by_nobody_is_left_to_the_relay_and_tried_again_after_minutes() {
    let mut roster = grown(30);
    let (peer, parents) = newcomer(&mut roster, |_| false, 60);
    assert_eq!(parents, [None; 6]);
    links_asked(&mut roster, peer);
    (100..150).for_each(|second| roster.wake(at(second * 1_000)));
    assert_eq!(links_asked(&mut roster, peer), []);
    roster.report(at(200_000), peer, &Report::default());
    (200..300).for_each(|second| roster.wake(at(second * 1_000)));
    assert_ne!(links_asked(&mut roster, peer), []);
}

#[test]
fn a_leaf_makes_room_for_one_that_only_its_parent_reaches() {
    let mut roster = grown(30);
    let now = at(60_000);
    let leaf = |&seat: &Seat| seat != Seat::ROOT && roster.tree(0).children(seat).is_empty();
    let leaf =
        seats(&roster).into_iter().find(|seat| leaf(seat) && parent(&roster, *seat, 0) != Some(Seat::ROOT));
    let chosen = parent(&roster, leaf.unwrap(), 0).unwrap();
    let hard_peer = PeerId(40);
    roster.join(now, hard_peer, RosterRole::Viewer, true, Report::default());
    let hard = roster.seat(hard_peer).unwrap();
    let mut symmetric = Reach::UNKNOWN;
    (0..10).for_each(|attempt| symmetric.learn(&mut { Reach::UNKNOWN }, attempt < 5));
    for seat in seats(&roster) {
        let mut reach = Reach::UNKNOWN;
        (0..4).for_each(|_| reach.learn(&mut { Reach::UNKNOWN }, true));
        (0..4).for_each(|_| reach.learn(&mut { symmetric }, seat == chosen));
        let reach = if seat == hard { symmetric } else { reach };
        roster.change(now, seat, |member| member.reach = reach);
        roster.member_mut(seat).unwrap().forget(hard_peer);
    }
    roster.change(now, hard, |member| member.linking.clear());
    roster.set_parent(now, hard, 0, None);
    let before = roster.tree(0).children(chosen).len();
    assert_eq!(roster.make_room(now, hard, 0), Some(chosen));
    assert_eq!(roster.tree(0).children(chosen).len(), before - 1);
    check(&roster, now);
}

#[test]
fn the_only_other_viewer_is_tried_again_soon_unless_it_declined() {
    for (took_ms, again_after_ms) in [(15_000, 6_000), (100, 31_000)] {
        let mut roster = grown(1);
        let failed = 40_000 + took_ms;
        roster.join(at(40_000), PeerId(2), RosterRole::Viewer, true, Report::default());
        let [one, two] = [PeerId(1), PeerId(2)].map(|peer| roster.seat(peer).unwrap());
        let stripe = (0..6).find(|&stripe| parent(&roster, two, stripe) == Some(one)).unwrap();
        roster.orphaned(at(failed), PeerId(2), StripeSet::EMPTY, PeerId(1), Fault::Unlinked);
        for (ms, named) in [(again_after_ms - 2_000, None), (again_after_ms, Some(one))] {
            roster.wake(at(failed + ms));
            assert_eq!(parent(&roster, two, stripe), named, "{ms} ms after an attempt of {took_ms} ms");
        }
    }
}

/// Feeds that viewers are told to have from the source, and those that are below it and have none named.
fn roots(roster: &Roster) -> (usize, usize) {
    let below = |seat| (0..6).filter(move |&stripe| parent(roster, seat, stripe) == Some(Seat::ROOT));
    let roots = seats(roster).into_iter().flat_map(|seat| below(seat).map(move |stripe| (seat, stripe)));
    let told: Vec<_> = roots.map(|(seat, stripe)| roster.feeder(seat, stripe)).collect();
    let from_source = told.iter().filter(|feeder| **feeder == Some(SOURCE)).count();
    (from_source, told.len() - from_source)
}

fn says_busy(roster: &mut Roster, second: u64, busy: u8) {
    let report = Report { uplink_busy: Some(busy), ..Report::default() };
    roster.report(at(second * 1_000), SOURCE, &report);
    roster.wake(at(second * 1_000));
    check(roster, at(second * 1_000));
}

#[test]
fn a_source_that_lags_while_the_relay_has_no_room_feeds_whom_it_fed() {
    let mut roster = grown(100);
    roster.without_relay(true);
    says_busy(&mut roster, 60, 100);
    assert_eq!(roots(&roster), (11, 0), "the relay could not take its place");
    roster.without_relay(false);
    says_busy(&mut roster, 62, 100);
    assert_eq!(roots(&roster), (0, 11));
}

#[test]
fn a_source_with_a_full_uplink_feeds_the_relay_alone_and_more_when_it_can() {
    let mut roster = grown(100);
    assert_eq!(roots(&roster), (11, 0));
    let root = seats(&roster).into_iter().find(|&seat| parent(&roster, seat, 0) == Some(Seat::ROOT)).unwrap();
    let fed = roster.peer(root).unwrap();
    while roster.poll_output().is_some() {}
    says_busy(&mut roster, 60, 100);
    assert_eq!(roots(&roster), (0, 11), "as many have it from the relay");
    let told: Vec<_> = std::iter::from_fn(|| roster.poll_output()).filter(|told| told.to == fed).collect();
    let mut named = told.iter().filter_map(|told| match &told.message {
        FromTracker::Parents { stripes } => Some(stripes[0].parent),
        _ => None,
    });
    assert_eq!(named.next_back(), Some(None));
    assert!(told.iter().any(|told| told.message == FromTracker::Gone { peer: SOURCE }));
    says_busy(&mut roster, 100, 30);
    assert_eq!(roots(&roster).0, 0, "it rests");
    (21..27).for_each(|step| says_busy(&mut roster, step * 6, 30));
    assert_eq!(roots(&roster), (6, 0));
    says_busy(&mut roster, 200, 99);
    says_busy(&mut roster, 300, 30);
    assert_eq!(roots(&roster).0, 0, "it rests for longer");
}

#[test]
fn who_has_nothing_from_a_relay_that_is_spent_is_fed_by_the_source_whatever_it_says() {
    let mut roster = grown(12);
    says_busy(&mut roster, 60, 100);
    let root = seats(&roster).into_iter().find(|&seat| parent(&roster, seat, 0) == Some(Seat::ROOT)).unwrap();
    let peer = roster.peer(root).unwrap();
    let report = |feed| Report { feeds: vec![feed; 6], ..Report::default() };
    says(&mut roster, at(68_000), peer, &report(Some(PeerId::RELAY)));
    assert_eq!(roots(&roster), (0, 6));
    says(&mut roster, at(75_000), peer, &report(None));
    says_busy(&mut roster, 80, 100);
    assert_eq!(roots(&roster), (6, 0));
}

#[test]
fn a_stream_that_needs_less_is_fed_by_the_source_again() {
    let mut roster = grown(12);
    says_busy(&mut roster, 60, 100);
    roster.set_stream(at(61_000), 6, 1_000_000);
    assert_eq!(roots(&roster), (6, 0));
}

const FAULTS: [Fault; 5] = [Fault::Unlinked, Fault::Refused, Fault::Lost, Fault::Silent, Fault::Lied];

proptest! {
    #[test]
    fn no_order_of_events_breaks_the_trees(events in prop::collection::vec((0u8..6, 1u64..12, 0u64..13), 1..120)) {
        let mut roster = with_source();
        for (step, (kind, peer, other)) in (1u64..).zip(events) {
            let (now, peer, other) = (at(step * 600), PeerId(peer), PeerId(other));
            match kind {
                0 | 1 => roster.join(now, peer, RosterRole::Viewer, true, Report::default()),
                2 => roster.leave(now, peer),
                3 => roster.orphaned(now, peer, StripeSet(0b101), other, FAULTS[step as usize % 5]),
                4 => roster.sharing(now, peer, other.0 % 2 == 0),
                _ => {
                    let lie = Report {
                        capacity_bps: Some(u32::MAX),
                        uplink_busy: Some(other.0 as u8 * 20),
                        links: vec![other],
                        ..Report::default()
                    };
                    roster.report(now, if other.0 == 12 { SOURCE } else { peer }, &lie);
                }
            }
            roster.wake(now);
            check(&roster, now);
        }
    }
}
