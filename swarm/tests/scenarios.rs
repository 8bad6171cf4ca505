//! Swarms in simulated time, told as stories.

#![allow(clippy::unwrap_used)] // The harness fails loudly.

mod delegation;
mod private;
mod world;

use swarm::{Input, Phase, Violation};
use wire::session::FromTracker;
use wire::{Frame, PeerId, StripeSet};
use world::World;

#[test]
fn a_lone_viewer_plays_at_once_from_the_relay() {
    let mut world = World::seeded(1);
    world.run_for(3_000);
    let viewer = world.viewers(1)[0];
    assert!(!world.screens[&viewer].chunks.is_empty(), "200 ms after the join there is a picture");
    world.run_for(10_000);
    assert_eq!(world.longest_stall_ms(), 0);
    assert_eq!(world.phase(viewer), Phase::Live);
}

#[test]
fn the_second_viewer_gets_most_bytes_from_the_first() {
    let mut world = World::seeded(2);
    world.run_for(3_000);
    let viewers = world.viewers(2);
    world.run_for(3_000);
    let before = world.bytes();
    world.run_for(10_000);
    let (now, then) = (world.stats(viewers[1]).bytes, before[&viewers[1]]);
    let from_first = now.viewers - then.viewers;
    let all = from_first + now.source + now.relay - then.source - then.relay;
    assert!(from_first * 2 > all, "{from_first} of {all}");
}

#[test]
fn six_viewers_carry_most_of_it_and_the_source_sends_at_most_three_copies() {
    let mut world = World::seeded(3);
    world.run_for(3_000);
    let viewers = world.viewers(6);
    world.run_for(10_000);
    let (before, sent) = (world.bytes(), world.stats(world.source).uploaded_bytes);
    world.forget_stalls();
    world.run_for(20_000);
    let offload = world.offload_since(&before);
    let copies = (world.stats(world.source).uploaded_bytes - sent) as f64 / (20.0 * 60.0 * 698.0);
    println!("offload {offload:.3} of at most {:.3}, source {copies:.2}x", 5.0 / 6.0);
    for viewer in &viewers {
        let links = world.stats(*viewer).links;
        println!("{viewer} lag {} ms: {links:?}", world.lag_ms(*viewer));
    }
    assert!(offload >= 0.8, "offload {offload:.3}");
    assert!(copies <= 2.3, "source sent {copies:.2} copies");
    assert_eq!(world.longest_stall_ms(), 0);
    for viewer in viewers {
        assert!((world.lag_ms(viewer) - 1_500).abs() < 200, "lag {}", world.lag_ms(viewer));
        let bytes = world.stats(viewer).bytes;
        let duplicates = bytes.duplicates as f64 / (bytes.viewers + bytes.source + bytes.relay) as f64;
        assert!(duplicates < 0.05, "duplicates {duplicates:.3}");
    }
}

#[test]
fn uploads_are_spread_evenly() {
    let mut world = World::seeded(4);
    world.run_for(2_000);
    let viewers = world.viewers(6);
    world.run_for(10_000);
    let before: Vec<_> = viewers.iter().map(|&viewer| world.stats(viewer).uploaded_bytes).collect();
    world.run_for(20_000);
    let uploads =
        viewers.iter().zip(before).map(|(&viewer, before)| world.stats(viewer).uploaded_bytes - before);
    let (mean, most) = uploads.fold((0.0, 0), |(mean, most), one| (mean + one as f64 / 6.0, one.max(most)));
    assert!((most as f64) < mean * 1.6, "mean {mean:.0}, most {most}");
}

#[test]
fn losing_a_feeder_stalls_nobody() {
    for seed in 1..=5 {
        let mut world = World::seeded(seed);
        world.run_for(2_000);
        let viewers = world.viewers(6);
        world.run_for(10_000);
        world.forget_stalls();
        world.remove(viewers[0]);
        world.run_for(10_000);
        assert!(world.longest_stall_ms() <= 300, "seed {seed}: {} ms", world.longest_stall_ms());
        world.remove(viewers[3]);
        world.run_for(10_000);
        assert!(world.longest_stall_ms() <= 300, "seed {seed}: {} ms", world.longest_stall_ms());
    }
}

