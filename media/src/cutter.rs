//! Decides what goes into which chunk, when an init segment is due, and what the broadcaster is warned about.
//! Media times are given; tags are read elsewhere.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use crate::audio::AudioTrack;
use crate::boxes::{self, ChunkSamples};
use crate::error::MediaError;
use crate::packager::Announced;
use crate::parameters::{AudioParameters, VideoParameters};
use crate::tag::Unit;
use crate::video::VideoTrack;

/// Targets and limits. The defaults are meant for everyone.
#[derive(Debug, Clone)]
pub struct CutterConfig {
    /// Video per chunk, ms. Default 100: the delay of cutting against the bytes of headers.
    pub chunk_ms: u64,
    /// How long media may run without picture or sound before it is taken to have none, ms. Default 500:
    /// encoders send both headers at once, GStreamer within a frame or two.
    pub track_wait_ms: u64,
    /// Bytes of one tag. Default 4 MiB: a keyframe of an 8 Mb/s stream stays below 1 MiB.
    pub frame_max_bytes: usize,
    /// Bytes of one sequence header. Default 4 KiB: real ones have 30 to 100.
    pub parameters_max_bytes: usize,
    /// Samples of one track in a chunk. Default 256: more than a second of video at 240 frames a second.
    pub chunk_max_samples: usize,
    /// Bytes of samples in a chunk; it is cut early. Default 8 MiB, two frames of the greatest size.
    pub chunk_max_bytes: usize,
    /// Sound that may collect while no picture comes, ms. Default 1,000.
    pub audio_max_ms: u64,
    /// Distance of keyframes above which the broadcaster is warned, ms. Default 2,000, what everyone
    /// recommends for live: viewers join at keyframes.
    pub keyframe_warn_ms: u64,
    /// Greatest distance between decoding and showing a frame, ms. Default 5,000.
    pub composition_max_ms: i32,
}

impl Default for CutterConfig {
    fn default() -> Self {
        Self {
            chunk_ms: 100,
            track_wait_ms: 500,
            frame_max_bytes: 4 << 20,
            parameters_max_bytes: 4 << 10,
            chunk_max_samples: 256,
            chunk_max_bytes: 8 << 20,
            audio_max_ms: 1_000,
            keyframe_warn_ms: 2_000,
            composition_max_ms: 5_000,
        }
    }
}

/// What a player needs before the first chunk, and again whenever it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct InitSegment {
    /// For `MediaSource.addSourceBuffer`, for example `video/mp4; codecs="avc1.64001f,mp4a.40.2"`.
    pub mime: String,
    /// `ftyp` and `moov`.
    pub bytes: Bytes,
    /// The video track: codec, width, height.
    pub video: Option<VideoParameters>,
    /// The audio track: codec, rate, channels.
    pub audio: Option<AudioParameters>,
}

/// One `moof` and `mdat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Decoding time of its first frame, ms since the epoch began; never less than that of the chunk before. A
    /// chunk of sound alone, in a broadcast with a picture, stands where the picture has stopped.
    pub start_ms: u64,
    /// How much video is in it (sound, in a broadcast without a picture), ms.
    pub duration_ms: u32,
    /// It begins a segment: players can start here.
    pub keyframe: bool,
    /// The boxes.
    pub bytes: Bytes,
}

/// Something to put right at the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaWarning {
    /// Keyframes are far apart, so viewers wait long for a picture. Said once for each publish.
    KeyframesFarApart {
        /// The distance seen, or so far.
        interval_ms: u64,
    },
    /// A profile with more than 8 bits or finer colour than 4:2:0, which few browsers decode.
    ProfileFewCanPlay {
        /// Its number (ITU-T H.264, annex A).
        profile_idc: u8,
    },
}

impl fmt::Display for MediaWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyframesFarApart { interval_ms } => {
                let seconds = *interval_ms as f64 / 1_000.0;
                write!(
                    formatter,
                    "keyframes are {seconds:.1} s apart; set the encoder's keyframe interval to 1 or 2 s"
                )
            }
            Self::ProfileFewCanPlay { profile_idc } => {
                let advice = "set the encoder's colour format to NV12 or yuv420p";
                write!(formatter, "few browsers can play H.264 profile {profile_idc}; {advice}")
            }
        }
    }
}

/// What a cutter has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaEvent {
    /// Belongs before every later chunk.
    Init(Box<InitSegment>),
    /// The next chunk.
    Chunk(Chunk),
    /// For the log and the broadcaster.
    Warning(MediaWarning),
}

