//! Streams of a real encoder become chunks that another program (ffmpeg's own demuxer and decoder, `mp4-atom`)
//! reads back without a gap, an overlap or a complaint.

use crate::support::{Output, Packet, Stream, Tag, decode, ffmpeg, ffprobe, package, publish, tags_of};
use mp4_atom::{Any, ReadFrom};

use media::{CutterConfig, MediaError, Packager, TagKind};

/// FFmpeg starts the sound, with its priming samples, at 0, and the picture one AAC frame later, ms.
const FIRST: u64 = 23;

#[test]
fn a_plain_stream_comes_out_whole() {
    let output = package(&Stream::default().tags());
    assert_eq!(output.inits.len(), 1);
    let init = &output.inits[0];
    assert!(
        init.mime.starts_with("video/mp4; codecs=\"avc1.") && init.mime.ends_with(",mp4a.40.2\""),
        "{}",
        init.mime
    );
    let video = init.video.as_ref().unwrap();
    assert_eq!((video.width(), video.height()), (320, 180));
    assert_contiguous(&output, 120);
    assert_eq!(decode(&output.file), 120);
    assert!(output.warnings.is_empty(), "{:?}", output.warnings);
}

#[test]
fn reordered_frames_keep_their_order_and_their_times() {
    let output = package(&Stream { b_frames: 3, ..Stream::default() }.tags());
    let packets = ffprobe(&output.file);
    assert_contiguous(&output, 120);
    assert!(packets.iter().any(|packet| packet.video && packet.present > packet.decode + 40));
    let mut shown: Vec<i64> =
        packets.iter().filter(|packet| packet.video).map(|packet| packet.present).collect();
    shown.sort_unstable();
    assert!(shown.windows(2).all(|pair| (30..=36).contains(&(pair[1] - pair[0]))), "{shown:?}");
    assert_eq!(decode(&output.file), 120);
}

#[test]
fn chunks_are_about_100_ms_and_segments_start_at_keyframes() {
    for frames_per_second in [24, 25, 30, 50, 60] {
        let output = package(&Stream { frames_per_second, ..Stream::default() }.tags());
        let (last, chunks) = output.chunks.split_last().unwrap();
        let longest = chunks.iter().map(|chunk| chunk.duration_ms).max().unwrap();
        let mean = chunks.iter().map(|chunk| chunk.duration_ms).sum::<u32>() / chunks.len() as u32;
        assert!(longest <= 130 && (75..=115).contains(&mean), "{frames_per_second} fps: {longest} {mean}");
        let starts: Vec<u64> =
            output.chunks.iter().filter(|chunk| chunk.keyframe).map(|chunk| chunk.start_ms).collect();
        assert_eq!(starts, [FIRST, FIRST + 1_000, FIRST + 2_000, FIRST + 3_000], "{frames_per_second} fps");
        for pair in output.chunks.windows(2) {
            assert_eq!(pair[0].start_ms + u64::from(pair[0].duration_ms), pair[1].start_ms);
        }
        assert!(last.duration_ms <= 120);
    }
}

#[test]
fn every_chunk_is_one_moof_and_one_mdat_with_the_time_it_claims() {
    let output = package(&Stream { b_frames: 2, sample_rate_hz: Some(48_000), ..Stream::default() }.tags());
    for chunk in &output.chunks {
        let boxes = boxes_of(&chunk.bytes);
        let [Any::Moof(moof), Any::Mdat(_)] = &boxes[..] else { panic!("{boxes:?}") };
        let video = moof.traf.iter().find(|traf| traf.tfhd.track_id == 1).unwrap();
        assert_eq!(video.tfdt.as_ref().unwrap().base_media_decode_time, chunk.start_ms);
        let sync = video.trun[0].samples.get(0).unwrap().flags.unwrap() & 0x0001_0000 == 0;
        assert_eq!(sync, chunk.keyframe);
    }
    let boxes = boxes_of(&output.inits[0].bytes);
    let [Any::Ftyp(_), Any::Moov(moov)] = &boxes[..] else { panic!("{boxes:?}") };
    let timescales: Vec<u32> = moov.trak.iter().map(|trak| trak.mdia.mdhd.timescale).collect();
    assert_eq!(timescales, [1_000, 48_000]);
}