#[test]
fn feeders_that_all_fall_silent_at_once_are_left_for_the_relay() {
    for seed in 1..=5 {
        let mut world = World::seeded(seed);
        world.run_for(2_000);
        let viewers = world.viewers(6);
        world.run_for(10_000);
        viewers.iter().chain([&world.source.clone()]).for_each(|&peer| world.make_mute(peer));
        world.run_for(15_000);
        world.forget_stalls();
        world.run_for(10_000);
        assert!(world.longest_stall_ms() <= 300, "seed {seed}: {} ms", world.longest_stall_ms());
    }
}

#[test]
fn a_programme_that_pauses_goes_on_along_the_same_ways() {
    for seed in 1..=3 {
        let mut world = World::seeded(seed);
        world.run_for(2_000);
        let viewers = world.viewers(6);
        // So that each is fed by others and by the relay as well.
        viewers.iter().for_each(|&viewer| world.tell_peer(viewer, Input::UploadCap(0.5)));
        world.run_for(20_000);
        let feeds = |world: &World| -> Vec<_> {
            let links = viewers.iter().flat_map(|&viewer| world.stats(viewer).links);
            links.map(|link| (link.peer, link.stripes_in)).collect()
        };
        let before = feeds(&world);
        assert!(before.iter().any(|(peer, stripes)| *peer == PeerId::RELAY && !stripes.is_empty()));
        world.pause_programme_for(9_000);
        world.run_for(500);
        assert_eq!(feeds(&world), before, "seed {seed}");
    }
}

#[test]
fn losing_a_feeder_while_the_tracker_is_away_stalls_nobody() {
    let mut world = World::seeded(5);
    world.run_for(2_000);
    let viewers = world.viewers(6);
    world.run_for(10_000);
    world.kill_tracker();
    world.run_for(2_000);
    world.forget_stalls();
    world.remove(viewers[1]);
    world.run_for(10_000);
    assert!(world.longest_stall_ms() <= 300, "{} ms", world.longest_stall_ms());
}

#[test]
fn five_percent_loss_is_repaired_by_neighbors() {
    let mut world = World::seeded(6).losing(50);
    world.run_for(2_000);
    world.viewers(8);
    world.run_for(8_000);
    world.forget_stalls();
    let before = world.bytes();
    world.run_for(20_000);
    assert_eq!(world.longest_stall_ms(), 0);
    let offload = world.offload_since(&before);
    assert!(offload >= 0.8, "offload {offload:.3}");
}

#[test]
fn a_dead_tracker_stops_joins_never_playback() {
    let mut world = World::seeded(7);
    world.run_for(2_000);
    let viewers = world.viewers(5);
    world.run_for(8_000);
    world.forget_stalls();
    world.kill_tracker();
    world.run_for(20_000);
    assert_eq!(world.longest_stall_ms(), 0);
    assert!(viewers.iter().all(|&viewer| world.phase(viewer) == Phase::Live));
    world.restart_tracker();
    let late = world.viewers(1)[0];
    world.run_for(5_000);
    assert_eq!(world.phase(late), Phase::Live);
    world.run_for(15_000);
    assert_eq!(world.longest_stall_ms(), 0, "the tracker's return disturbs nobody");
    assert!(world.stats(late).bytes.viewers > 0);
}

#[test]
fn who_has_gone_back_misses_nothing_of_what_comes_meanwhile() {
    let mut world = World::seeded(9).losing(100);
    world.run_for(2_000);
    let viewers = world.viewers(2);
    world.run_for(20_000);
    for &viewer in &viewers {
        world.screens.get_mut(&viewer).unwrap().back_ms = 18_000;
    }
    let skipped =
        |world: &World| viewers.iter().map(|&viewer| world.stats(viewer).chunks_skipped).sum::<u64>();
    let before = skipped(&world);
    world.run_for(30_000);
    assert_eq!(skipped(&world), before);
}

#[test]
fn the_end_of_what_was_watched_is_told_from_a_broadcaster_out_of_reach() {
    let mut world = World::seeded(10);
    world.run_for(2_000);
    let watching = world.viewers(1)[0];
    world.run_for(3_000);
    world.kill_source();
    world.run_for(3_000);
    assert_eq!(world.phase(watching), Phase::Reconnecting);
    world.tell_peer(watching, Input::Told(FromTracker::Offline { ended: true }));
    assert_eq!(world.phase(watching), Phase::Ended);
    world.restart_source();
    world.run_for(5_000);
    assert_eq!(world.phase(watching), Phase::Live);
}