/// Baseline, Main, Extended and High are numbered up to 100; High 10, 4:2:2 and 4:4:4 begin here.
const FIRST_RARE_PROFILE: u8 = 110;

/// How far the present encoder has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is taken before a keyframe (sound, when there is no video).
    AwaitingStart,
    /// Frames are held until it is known which tracks there are.
    AwaitingTracks { since_ms: u64 },
    /// Chunks flow.
    Running,
}

/// Cuts one broadcast into chunks.
#[derive(Debug)]
pub struct Cutter {
    config: CutterConfig,
    state: State,
    video: VideoTrack,
    audio: AudioTrack,
    announced: Option<Announced>,
    /// What the last init segment described.
    emitted: (Option<VideoParameters>, Option<AudioParameters>),
    /// The parameters changed: wait for the keyframe that uses them.
    video_changed: bool,
    /// Nothing of the present encoder may be before this, ms.
    floor_ms: u64,
    /// Where the emitted video ends, ms.
    video_end_ms: u64,
    /// Start of the newest chunk, ms.
    emitted_start_ms: u64,
    /// When the first sound was seen while no video was, ms.
    audio_alone_since_ms: Option<u64>,
    last_keyframe_ms: Option<u64>,
    warned: bool,
    sequence: u32,
    events: VecDeque<MediaEvent>,
}

impl Cutter {
    /// For one epoch.
    pub fn new(config: CutterConfig) -> Self {
        Self {
            config,
            state: State::AwaitingStart,
            video: VideoTrack::default(),
            audio: AudioTrack::default(),
            announced: None,
            emitted: (None, None),
            video_changed: false,
            floor_ms: 0,
            video_end_ms: 0,
            emitted_start_ms: 0,
            audio_alone_since_ms: None,
            last_keyframe_ms: None,
            warned: false,
            sequence: 0,
            events: VecDeque::new(),
        }
    }

