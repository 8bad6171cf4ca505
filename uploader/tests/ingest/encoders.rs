//! Encoders that people use: they get in with the right key, are told about a wrong one, and may return.

use std::path::Path;
use std::time::{Duration, Instant};

use media::{CutterConfig, MediaEvent, Packager, TagKind};
use uploader::ingest::{EndReason, IngestLimits, PublicationEvent, Tag};

use crate::encoder::{Programme, debian, newest, outcome};
use crate::sender::{Sender, connect, message, publish};
use crate::world::{KEY, World, next, next_video, to_the_end};

async fn assert_arrives(ffmpeg: &Path, programme: Programme, url_of: fn(&World) -> String, options: &[&str]) {
    let mut world = World::new().await;
    let encoder = programme.publish(ffmpeg, &url_of(&world), options);
    let mut publication = world.publication().await;
    assert_eq!(publication.admission.name(), "channel");
    let PublicationEvent::Metadata(metadata) = next(&mut publication).await else { panic!("no metadata") };
    assert!(metadata.encoder.is_some_and(|encoder| encoder.starts_with("Lavf")));
    assert_eq!(metadata.announced.map(|tracks| (tracks.video, tracks.audio)), Some((true, true)));
    let (tags, reason) = to_the_end(&mut publication).await;
    assert_eq!(reason, EndReason::Stopped);
    assert_playable(&tags, programme.seconds.unwrap_or_default());
    assert!(outcome(encoder).await.status.success());
}

fn assert_playable(tags: &[Tag], seconds: u32) {
    let mut packager = Packager::new(CutterConfig::default());
    packager.publish(0);
    for tag in tags {
        packager
            .push(tag.kind, tag.timestamp_ms, u64::from(tag.timestamp_ms), tag.body.clone())
            .expect("a good tag");
    }
    packager.flush();
    let (mut inits, mut video_ms) = (0, 0);
    while let Some(event) = packager.poll() {
        match event {
            MediaEvent::Init(init) => {
                inits += usize::from(init.mime.contains("avc1") && init.mime.contains("mp4a"))
            }
            MediaEvent::Chunk(chunk) => video_ms += chunk.duration_ms,
            MediaEvent::Warning(warning) => panic!("{warning}"),
        }
    }
    assert_eq!(inits, 1);
    assert!(video_ms.abs_diff(seconds * 1_000) <= 70, "{video_ms} ms of {seconds} s");
}