#[test]
fn a_picture_that_stands_still_is_waited_for_before_the_broadcast_is_out_of_reach() {
    let mut world = World::seeded(12);
    world.run_for(2_000);
    let watching = world.viewers(1)[0];
    world.run_for(5_000);
    world.pause_programme_for(2_500);
    assert_eq!(world.phase(watching), Phase::Buffering);
    world.pause_programme_for(2_500);
    assert_eq!(world.phase(watching), Phase::Reconnecting);
    world.run_for(3_000);
    assert_eq!(world.phase(watching), Phase::Live);
}

#[test]
fn what_neighbors_still_hold_is_no_broadcast_to_who_comes_after_its_end() {
    let mut world = World::seeded(11);
    world.run_for(2_000);
    world.viewers(2);
    world.run_for(5_000);
    world.kill_source();
    world.run_for(3_000);
    let late = world.viewers(1)[0];
    world.run_for(6_000);
    assert_eq!(world.phase(late), Phase::Offline);
    world.restart_source();
    world.run_for(5_000);
    assert_eq!(world.phase(late), Phase::Live);
}

#[test]
fn a_source_that_returns_is_played_without_a_reload() {
    let mut world = World::seeded(8);
    world.run_for(2_000);
    let viewers = world.viewers(4);
    world.run_for(6_000);
    world.kill_source();
    world.run_for(5_000);
    assert!(viewers.iter().all(|&viewer| world.phase(viewer) == Phase::Reconnecting));
    world.restart_source();
    world.run_for(5_000);
    for &viewer in &viewers {
        assert_eq!(world.phase(viewer), Phase::Live);
        assert_eq!(world.screens[&viewer].generations.len(), 2, "one timeline each");
    }
    world.run_for(5_000);
    let before = world.bytes();
    world.run_for(10_000);
    assert!(world.offload_since(&before) > 0.5);
}

#[test]
fn a_liar_is_dropped_by_name_and_nothing_altered_is_played() {
    let mut world = World::seeded(9).losing(100);
    world.run_for(2_000);
    let viewers = world.viewers(6);
    world.make_liar(viewers[2]);
    world.run_for(20_000);
    for viewer in viewers.iter().filter(|&&viewer| viewer != viewers[2]) {
        let screen = &world.screens[viewer];
        assert_eq!(screen.altered, 0);
        assert!(screen.longest_stall_ms <= 300);
        let blamed =
            screen.violations.iter().all(|&(who, what)| (who, what) == (viewers[2], Violation::BadSignature));
        assert!(blamed, "{:?}", screen.violations);
        assert!(
            world
                .stats(*viewer)
                .links
                .iter()
                .all(|link| link.peer != viewers[2] || link.stripes_in.is_empty())
        );
    }
    let rejected: u64 = viewers.iter().map(|&viewer| world.stats(viewer).pieces.rejected).sum();
    assert!(rejected > 0, "the lie was told and noticed");
}

#[test]
fn who_cannot_be_linked_plays_through_the_relay() {
    let mut world = World::seeded(10);
    world.run_for(2_000);
    world.viewers(3);
    let alone = wire::PeerSecret([5; 16]).peer();
    world.block_links(alone);
    assert_eq!(world.viewers(1), [alone]);
    world.run_for(30_000);
    assert_eq!(world.longest_stall_ms(), 0);
    let bytes = world.stats(alone).bytes;
    assert_eq!((bytes.viewers, bytes.source), (0, 0));
}

#[test]
fn sharing_off_means_no_link_and_on_again_means_links() {
    let mut world = World::seeded(11);
    world.run_for(2_000);
    let viewers = world.viewers(4);
    world.run_for(5_000);
    world.tell_peer(viewers[0], Input::Sharing(false));
    world.run_for(10_000);
    let links: Vec<_> = world.stats(viewers[0]).links.iter().map(|link| link.peer).collect();
    assert_eq!(links, [PeerId::RELAY]);
    assert!(world.longest_stall_ms() <= 300);
    world.tell_peer(viewers[0], Input::Sharing(true));
    world.run_for(35_000);
    assert!(world.stats(viewers[0]).links.len() > 2);
}