#[test]
fn a_stream_without_sound_or_without_picture_plays() {
    let silent = package(&Stream { sample_rate_hz: None, ..Stream::default() }.tags());
    assert_eq!(silent.inits.len(), 1);
    assert!(!silent.inits[0].mime.contains("mp4a"));
    assert_eq!(decode(&silent.file), 120);

    let arguments = [
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=sample_rate=48000",
        "-t",
        "4",
        "-c:a",
        "aac",
        "-f",
        "flv",
        "-",
    ];
    let dark = package(&tags_of(&ffmpeg(&arguments)));
    assert_eq!(dark.inits[0].mime, "audio/mp4; codecs=\"mp4a.40.2\"");
    assert!(dark.chunks.iter().all(|chunk| chunk.keyframe && chunk.duration_ms <= 130));
    assert_contiguous(&dark, 0);
}

#[test]
fn the_init_segment_waits_for_late_sound_but_not_for_ever() {
    let tags = Stream::default().tags();
    let is_audio_header = |tag: &&Tag| tag.kind == TagKind::Audio && tag.body[1] == 0;
    let audio_header = tags.iter().find(is_audio_header).unwrap().clone();
    let mut late: Vec<Tag> = tags.iter().filter(|tag| !is_audio_header(tag)).cloned().collect();
    let position = late.iter().position(|tag| tag.timestamp_ms >= 200).unwrap();
    late.insert(position, audio_header);
    let output = package(&late);
    assert_eq!(output.inits.len(), 1);
    assert!(output.inits[0].audio.is_some());

    let position = late.iter().position(|tag| tag.kind == TagKind::Audio && tag.body[1] == 0).unwrap();
    let header = late.remove(position);
    late.insert(late.iter().position(|tag| tag.timestamp_ms >= 1_500).unwrap(), header);
    let output = package(&late);
    assert_eq!(output.inits.len(), 2, "sound that comes later brings a new init segment");
    assert!(output.inits[0].audio.is_none() && output.inits[1].audio.is_some());
}

#[test]
fn an_encoder_that_returns_continues_after_a_gap() {
    let tags = Stream { b_frames: 2, ..Stream::default() }.tags();
    let (mut packager, mut output) = (Packager::new(CutterConfig::default()), Output::default());
    publish(&mut packager, &mut output, 0, &tags);
    let before = output.chunks.len();
    publish(&mut packager, &mut output, 20_000, &tags);
    assert_eq!(output.inits.len(), 1, "the same parameters need no new init segment");
    assert_eq!((output.chunks[before].start_ms, output.chunks[before].keyframe), (20_000, true));
    assert_ordered(&ffprobe(&output.file));

    let before = output.chunks.len();
    publish(&mut packager, &mut output, 21_000, &tags);
    assert!(output.chunks[before].start_ms >= 24_000, "nothing overlaps what was sent");
    assert_ordered(&ffprobe(&output.file));
}

#[test]
fn another_resolution_brings_an_init_segment_before_its_first_chunk() {
    let (small, large) = (Stream::default(), Stream { size: "640x360", b_frames: 2, ..Stream::default() });
    let (mut packager, mut output) = (Packager::new(CutterConfig::default()), Output::default());
    publish(&mut packager, &mut output, 0, &small.tags());
    let (chunks, split) = (output.chunks.len(), output.file.len());
    publish(&mut packager, &mut output, 10_000, &large.tags());
    assert_eq!(output.inits.len(), 2);
    assert_eq!(output.inits[1].video.as_ref().unwrap().width(), 640);
    assert!(output.chunks[chunks].keyframe);
    assert_eq!(decode(&output.file[..split]), 120);
    assert_eq!(decode(&output.file[split..]), 120);
}

#[test]
fn parameters_may_change_within_one_publish() {
    let (small, large) = (Stream::default().tags(), Stream { size: "640x360", ..Stream::default() }.tags());
    let mut tags = small;
    tags.extend(large.into_iter().map(|tag| Tag { timestamp_ms: tag.timestamp_ms + 4_000, ..tag }));
    let output = package(&tags);
    assert_eq!(output.inits.len(), 2);
    assert_eq!(output.inits[1].video.as_ref().unwrap().height(), 360);
    let total: u64 = output.chunks.iter().map(|chunk| u64::from(chunk.duration_ms)).sum();
    assert!((7_950..=8_050).contains(&total), "{total}");
}

