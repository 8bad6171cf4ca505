//! A private channel: who has its key watches, everyone passes on, and who has not is not in the way.

use swarm::Phase;
use wire::MediaKey;

use crate::world::World;

fn key() -> MediaKey {
    MediaKey::new([5; 32])
}

#[test]
fn who_has_the_key_watches_and_who_has_not_asks_for_nothing() {
    let mut world = World::private(1, &key()).losing(20);
    world.run_for(2_000);
    let friends: Vec<_> = (0..4).map(|_| world.viewer_with(Some(key()))).collect();
    let strangers = [world.viewer_with(None), world.viewer_with(Some(MediaKey::new([6; 32])))];
    world.run_for(10_000);
    let before = world.bytes();
    world.run_for(10_000);
    for friend in friends {
        assert_eq!(world.phase(friend), Phase::Live);
        assert!(world.screens[&friend].chunks.len() > 150);
        assert_eq!(world.screens[&friend].generations.len(), 1);
    }
    for stranger in strangers {
        assert_eq!(world.phase(stranger), Phase::Locked);
        assert!(world.screens[&stranger].chunks.is_empty(), "nothing is played");
        let (now, then) = (world.stats(stranger).bytes, before[&stranger]);
        let all = now.viewers + now.source + now.relay - then.viewers - then.source - then.relay;
        assert_eq!(all, 0, "nothing is sent to it any more");
        assert!(world.stats(stranger).links.iter().all(|link| link.peer == wire::PeerId::RELAY));
    }
}

#[test]
fn another_broadcast_may_be_open_to_all() {
    let mut world = World::private(2, &key());
    world.run_for(2_000);
    let stranger = world.viewer_with(None);
    world.run_for(5_000);
    assert_eq!(world.phase(stranger), Phase::Locked);
    world.open_up();
    world.run_for(5_000);
    assert_eq!(world.phase(stranger), Phase::Live);
}
