//! What a channel's owner allows, as viewers meet it.

use tracker::channel_settings::{ChannelSettings, Sharing};
use tracker::{Database, create_hosted};
use wire::session::{FromPeer, FromTracker, Join, Refusal, SharingRule};

use crate::support::{Session, Tracker, join, peer};

/// A channel of this name with these settings, and nobody in it.
fn channel(tracker: &Tracker, name: &str, settings: &ChannelSettings) {
    let mut database = Database::open(tracker.data.path()).unwrap();
    let new = database.write(|store| create_hosted(store, name)).unwrap();
    database.write(|store| store.set(new.channel, settings)).unwrap();
}

async fn is_told_parents(viewer: &mut Session) {
    viewer.told_that(|message| matches!(message, FromTracker::Parents { .. }).then_some(())).await;
}

/// Whether anything of neighbors was said before the answer to a question that is asked now.
async fn was_told_of_neighbors(viewer: &mut Session) -> bool {
    viewer.say(&FromPeer::Clock).await;
    loop {
        match viewer.told().await {
            FromTracker::Parents { .. } | FromTracker::Link { .. } => return true,
            FromTracker::Time { .. } => return false,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_full_channel_says_so_and_keeps_those_it_has() {
    let tracker = Tracker::start().await;
    channel(&tracker, "small", &ChannelSettings { viewers_max: Some(2), ..ChannelSettings::default() });
    let (_one, _) = tracker.viewer("small", 1).await;
    let (_two, _) = tracker.viewer("small", 2).await;
    assert_eq!(tracker.refusal(|_| join("small", 3)).await, Refusal::Busy);
    // Who comes back has its place.
    let (_again, _) = tracker.viewer("small", 2).await;
    tracker.shows(&["swarmcast_refusals_total{door=\"session\",reason=\"channel_full\"} 1"]).await;
}

#[tokio::test]
async fn where_sharing_is_off_nobody_hears_of_anybody() {
    let tracker = Tracker::start().await;
    channel(&tracker, "quiet", &ChannelSettings { sharing: Sharing::Off, ..ChannelSettings::default() });
    let (mut one, _) = tracker.viewer("quiet", 1).await;
    let (_two, _) = tracker.viewer("quiet", 2).await;
    one.say(&FromPeer::Sharing { on: true }).await;
    assert!(!was_told_of_neighbors(&mut one).await);
}

#[tokio::test]
async fn where_viewers_are_asked_those_share_who_have_said_yes() {
    let tracker = Tracker::start().await;
    channel(&tracker, "asking", &ChannelSettings { sharing: Sharing::Ask, ..ChannelSettings::default() });
    let (mut silent, welcome) = tracker.viewer("asking", 1).await;
    assert_eq!(welcome.sharing, Some(SharingRule::Ask));
    let mut agreed = tracker.session().await;
    let FromPeer::Join(yes) = join("asking", 2) else { unreachable!() };
    agreed.say(&FromPeer::Join(Join { consent: true, ..yes })).await;
    is_told_parents(&mut agreed).await;
    assert!(!was_told_of_neighbors(&mut silent).await);
    silent.say(&FromPeer::Sharing { on: true }).await;
    is_told_parents(&mut silent).await;
}

#[tokio::test]
async fn a_swarm_is_shared_once_it_is_large_enough() {
    let tracker = Tracker::start().await;
    let settings = ChannelSettings { sharing_viewers_min: Some(3), ..ChannelSettings::default() };
    channel(&tracker, "slow", &settings);
    let (mut one, _) = tracker.viewer("slow", 1).await;
    let (mut two, _) = tracker.viewer("slow", 2).await;
    assert!(!was_told_of_neighbors(&mut one).await && !was_told_of_neighbors(&mut two).await);
    let (mut three, welcome) = tracker.viewer("slow", 3).await;
    assert_eq!(welcome.peer, peer(3));
    for viewer in [&mut one, &mut two, &mut three] {
        is_told_parents(viewer).await;
    }
}

#[tokio::test]
async fn only_the_sites_that_are_named_may_frame_a_channel() {
    let tracker = Tracker::start().await;
    let embed_origins = vec!["https://example.org".to_owned()];
    channel(&tracker, "framed", &ChannelSettings { embed_origins, ..ChannelSettings::default() });
    let policy = async |path: String| {
        tracker.get(&path, "").await.header("content-security-policy").unwrap().to_owned()
    };
    for page in ["watch", "embed"] {
        let framed = policy(format!("/{page}/framed")).await;
        assert!(framed.ends_with("frame-ancestors 'self' https://example.org"), "{page}");
        assert!(policy(format!("/{page}/another")).await.ends_with("frame-ancestors *"), "{page}");
    }
}

#[tokio::test]
async fn a_frame_on_another_site_says_in_words_why_there_is_no_picture() {
    let tracker = Tracker::start().await;
    let embed_origins = vec!["https://example.org".to_owned()];
    channel(&tracker, "framed", &ChannelSettings { embed_origins, ..ChannelSettings::default() });
    let framed = async |site: &str| tracker.get("/embed/framed", &format!("Referer: {site}\r\n")).await;
    assert_eq!(framed("https://example.org/").await.status(), 200);
    let refused = framed("https://evil.example/<b>").await;
    assert_eq!(refused.status(), 403);
    assert!(refused.header("content-security-policy").unwrap().ends_with("frame-ancestors *"));
    let words = String::from_utf8(refused.body).unwrap();
    assert!(words.contains("https://evil.example is not one of them"), "{words}");
    assert!(!words.contains("<script"));
    tracker.shows(&["swarmcast_refusals_total{door=\"http\",reason=\"embed_refused\"} 1"]).await;
}

#[tokio::test]
async fn a_page_of_another_site_joins_where_the_owner_lets_it() {
    let tracker = Tracker::start().await;
    let embed_origins = vec!["https://example.org".to_owned()];
    channel(&tracker, "framed", &ChannelSettings { embed_origins, ..ChannelSettings::default() });
    let own = format!("http://{}", tracker.address);
    for (site, secret) in [("https://example.org", 1), (&*own, 2)] {
        let mut session = tracker.session_from(site).await;
        session.say(&join("framed", secret)).await;
        assert_eq!(session.welcome().await.peer, peer(secret), "{site}");
    }
    let mut session = tracker.session_from("https://evil.example").await;
    session.say(&join("framed", 3)).await;
    assert_eq!(session.refusal().await, Refusal::EmbedRefused);
}