#[test]
fn timestamps_that_wrap_or_start_anywhere_change_nothing() {
    let tags = Stream { b_frames: 2, ..Stream::default() }.tags();
    let plain = package(&tags);
    for (offset, mask) in
        [(0x7fff_ffff - 1_500, 0x7fff_ffff), (u32::MAX - 1_500, u32::MAX), (3_600_000, u32::MAX)]
    {
        let is_header = |tag: &Tag| tag.body[1] == 0;
        let moved = |tag: &Tag| if is_header(tag) { 0 } else { tag.timestamp_ms.wrapping_add(offset) & mask };
        let moved: Vec<Tag> =
            tags.iter().map(|tag| Tag { timestamp_ms: moved(tag), ..tag.clone() }).collect();
        let mut packager = Packager::new(CutterConfig::default());
        let mut output = Output::default();
        packager.publish(0);
        for (tag, original) in moved.iter().zip(&tags) {
            let now_ms = u64::from(original.timestamp_ms);
            packager.push(tag.kind, tag.timestamp_ms, now_ms, tag.body.clone()).unwrap();
        }
        packager.flush();
        output.collect(&mut packager);
        assert!(output.file == plain.file, "offset {offset}");
    }
}

#[test]
fn keyframes_far_apart_are_warned_about_once() {
    let output = package(&Stream { seconds: 10, keyframe_seconds: 3, ..Stream::default() }.tags());
    assert_eq!(
        output.warnings,
        ["keyframes are 3.0 s apart; set the encoder's keyframe interval to 1 or 2 s"]
    );
    let output = package(&Stream { seconds: 12, keyframe_seconds: 12, ..Stream::default() }.tags());
    assert_eq!(output.warnings.len(), 1, "{:?}", output.warnings);
    assert!(package(&Stream { keyframe_seconds: 2, ..Stream::default() }.tags()).warnings.is_empty());
}

#[test]
fn colours_that_few_browsers_play_are_warned_about() {
    let output = package(&Stream { pixels: "yuv444p", ..Stream::default() }.tags());
    assert_eq!(output.warnings.len(), 1);
    assert!(output.warnings[0].contains("H.264 profile 244"), "{:?}", output.warnings);
}

#[test]
fn other_codecs_are_refused_by_name() {
    let arguments =
        ["-v", "error", "-f", "lavfi", "-i", "testsrc2", "-t", "1", "-c:v", "flv1", "-f", "flv", "-"];
    let tags = tags_of(&ffmpeg(&arguments));
    let mut packager = Packager::new(CutterConfig::default());
    packager.publish(0);
    let error = packager.push(tags[0].kind, 0, 0, tags[0].body.clone()).unwrap_err();
    assert_eq!(error, MediaError::UnsupportedCodec { codec: "Sorenson H.263".into() });
    assert!(error.refuses_encoder());
}

#[test]
fn lost_sound_leaves_no_hole() {
    let mut tags = Stream::default().tags();
    let lost = 1_000..1_500;
    tags.retain(|tag| tag.kind == TagKind::Video || !lost.contains(&tag.timestamp_ms));
    assert_contiguous(&package(&tags), 120);
}

/// Decoding times rise, and every chunk of a track begins exactly where the one before it ends.
fn assert_contiguous(output: &Output, pictures: usize) {
    let packets = ffprobe(&output.file);
    assert_ordered(&packets);
    assert_eq!(packets.iter().filter(|packet| packet.video).count(), pictures);
    let mut ends = [None; 3];
    for chunk in &output.chunks {
        for traf in trafs_of(&chunk.bytes) {
            let start = traf.tfdt.as_ref().expect("a tfdt").base_media_decode_time;
            let end = &mut ends[traf.tfhd.track_id as usize];
            assert_eq!(start, end.unwrap_or(start), "track {}", traf.tfhd.track_id);
            let duration: u64 = traf.trun[0]
                .samples
                .iter()
                .map(|sample| u64::from(sample.duration.expect("a duration")))
                .sum();
            *end = Some(start + duration);
        }
    }
}

fn trafs_of(chunk: &[u8]) -> Vec<mp4_atom::Traf> {
    match boxes_of(chunk).swap_remove(0) {
        Any::Moof(moof) => moof.traf,
        other => panic!("{other:?}"),
    }
}

fn assert_ordered(packets: &[Packet]) {
    for video in [true, false] {
        let track: Vec<&Packet> = packets.iter().filter(|packet| packet.video == video).collect();
        assert!(track.windows(2).all(|pair| pair[0].decode < pair[1].decode), "video: {video}");
    }
}

fn boxes_of(mut bytes: &[u8]) -> Vec<Any> {
    let mut boxes = Vec::new();
    while !bytes.is_empty() {
        boxes.push(Any::read_from(&mut bytes).expect("a box"));
    }
    boxes
}