    /// What happened since; call until `None`.
    pub fn poll(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// Takes parameters or a frame in. `time_ms` is the frame's media time (decoding); of no meaning for
    /// parameters.
    pub fn push(&mut self, unit: Unit, time_ms: u64) -> Result<(), MediaError> {
        match unit {
            Unit::VideoParameters(parameters) => self.push_video_parameters(parameters),
            Unit::AudioParameters(parameters) => return self.push_audio_parameters(parameters),
            Unit::VideoFrame { composition_ms, data } => {
                return self.push_video(time_ms, composition_ms, data);
            }
            Unit::AudioFrame { data } => return self.push_audio(time_ms, data),
            Unit::Nothing => {}
        }
        Ok(())
    }

    /// What the encoder's metadata says about its tracks.
    pub fn announce(&mut self, announced: Announced) {
        self.announced = Some(announced);
    }

    /// Emits what is held: the encoder is gone.
    pub fn flush(&mut self) {
        self.video.release(None);
        // Held frames can always be written: their parameters were accepted. If the box library disagrees, the
        // tail of a broadcast that is over is lost, and nobody is left to tell.
        let _ = self.start_running().and_then(|()| self.cut());
    }

    /// The next tags come from another encoder, or from the same one anew. Call after [`Self::flush`].
    pub fn restart(&mut self) {
        self.floor_ms = self.end_ms();
        self.state = State::AwaitingStart;
        self.video.restart();
        self.audio.restart();
        self.announced = None;
        self.video_changed = false;
        self.audio_alone_since_ms = None;
        self.last_keyframe_ms = None;
        self.warned = false;
    }

    /// Where the emitted media ends, ms. Complete after [`Self::flush`].
    pub fn end_ms(&self) -> u64 {
        self.floor_ms.max(self.video_end_ms).max(self.audio.end_ms())
    }

    fn push_video_parameters(&mut self, parameters: VideoParameters) {
        if self.video.parameters.as_ref() == Some(&parameters) {
            return;
        }
        match self.state {
            // Frames that use the new ones start at a keyframe; what is here is shown with the old ones.
            State::Running => self.video_changed = true,
            // Nothing was emitted yet, and what is held cannot be shown with the new ones.
            State::AwaitingTracks { .. } => {
                self.video.restart();
                self.audio.clear_ready();
                self.state = State::AwaitingStart;
            }
            State::AwaitingStart => {}
        }
        self.video.parameters = Some(parameters);
    }

    fn push_audio_parameters(&mut self, parameters: AudioParameters) -> Result<(), MediaError> {
        if self.audio.parameters.as_ref() == Some(&parameters) {
            return Ok(());
        }
        // Written before the change, because sample counts mean another time afterwards.
        if self.state == State::Running {
            self.cut()?;
        } else {
            self.audio.clear_ready();
        }
        self.floor_ms = self.floor_ms.max(self.audio.end_ms());
        self.audio.parameters = Some(parameters);
        self.audio.forget_clock();
        Ok(())
    }

    fn push_video(&mut self, time_ms: u64, composition_ms: i32, data: Bytes) -> Result<(), MediaError> {
        let Some(parameters) = &self.video.parameters else { return Ok(()) };
        let keyframe = parameters.is_keyframe(&data)?;
        if composition_ms.abs() > self.config.composition_max_ms {
            return Err(MediaError::malformed(format!("a frame shown {composition_ms} ms after decoding")));
        }
        let may_begin = self.state != State::AwaitingStart && !self.video_changed;
        if !keyframe && !may_begin || time_ms < self.floor_ms && self.state == State::AwaitingStart {
            return Ok(());
        }
        let decode_ms = self.video.push(time_ms, composition_ms, keyframe, data);
        self.note_keyframe(decode_ms, keyframe);
        if keyframe { self.begin_segment(decode_ms) } else { self.cut_if_due(decode_ms) }
    }

    fn begin_segment(&mut self, decode_ms: u64) -> Result<(), MediaError> {
        match self.state {
            State::AwaitingStart => {
                self.state = State::AwaitingTracks { since_ms: decode_ms };
                self.floor_ms = decode_ms;
                self.audio_alone_since_ms = None;
            }
            State::AwaitingTracks { .. } => self.start_running()?,
            State::Running => {}
        }
        if self.state == State::Running {
            self.cut()?;
            self.video_changed = false;
            self.emit_init_if_changed()?;
        }
        self.cut_if_due(decode_ms)
    }

    fn push_audio(&mut self, time_ms: u64, data: Bytes) -> Result<(), MediaError> {
        if self.audio.parameters.is_none() || time_ms < self.floor_ms {
            return Ok(());
        }
        if self.state == State::AwaitingStart {
            if !self.is_audio_alone(time_ms) {
                return Ok(());
            }
            self.state = State::AwaitingTracks { since_ms: time_ms };
            self.start_running()?;
        }
        if self.state == State::Running && self.emitted.1 != self.audio.parameters {
            if self.emitted.0.is_some() {
                return Ok(()); // The next keyframe brings an init segment with the new sound.
            }
            self.emit_init_if_changed()?;
        }
        self.audio.push(time_ms, data);
        self.cut_if_due(time_ms)
    }

    /// Whether sound without a picture has lasted long enough, or was announced, to go on without one.
    fn is_audio_alone(&mut self, time_ms: u64) -> bool {
        if self.video.parameters.is_some() {
            return false;
        }
        let since_ms = *self.audio_alone_since_ms.get_or_insert(time_ms);
        let waited = time_ms.saturating_sub(since_ms) >= self.config.track_wait_ms;
        waited || self.announced.is_some_and(|announced| !announced.video)
    }

    /// `time_ms`: of the newest frame, which is where the media is now.
    fn cut_if_due(&mut self, time_ms: u64) -> Result<(), MediaError> {
        if let State::AwaitingTracks { since_ms } = self.state {
            let waited = time_ms.saturating_sub(since_ms) >= self.config.track_wait_ms;
            let no_audio = self.announced.is_some_and(|announced| !announced.audio);
            if self.audio.parameters.is_none() && !waited && !no_audio && !self.is_over_limit() {
                return Ok(());
            }
            self.start_running()?;
        }
        let held_ms = self.video.ready_ms();
        // Half a frame early rather than half a frame late.
        let video_due = held_ms + u64::from(self.video.last_duration_ms()) / 2 >= self.config.chunk_ms;
        let audio_ms = self.audio.ready_ms();
        let audio_due = self.emitted.0.is_none()
            && audio_ms + self.audio.frame_ms() / 2 >= self.config.chunk_ms
            || audio_ms >= self.config.audio_max_ms;
        if held_ms > 0 && video_due || audio_due || self.is_over_limit() { self.cut() } else { Ok(()) }
    }

    fn is_over_limit(&self) -> bool {
        let samples = self.video.ready.len().max(self.audio.ready.len());
        let bytes = self.video.ready_bytes + self.audio.ready_bytes;
        samples >= self.config.chunk_max_samples || bytes >= self.config.chunk_max_bytes
    }

    fn start_running(&mut self) -> Result<(), MediaError> {
        if matches!(self.state, State::AwaitingTracks { .. }) {
            self.state = State::Running;
            self.video_changed = false;
            self.emit_init_if_changed()?;
        }
        Ok(())
    }

    fn emit_init_if_changed(&mut self) -> Result<(), MediaError> {
        let present = (self.video.parameters.clone(), self.audio.parameters.clone());
        if present == self.emitted {
            return Ok(());
        }
        let (video, audio) = present.clone();
        let bytes = boxes::init_segment(video.as_ref(), audio.as_ref())?;
        let mime = mime(video.as_ref(), audio.as_ref());
        let profile_idc = video.as_ref().and_then(VideoParameters::profile_idc);
        if let Some(profile_idc @ FIRST_RARE_PROFILE..) = profile_idc
            && self.emitted.0 != present.0
        {
            self.events.push_back(MediaEvent::Warning(MediaWarning::ProfileFewCanPlay { profile_idc }));
        }
        self.emitted = present;
        self.events.push_back(MediaEvent::Init(Box::new(InitSegment { mime, bytes, video, audio })));
        Ok(())
    }

    /// Writes what is ready, if anything is.
    fn cut(&mut self) -> Result<(), MediaError> {
        if self.video.ready.is_empty() && self.audio.ready.is_empty() {
            return Ok(());
        }
        self.sequence = self.sequence.wrapping_add(1);
        let samples = ChunkSamples {
            video_start: self.video.ready_start_ms,
            video: &self.video.ready,
            audio_start: self.audio.ready_start,
            audio: &self.audio.ready,
        };
        let bytes = boxes::chunk(self.sequence, &samples);
        let (start_ms, duration_ms, keyframe) = self.extent();
        self.video.clear_ready();
        self.audio.clear_ready();
        self.emitted_start_ms = self.emitted_start_ms.max(start_ms);
        let start_ms = self.emitted_start_ms;
        let duration_ms = u32::try_from(duration_ms).unwrap_or(u32::MAX);
        self.events.push_back(MediaEvent::Chunk(Chunk { start_ms, duration_ms, keyframe, bytes: bytes? }));
        Ok(())
    }

    /// Start, duration and whether players can start here, of what is ready.
    fn extent(&mut self) -> (u64, u64, bool) {
        if let Some(first) = self.video.ready.first() {
            let (start_ms, duration_ms) = (self.video.ready_start_ms, self.video.ready_ms());
            self.video_end_ms = start_ms + duration_ms;
            return (start_ms, duration_ms, first.keyframe);
        }
        if self.emitted.0.is_some() {
            return (self.video_end_ms, 0, false);
        }
        (self.audio.ready_start_ms(), self.audio.ready_ms(), true)
    }

    fn note_keyframe(&mut self, decode_ms: u64, keyframe: bool) {
        // Long before the next keyframe of an encoder that sends none, the broadcaster should know.
        const PATIENCE: u64 = 5;
        let since_ms = decode_ms.saturating_sub(*self.last_keyframe_ms.get_or_insert(decode_ms));
        // A frame of slack: 2 s at 29.97 frames a second are 2,002 ms.
        let limit_ms = self.config.keyframe_warn_ms + u64::from(self.video.last_duration_ms());
        let too_far = if keyframe { since_ms > limit_ms } else { since_ms > limit_ms * PATIENCE };
        if too_far && !self.warned {
            self.warned = true;
            let warning = MediaWarning::KeyframesFarApart { interval_ms: since_ms };
            self.events.push_back(MediaEvent::Warning(warning));
        }
        if keyframe {
            self.last_keyframe_ms = Some(decode_ms);
        }
    }
}

fn mime(video: Option<&VideoParameters>, audio: Option<&AudioParameters>) -> String {
    let codecs: Vec<&str> =
        video.map(VideoParameters::codec).into_iter().chain(audio.map(AudioParameters::codec)).collect();
    let kind = if video.is_some() { "video" } else { "audio" };
    format!("{kind}/mp4; codecs=\"{}\"", codecs.join(","))
}
