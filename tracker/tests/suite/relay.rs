//! The relay path: what a broadcaster sends on its session reaches viewers on theirs, signed as it was.

use bytes::Bytes;
use tracker::channel_settings::{ChannelSettings, Visibility};
use wire::session::{FromPeer, FromTracker, Join, Refusal};
use wire::{Epoch, Frame, JOIN_POINT, Piece, PieceHeader, StreamHeader, StripeSet, Verifier};

use crate::support::{Session, Tracker, channel, join, signer};

const STRIPES: u8 = 6;

/// A broadcaster with pictures of zeros: ten chunks a second, a piece each, a keyframe every ten.
struct Programme {
    epoch: u64,
    next: u32,
    payload: usize,
    private: bool,
}

impl Programme {
    fn header(&self) -> Bytes {
        let header = StreamHeader {
            epoch: Epoch(self.epoch),
            generation: 0,
            stripes: STRIPES,
            target_lag_ms: 1_500,
            bitrate_bps: 500_000,
            first_chunk: 0,
            first_seq: 0,
            private: self.private,
            mime: if self.private { String::new() } else { "video/mp4".to_owned() },
            init: Bytes::from_static(b"ftypmoov"),
        };
        header.sign(&signer(1))
    }

    fn piece(&mut self) -> Bytes {
        let number = self.next;
        self.next += 1;
        let header = PieceHeader {
            epoch: Epoch(self.epoch),
            seq: number,
            chunk: number,
            index: 0,
            count: 1,
            generation: 0,
            time_ms: number * 100,
            duration_ms: 100,
            keyframe: number.is_multiple_of(10),
        };
        Piece::sign(header, &vec![0; self.payload], &signer(1)).frame().clone()
    }

    async fn start(&self, source: &mut Session) {
        // The relay asks first.
        let asked = source.frame().await;
        assert!(matches!(asked, Frame::Subscribe { .. }), "{asked:?}");
        source.send(self.header()).await;
    }

    async fn play(&mut self, source: &mut Session, pieces: usize) {
        for _ in 0..pieces {
            let piece = self.piece();
            source.send(piece).await;
        }
        source.settle().await;
    }
}

fn programme() -> Programme {
    Programme { epoch: 1_000, next: 0, payload: 5_000, private: false }
}

/// Numbers of pieces up to `last`, each proven; checks that the stream header came before the first.
async fn watch(viewer: &mut Session, last: u32) -> Vec<u32> {
    let verifier = Verifier::new(channel(1)).unwrap();
    let (mut numbers, mut header) = (Vec::new(), None);
    while !numbers.contains(&last) {
        match viewer.frame().await {
            Frame::Stream(stream, frame) => {
                StreamHeader::verifier(&frame, &verifier).unwrap();
                header = Some(stream);
            }
            Frame::Piece(piece) => {
                assert!(header.is_some(), "a piece before its stream header");
                piece.verify(&verifier).unwrap();
                numbers.push(piece.header.seq);
            }
            _ => {}
        }
    }
    numbers
}

async fn subscribe(viewer: &mut Session) {
    viewer.send(Frame::Subscribe { stripes: StripeSet::all(STRIPES), from: JOIN_POINT }.encode()).await;
}

#[tokio::test]
async fn a_viewer_is_fed_from_a_keyframe_and_goes_on() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, None).await;
    let mut programme = programme();
    programme.start(&mut source).await;
    programme.play(&mut source, 35).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    subscribe(&mut viewer).await;
    let mut burst = watch(&mut viewer, 34).await;
    burst.sort_unstable();
    assert!(burst[0].is_multiple_of(10), "{burst:?}");
    assert_eq!(burst, (burst[0]..35).collect::<Vec<_>>());
    programme.play(&mut source, 5).await;
    let mut going_on = Vec::new();
    while going_on.len() < 5 {
        if let Frame::Piece(piece) = viewer.frame().await {
            going_on.push(piece.header.seq);
        }
    }
    assert_eq!(going_on, [35, 36, 37, 38, 39]);
}

#[tokio::test]
async fn waiting_viewers_hear_that_the_stream_has_come() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, None).await;
    let (mut viewer, welcome) = tracker.viewer("demo", 2).await;
    assert_eq!(welcome.epoch, None);
    subscribe(&mut viewer).await;
    let mut programme = programme();
    programme.start(&mut source).await;
    let live = viewer.told_that(|message| match message {
        FromTracker::Live { epoch, .. } => Some(epoch.0),
        _ => None,
    });
    assert_eq!(live.await, programme.epoch);
    programme.play(&mut source, 12).await;
    assert!(watch_all(&mut viewer, 11).await.contains(&0));
}

/// As [`watch`], for a viewer that has heard its header while it waited for something else.
async fn watch_all(viewer: &mut Session, last: u32) -> Vec<u32> {
    let mut numbers = Vec::new();
    while !numbers.contains(&last) {
        if let Frame::Piece(piece) = viewer.frame().await {
            numbers.push(piece.header.seq);
        }
    }
    numbers
}

