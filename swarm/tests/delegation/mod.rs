//! A server signs in the broadcaster's name, for a while.

use swarm::{Input, Phase};
use wire::PeerId;

use crate::world::{EPOCH, World};

/// A swarm that has changed over to a delegate which may sign for so long.
fn delegated(seed: u64, lasts_s: u64) -> (World, Vec<PeerId>) {
    let mut world = World::seeded(seed).losing(20);
    world.run_for(2_000);
    let viewers = world.viewers(5);
    world.run_for(6_000);
    world.forget_stalls();
    world.delegate(lasts_s);
    world.run_for(5_000);
    (world, viewers)
}

#[test]
fn a_change_of_signers_disturbs_nobody() {
    let (mut world, viewers) = delegated(1, 100);
    let late = world.viewers(1)[0];
    world.run_for(10_000);
    assert_eq!(world.longest_stall_ms(), 0);
    for viewer in viewers.into_iter().chain([late]) {
        assert_eq!(world.phase(viewer), Phase::Live);
        assert_eq!(world.stats(viewer).pieces.rejected, 0);
    }
}

#[test]
fn what_is_signed_after_the_end_is_refused_with_a_word_and_a_renewal_goes_on() {
    let (mut world, viewers) = delegated(2, 12);
    let played = world.screens[&viewers[0]].chunks.len();
    world.run_for(15_000);
    let (refused, chunks) = (world.screens[&viewers[0]].chunks.len(), 12_000 / 100);
    assert!(refused - played <= chunks, "{} chunks since", refused - played);
    for &viewer in &viewers {
        assert_eq!(world.phase(viewer), Phase::Lapsed);
        assert_eq!(world.stats(viewer).pieces.rejected, 0, "nobody is blamed for it");
        assert!(world.stats(viewer).links.len() > 2, "links stay");
    }
    world.delegate(1_000);
    world.run_for(5_000);
    assert!(viewers.iter().all(|&viewer| world.phase(viewer) == Phase::Live));
}

#[test]
fn a_tracker_that_turns_its_clock_back_stretches_no_delegation() {
    let (mut world, viewers) = delegated(3, 1_000);
    let long_after_ms = EPOCH.0 + 10 * 86_400_000;
    world.tell_peer(viewers[0], Input::UnixTime(long_after_ms));
    world.run_for(5_000);
    assert_eq!(world.phase(viewers[0]), Phase::Lapsed);
    assert_eq!(world.phase(viewers[1]), Phase::Live);
    assert_eq!(world.stats(viewers[0]).pieces.rejected, 0);
}