#[test]
fn who_has_only_the_relay_goes_on_when_the_tracker_is_back() {
    let mut world = World::seeded(23);
    let alone = world.viewers(1)[0];
    world.tell_peer(alone, Input::Sharing(false));
    world.run_for(10_000);
    world.kill_tracker();
    world.run_for(7_000);
    world.restart_tracker();
    world.run_for(5_000);
    assert_eq!(world.phase(alone), Phase::Live);
    assert!(world.lag_ms(alone) < 3_000, "{} ms behind", world.lag_ms(alone));
}

#[test]
fn a_lower_upload_cap_is_kept_at_once_and_stalls_nobody() {
    let mut world = World::seeded(14);
    world.run_for(2_000);
    let viewers = world.viewers(6);
    world.run_for(10_000);
    world.forget_stalls();
    world.tell_peer(viewers[0], Input::UploadCap(0.0));
    let before = world.stats(viewers[0]).uploaded_bytes;
    world.run_for(10_000);
    assert_eq!(world.stats(viewers[0]).uploaded_bytes, before, "nothing goes up any more");
    assert!(world.longest_stall_ms() <= 300);
    world.tell_peer(viewers[0], Input::UploadCap(4.0));
    world.run_for(75_000);
    assert!(world.stats(viewers[0]).uploaded_bytes > before, "it may again");
}

#[test]
fn the_upload_cap_is_exceeded_by_one_copy_and_for_four_looks_at_most() {
    let mut world = World::seeded(17);
    world.run_for(2_000);
    let viewers = world.viewers(6);
    world.run_for(10_000);
    let (capped, greedy) = (viewers[0], viewers[5]);
    world.tell_peer(capped, Input::UploadCap(0.5));
    world.run_for(10_000);
    let given = |world: &World| -> usize {
        world.stats(capped).links.iter().map(|link| link.stripes_out.len()).sum()
    };
    assert!(given(&world) <= 3);
    // Others that ask for more than it can give are declined; a feed that changes over is not, for a moment.
    for stripe in 0..6 {
        let subscribe = Frame::Subscribe { stripes: StripeSet::only(stripe), from: wire::JOIN_POINT };
        world.tell_peer(capped, Input::Frame { peer: greedy, bytes: subscribe.encode() });
    }
    assert!((4..=3 + 6).contains(&given(&world)), "{} feeds of 3", given(&world));
    world.run_for(4_000);
    assert!(given(&world) <= 3, "{} feeds of 3", given(&world));
}

#[test]
fn a_swarm_that_stood_still_goes_on_as_it_was() {
    for (seed, ms) in [(18, 2_000), (19, 2_000), (20, 1_200), (21, 700), (22, 8_000)] {
        let mut world = World::seeded(seed).losing(10);
        world.run_for(2_000);
        let viewers = world.viewers(8);
        world.run_for(15_000);
        let roster = world.roster.view();
        world.stand_still_for(ms);
        world.run_for(2_000);
        assert!(viewers.iter().all(|&viewer| world.phase(viewer) == Phase::Live), "seed {seed}");
        assert_eq!(world.roster.view().unfed, roster.unfed, "seed {seed}: nobody is blamed");
        world.forget_stalls();
        let before = world.bytes();
        world.run_for(10_000);
        assert!(world.longest_stall_ms() <= 300, "seed {seed}: {} ms", world.longest_stall_ms());
        let offload = world.offload_since(&before);
        assert!(offload >= 0.8, "seed {seed}: offload {offload:.3}");
    }
}

#[test]
fn a_tracker_that_offers_another_broadcasters_channel_is_not_believed() {
    let mut world = World::seeded(15);
    world.run_for(2_000);
    let viewer = world.viewer_of(wire::Signer::from_seed(&[8; 32]).channel());
    world.run_for(5_000);
    let screen = &world.screens[&viewer];
    assert_eq!(screen.violations[0], (PeerId::RELAY, Violation::WrongChannel));
    assert!(screen.chunks.is_empty(), "nothing of it is shown");
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let run = |seed| {
        let mut world = World::seeded(seed).losing(20);
        let viewers = world.viewers(4);
        world.run_for(5_000);
        viewers.iter().map(|&viewer| format!("{:?}", world.stats(viewer))).collect::<Vec<_>>()
    };
    assert_eq!(run(12), run(12));
    assert_ne!(run(12), run(13));
}