#[tokio::test]
async fn altered_pieces_are_not_passed_on() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, None).await;
    let mut programme = programme();
    programme.start(&mut source).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    subscribe(&mut viewer).await;
    viewer.settle().await;
    programme.play(&mut source, 3).await;
    let mut altered = programme.piece().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    source.send(altered.into()).await;
    programme.play(&mut source, 3).await;
    let numbers = watch_all(&mut viewer, 6).await;
    assert!(!numbers.contains(&3), "{numbers:?}");
}

#[tokio::test]
async fn who_does_not_read_costs_a_bounded_amount_and_harms_nobody() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, None).await;
    let mut programme = Programme { payload: 16_000, ..programme() };
    programme.start(&mut source).await;
    let (mut asleep, _) = tracker.viewer("demo", 2).await;
    subscribe(&mut asleep).await;
    let (mut awake, _) = tracker.viewer("demo", 3).await;
    subscribe(&mut awake).await;
    awake.settle().await;
    for round in 0..60 {
        programme.play(&mut source, 10).await;
        let last = round * 10 + 9;
        assert_eq!(watch_all(&mut awake, last).await.last(), Some(&last));
    }
    // Nearly ten megabytes went by; what waits for the sleeper is the kernel's buffers and the queue's limit.
    let mut numbers = Vec::new();
    while numbers.last() != Some(&599) {
        if let Frame::Piece(piece) = asleep.frame().await {
            numbers.push(piece.header.seq);
        }
    }
    assert!(numbers.len() < 600, "stale pieces were dropped, not hoarded");
}

/// What a viewer that does not share is told: a refusal in words, or nothing, when the relay takes it on.
async fn turned_away(tracker: &Tracker, secret: u8) -> Option<String> {
    let mut session = tracker.session().await;
    let FromPeer::Join(join) = join("demo", secret) else { unreachable!() };
    session.say(&FromPeer::Join(Join { sharing: false, ..join })).await;
    match session.told().await {
        FromTracker::Refused { code: Refusal::Busy, message } => Some(message),
        FromTracker::Welcome(_) => None,
        other => panic!("{other:?}"),
    }
}

/// A broadcast of which one viewer has got the first segment.
async fn watched(tracker: &Tracker) -> (Session, Programme, Session) {
    let (mut source, _) = tracker.source("demo", 1, None).await;
    let mut programme = programme();
    programme.start(&mut source).await;
    programme.play(&mut source, 12).await;
    let (mut viewer, _) = tracker.viewer("demo", 2).await;
    subscribe(&mut viewer).await;
    watch(&mut viewer, 11).await;
    (source, programme, viewer)
}

#[tokio::test]
async fn a_spent_month_is_said_in_words_and_not_forgotten_by_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let start = || {
        Tracker::start_with(|config| {
            config.data = data.path().to_owned();
            config.relay_month_bytes = Some(40_000);
        })
    };
    let tracker = start().await;
    let (_source, mut programme, mut viewer) = watched(&tracker).await;
    // The relay's account is brought up to date once a second; then it ends what it gives.
    while !matches!(viewer.frame().await, Frame::Refuse { .. }) {}
    let message = turned_away(&tracker, 3).await.expect("nothing left for another");
    assert!(message.contains("this month"), "{message}");
    tracker.stop().await;

    let tracker = start().await;
    let (mut source, _) = tracker.source("demo", 1, None).await;
    programme.start(&mut source).await;
    programme.play(&mut source, 1).await;
    assert_eq!(turned_away(&tracker, 3).await, Some(message));
}

#[tokio::test]
async fn a_full_line_takes_nobody_on_while_those_before_watch_on() {
    // Room for one viewer of 0.5 Mb/s, and the reserve for those who watch.
    let tracker = Tracker::start_with(|config| config.relay_egress_bps = Some(1_000_000)).await;
    let (mut source, mut programme, mut viewer) = watched(&tracker).await;
    let message = turned_away(&tracker, 3).await.expect("no room for another");
    assert!(message.contains("at the moment"), "{message}");
    programme.play(&mut source, 5).await;
    assert!(watch_all(&mut viewer, 16).await.contains(&12));
}