fn key_as_stream_name(world: &World) -> String {
    format!("{}/{KEY}", world.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_publish_with_and_without_reordering() {
    for ffmpeg in [debian(), newest()] {
        for b_frames in [0, 2] {
            let programme = Programme { b_frames, ..Programme::default() };
            assert_arrives(&ffmpeg, programme, key_as_stream_name, &[]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_be_part_of_the_path() {
    // OBS with an empty key field, and with the whole address in it, ends up here.
    let app = format!("live/{KEY}");
    for ffmpeg in [debian(), newest()] {
        for playpath in ["", "stream"] {
            let options = ["-rtmp_app", &app, "-rtmp_playpath", playpath];
            assert_arrives(&ffmpeg, Programme::default(), World::url, &options).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_megabits_arrive_whole() {
    let programme = Programme { kilobits: 8_000, size: "1280x720", ..Programme::default() };
    assert_arrives(&debian(), programme, key_as_stream_name, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_reported_at_once() {
    let mut world = World::new().await;
    for ffmpeg in [debian(), newest()] {
        let started = Instant::now();
        let programme = Programme { seconds: None, real_time: true, ..Programme::default() };
        let encoder = programme.publish(&ffmpeg, &format!("{}/wrong", world.url()), &[]);
        let output = outcome(encoder).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("The stream key is wrong"), "{said}");
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
    world.assert_nobody_was_let_in();
}

#[tokio::test]
async fn a_wrong_key_is_never_accepted_first() {
    let mut world = World::new().await;
    for (app, name) in [("live", "wrong"), ("live/wrong", ""), ("live", ""), ("elsewhere", KEY)] {
        let mut sender = Sender::with_stream(&world).await;
        sender.send(&message(3, 20, 0, &connect(app))).await;
        let asked = Instant::now();
        sender.send(&message(4, 20, 1, &publish(name))).await;
        let said = sender.hear_to_the_end().await;
        assert!(asked.elapsed() < Duration::from_secs(1), "closed at once");
        assert!(
            said.contains("onStatus") && said.contains("NetStream.Publish.BadName") && said.contains("error")
        );
        assert!(!said.contains("NetStream.Publish.Start"), "{app} {name}");
    }
    world.assert_nobody_was_let_in();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_codecs_arrive_and_are_refused_by_name() {
    let mut world = World::new().await;
    let programme = Programme { video_codec: "libx265", ..Programme::default() };
    let _encoder = programme.publish(&newest(), &key_as_stream_name(&world), &[]);
    let mut publication = world.publication().await;
    let tag = next_video(&mut publication).await;
    let mut packager = Packager::new(CutterConfig::default());
    packager.publish(0);
    let error = packager.push(tag.kind, 0, 0, tag.body).unwrap_err();
    assert!(error.refuses_encoder() && error.to_string().contains("HEVC (hvc1)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_encoder_takes_over() {
    let mut world = World::new().await;
    let endless = Programme { seconds: None, real_time: true, ..Programme::default() };
    let _first = endless.publish(&debian(), &key_as_stream_name(&world), &[]);
    let mut first = world.publication().await;
    next_video(&mut first).await;
    let _second = endless.publish(&debian(), &key_as_stream_name(&world), &[]);
    let mut second = world.publication().await;
    assert!(second.id > first.id && second.admission == first.admission);
    assert_eq!(to_the_end(&mut first).await.1, EndReason::Replaced);
    next_video(&mut second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_is_killed_is_noticed_and_may_return() {
    let mut world = World::new().await;
    let endless = Programme { seconds: None, real_time: true, ..Programme::default() };
    let mut encoder = endless.publish(&debian(), &key_as_stream_name(&world), &[]);
    let mut publication = world.publication().await;
    next_video(&mut publication).await;
    encoder.kill().await.unwrap();
    assert_eq!(to_the_end(&mut publication).await.1, EndReason::ConnectionLost);
    let _again = endless.publish(&debian(), &key_as_stream_name(&world), &[]);
    next_video(&mut world.publication().await).await;
}

#[tokio::test]
async fn a_silent_encoder_is_let_go() {
    let limits = IngestLimits { idle_timeout: Duration::from_millis(300), ..IngestLimits::default() };
    let mut world = World::limited(limits).await;
    let _sender = Sender::publishing(&world).await;
    assert_eq!(to_the_end(&mut world.publication().await).await.1, EndReason::Silent);
}

#[tokio::test]
async fn a_slow_consumer_holds_the_encoder_back() {
    let limits = IngestLimits { queue_max_bytes: 100_000, queue_max_tags: 50, ..IngestLimits::default() };
    let mut world = World::limited(limits).await;
    let mut sender = Sender::publishing(&world).await;
    let mut publication = world.publication().await;
    let frame = message(4, 9, 1, &[0x27; 10_000]);
    let mut sent = 0_u32;
    // Ends when the socket takes no more: the system's buffers are full because the server stopped reading.
    while tokio::time::timeout(Duration::from_secs(1), sender.send(&frame)).await.is_ok() {
        sent += 1;
        assert!(sent < 10_000, "a hundred megabytes went into a queue of 100 kB");
    }
    let mut received = 0;
    while received < sent - 1 {
        let PublicationEvent::Tag(tag) = next(&mut publication).await else { panic!("only tags") };
        assert_eq!((tag.kind, tag.body.len()), (TagKind::Video, 10_000));
        received += 1;
    }
}