#[test]
fn a_relay_whose_budget_is_spent_sends_nothing_and_viewers_have_each_other() {
    let mut world = World::seeded(15);
    world.run_for(2_000);
    world.viewers(5);
    world.run_for(20_000);
    world.forget_stalls();
    world.relay.limit_egress(Some(0), false);
    world.roster.without_relay(true);
    let sent = world.relay.stats().uploaded_bytes;
    let newcomer = world.viewers(1)[0];
    world.run_for(30_000);
    assert_eq!(world.relay.stats().uploaded_bytes, sent, "the relay sends nothing");
    assert!(world.screens[&newcomer].chunks.len() > 200, "the newcomer plays all the same");
    world.screens.remove(&newcomer);
    assert!(world.longest_stall_ms() <= 300, "{} ms", world.longest_stall_ms());
}

#[test]
fn a_smaller_budget_lets_the_newest_go_and_the_first_watch_on() {
    let mut world = World::seeded(16);
    world.run_for(2_000);
    let alone: Vec<_> = (2..6).map(|number| wire::PeerSecret([number; 16]).peer()).collect();
    alone.iter().for_each(|&viewer| world.block_links(viewer));
    assert_eq!(world.viewers(4), alone);
    world.run_for(10_000);
    world.forget_stalls();
    for _ in 0..30 {
        world.relay.limit_egress(Some(6_100_000), true);
        world.run_for(1_000);
    }
    let fed = alone.iter().map(|&viewer| world.relay.pushed_to(viewer).len());
    assert_eq!(fed.collect::<Vec<_>>(), [6, 6, 0, 0]);
    assert_eq!(world.screens[&alone[0]].longest_stall_ms, 0);
    assert_eq!(world.screens[&alone[1]].longest_stall_ms, 0);
}

/// Viewers who pass nothing on: all but a copy or two has to come from relays.
fn takers(world: &mut World, count: u8) -> Vec<PeerId> {
    let viewers = world.viewers(count);
    viewers.iter().for_each(|&viewer| world.tell_peer(viewer, Input::UploadCap(0.0)));
    viewers
}

#[test]
fn a_relay_elsewhere_carries_what_viewers_cannot() {
    let mut world = World::seeded(17);
    world.run_for(2_000);
    let outpost = world.outpost();
    let viewers = takers(&mut world, 8);
    world.run_for(15_000);
    world.forget_stalls();
    let (before, of_outpost) = (world.relay.stats().uploaded_bytes, world.stats(outpost).uploaded_bytes);
    world.run_for(20_000);
    let relay = world.relay.stats().uploaded_bytes - before;
    let elsewhere = world.stats(outpost).uploaded_bytes - of_outpost;
    assert!(elsewhere > relay * 4, "{elsewhere} from elsewhere, {relay} from here");
    assert_eq!(world.longest_stall_ms(), 0);
    assert_eq!(world.roster.viewers(), viewers.len(), "a relay is no viewer");
}

#[test]
fn viewers_who_can_feed_each_other_need_no_relay_elsewhere() {
    let mut world = World::seeded(18);
    world.run_for(2_000);
    let outpost = world.outpost();
    world.viewers(6);
    world.run_for(20_000);
    let (before, taken) = (world.stats(outpost).uploaded_bytes, total(&world));
    world.run_for(20_000);
    let from_outpost = world.stats(outpost).uploaded_bytes - before;
    let all = total(&world) - taken;
    assert!(from_outpost * 10 < all, "{from_outpost} of {all} bytes");
}

/// Bytes that all peers have taken.
fn total(world: &World) -> u64 {
    world.bytes().values().map(|bytes| bytes.viewers + bytes.source + bytes.relay).sum()
}

#[test]
fn when_a_relay_elsewhere_dies_the_one_here_takes_over_without_a_stall() {
    let mut world = World::seeded(19);
    world.run_for(2_000);
    let outpost = world.outpost();
    takers(&mut world, 6);
    world.run_for(20_000);
    world.forget_stalls();
    world.remove(outpost);
    let before = world.relay.stats().uploaded_bytes;
    world.run_for(15_000);
    assert!(world.relay.stats().uploaded_bytes > before + 100_000, "the relay here feeds them");
    assert!(world.longest_stall_ms() <= 300, "{} ms", world.longest_stall_ms());
}