#[tokio::test]
async fn a_poster_is_the_newest_keyframe_and_is_counted() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, None).await;
    assert_eq!(tracker.get("/stills/demo", "").await.status(), 404, "nothing is on the air");
    let mut programme = programme();
    programme.start(&mut source).await;
    programme.play(&mut source, 15).await;
    let still = tracker.get("/stills/demo", "").await;
    assert_eq!((still.status(), still.header("content-type")), (200, Some("video/mp4")));
    assert_eq!(still.header("cache-control"), Some("public, max-age=15"));
    assert_eq!(still.body, [&b"ftypmoov"[..], &[0; 5_000]].concat());
    assert_eq!(tracker.get("/stills/another", "").await.status(), 404);

    drop(source);
    let ended = async || tracker.get("/api/v1/channels/demo", "").await.json()["ended_ms"].as_u64();
    while ended().await.is_none() {}
    assert_eq!(tracker.get("/stills/demo", "").await.body, still.body, "what was seen last");

    let mut database = tracker.database();
    let unlisted = ChannelSettings { visibility: Visibility::Unlisted, ..ChannelSettings::default() };
    database.write(|store| store.set(channel(1), &unlisted)).unwrap();
    while tracker.get("/api/v1/lately", "").await.json() != serde_json::json!([]) {}
    assert_eq!(tracker.get("/stills/demo", "").await.status(), 404, "not for who has not got the link");
}

#[tokio::test]
async fn a_private_broadcast_has_no_poster_no_card_and_no_past() {
    let tracker = Tracker::start().await;
    let unknown = card(&tracker, "another").await;
    let (mut source, _) = tracker.source("demo", 1, None).await;
    let mut programme = Programme { private: true, ..programme() };
    programme.start(&mut source).await;
    programme.play(&mut source, 15).await;
    assert_eq!(tracker.get("/stills/demo", "").await.status(), 404);
    assert_eq!(card(&tracker, "demo").await, unknown);
    assert_eq!(tracker.get("/oembed?url=http%3A%2F%2Ftest%2Fwatch%2Fdemo", "").await.status(), 404);
    source.say(&FromPeer::Ended).await;
    source.settle().await;
    assert_eq!(tracker.get("/api/v1/lately", "").await.json(), serde_json::json!([]));
}

/// The page that a link to a channel opens.
async fn card(tracker: &Tracker, name: &str) -> String {
    String::from_utf8(tracker.get(&format!("/watch/{name}"), "").await.body).unwrap()
}

#[tokio::test]
async fn a_link_to_a_public_channel_shows_a_card() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, Some(7)).await;
    source.settle().await;
    let settings = ChannelSettings { title: "Rock & <Roll>".into(), ..ChannelSettings::default() };
    tracker.database().write(|store| store.set(channel(1), &settings)).unwrap();
    while !card(&tracker, "demo").await.contains("Rock") {}
    let page = card(&tracker, "demo").await;
    for line in [
        "<meta property=\"og:title\" content=\"Rock &amp; &lt;Roll&gt;\">",
        "<meta property=\"og:url\" content=\"http://test/watch/demo\">",
        "<meta property=\"og:image\" content=\"http://test/assets/card.png\">",
        "href=\"http://test/oembed?format=json&amp;url=http%3A%2F%2Ftest%2Fwatch%2Fdemo\"",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    let etag = tracker.get("/watch/demo", "").await.header("etag").unwrap().to_owned();
    assert_eq!(tracker.get("/watch/demo", &format!("If-None-Match: {etag}\r\n")).await.status(), 304);

    let poster = [0xff, 0xd8, 0xff, 0xe0];
    tracker.database().write(|store| store.set_poster(channel(1), Some(&poster))).unwrap();
    let own = format!("content=\"http://test/api/v1/channels/{}/poster?v=", channel(1));
    while !card(&tracker, "demo").await.contains(&own) {}
    assert!(!card(&tracker, "demo").await.contains("og:image:width"), "nobody knows it");

    let asked = "/oembed?url=http%3A%2F%2Ftest%2Fwatch%2Fdemo%23key%3Dx&maxwidth=320";
    let card = tracker.get(asked, "").await.json();
    assert_eq!((&card["type"], &card["width"], &card["height"]), (&"video".into(), &320.into(), &180.into()));
    let html = card["html"].as_str().unwrap();
    assert!(
        html.contains("src=\"http://test/embed/demo\"") && html.contains("Rock &amp; &lt;Roll&gt;"),
        "{html}"
    );
    assert_eq!(tracker.get("/oembed?url=http%3A%2F%2Fother%2Fwatch%2Fdemo", "").await.status(), 404);
    assert_eq!(tracker.get(&format!("{asked}&format=xml"), "").await.status(), 501);
}

#[tokio::test]
async fn what_has_ended_was_live_lately() {
    let tracker = Tracker::start().await;
    let (mut source, _) = tracker.source("demo", 1, None).await;
    let mut programme = programme();
    programme.start(&mut source).await;
    programme.play(&mut source, 5).await;
    assert_eq!(tracker.get("/api/v1/lately", "").await.json(), serde_json::json!([]), "it is live now");
    source.say(&FromPeer::Ended).await;
    source.settle().await;
    let lately = tracker.get("/api/v1/lately", "").await.json();
    assert_eq!((&lately[0]["name"], &lately[0]["live"]), (&"demo".into(), &false.into()));
    assert!(lately[0]["ended_ms"].as_u64().unwrap() > 1_700_000_000_000);
}
