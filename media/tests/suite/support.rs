//! Streams for the tests, made by a real ffmpeg, and the tags inside them.

use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;
use media::{Chunk, CutterConfig, InitSegment, MediaEvent, Packager, TagKind};

/// One FLV tag.
#[derive(Debug, Clone)]
pub struct Tag {
    pub kind: TagKind,
    pub timestamp_ms: u32,
    pub body: Bytes,
}

/// A stream to make.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    pub seconds: u32,
    pub size: &'static str,
    pub frames_per_second: u32,
    pub b_frames: u32,
    pub keyframe_seconds: u32,
    pub sample_rate_hz: Option<u32>,
    pub pixels: &'static str,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            seconds: 4,
            size: "320x180",
            frames_per_second: 30,
            b_frames: 0,
            keyframe_seconds: 1,
            sample_rate_hz: Some(44_100),
            pixels: "yuv420p",
        }
    }
}

impl Stream {
    /// Its tags, as an encoder would send them over RTMP.
    pub fn tags(&self) -> Vec<Tag> {
        tags_of(&self.flv())
    }

    fn flv(&self) -> Vec<u8> {
        let keyframes = (self.keyframe_seconds * self.frames_per_second).to_string();
        let (seconds, b_frames) = (self.seconds.to_string(), self.b_frames.to_string());
        let picture = format!("testsrc2=size={}:rate={}", self.size, self.frames_per_second);
        let mut arguments = vec!["-v", "error", "-f", "lavfi", "-i", &picture];
        let tone = self.sample_rate_hz.map(|rate| format!("sine=frequency=440:sample_rate={rate}"));
        if let Some(tone) = &tone {
            arguments.extend(["-f", "lavfi", "-i", tone, "-c:a", "aac"]);
        }
        arguments.extend(["-t", &seconds, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", self.pixels]);
        arguments.extend(["-g", &keyframes, "-sc_threshold", "0", "-bf", &b_frames, "-f", "flv", "-"]);
        ffmpeg(&arguments)
    }
}

/// Runs ffmpeg and returns what it wrote to its standard output.
pub fn ffmpeg(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg").args(arguments).output().expect("ffmpeg runs");
    assert!(output.status.success(), "ffmpeg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The audio and video tags of an FLV file (Adobe FLV 10.1, annex E.4).
pub fn tags_of(flv: &[u8]) -> Vec<Tag> {
    let (mut tags, mut rest) = (Vec::new(), &flv[13..]);
    while rest.len() >= 11 {
        let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let timestamp_ms = u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]);
        let body = Bytes::copy_from_slice(&rest[11..11 + size]);
        let kind = match rest[0] {
            8 => Some(TagKind::Audio),
            9 => Some(TagKind::Video),
            _ => None,
        };
        tags.extend(kind.map(|kind| Tag { kind, timestamp_ms, body }));
        rest = &rest[11 + size + 4..];
    }
    tags
}

/// What came out of a packager.
#[derive(Debug, Default)]
pub struct Output {
    pub inits: Vec<InitSegment>,
    pub chunks: Vec<Chunk>,
    pub warnings: Vec<String>,
    /// Init segments and chunks in order, as a file.
    pub file: Vec<u8>,
}

impl Output {
    pub fn collect(&mut self, packager: &mut Packager) {
        while let Some(event) = packager.poll() {
            match event {
                MediaEvent::Init(init) => {
                    self.file.extend_from_slice(&init.bytes);
                    self.inits.push(*init);
                }
                MediaEvent::Chunk(chunk) => {
                    self.file.extend_from_slice(&chunk.bytes);
                    self.chunks.push(chunk);
                }
                MediaEvent::Warning(warning) => self.warnings.push(warning.to_string()),
            }
        }
    }
}

/// Publishes the tags at `start_ms` as if they arrived in real time.
pub fn publish(packager: &mut Packager, output: &mut Output, start_ms: u64, tags: &[Tag]) {
    packager.publish(start_ms);
    output.collect(packager);
    let first = tags.iter().map(|tag| tag.timestamp_ms).find(|timestamp| *timestamp > 0).unwrap_or(0);
    for tag in tags {
        let now_ms = start_ms + u64::from(tag.timestamp_ms.saturating_sub(first));
        packager.push(tag.kind, tag.timestamp_ms, now_ms, tag.body.clone()).expect("a good tag");
        output.collect(packager);
    }
    packager.flush();
    output.collect(packager);
}

/// A whole broadcast of one encoder.
pub fn package(tags: &[Tag]) -> Output {
    let mut packager = Packager::new(CutterConfig::default());
    let mut output = Output::default();
    publish(&mut packager, &mut output, 0, tags);
    output
}

/// One line of `ffprobe -show_packets`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Packet {
    pub video: bool,
    pub decode: i64,
    pub present: i64,
}

/// What ffprobe finds in a file, times in the track's own units.
pub fn ffprobe(file: &[u8]) -> Vec<Packet> {
    let path = temporary_file(file);
    let entries = "packet=codec_type,dts,pts";
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_packets", "-show_entries", entries, "-of", "compact=p=0:nk=0"])
        .arg(&path)
        .output()
        .expect("ffprobe runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.is_empty(), "ffprobe: {errors}");
    std::fs::remove_file(path).expect("the file was there");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains("codec_type"))
        .map(packet)
        .collect()
}

/// Decodes the file and fails on any complaint of the decoder. Returns the number of pictures.
pub fn decode(file: &[u8]) -> usize {
    let path = temporary_file(file);
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-i"])
        .arg(&path)
        .args(["-map", "0", "-f", "framecrc", "-"])
        .output()
        .expect("ffmpeg runs");
    std::fs::remove_file(path).expect("the file was there");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "ffmpeg: {errors}");
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with("0,")).count()
}

fn packet(line: &str) -> Packet {
    let field = |name: &str| {
        let value = line.split('|').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{name} in {line}"))
    };
    let number = |name: &str| field(name).parse().unwrap_or_else(|_| panic!("{name} in {line}"));
    Packet { video: field("codec_type") == "video", decode: number("dts"), present: number("pts") }
}

fn temporary_file(bytes: &[u8]) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("swarmcast-media-{}-{number}.mp4", std::process::id()));
    std::fs::write(&path, bytes).expect("the temporary folder is writable");
    path
}
