//! Codec parameters of the two tracks: what decoders, the init segment and MSE's codec string need to know.
//! Bitstream syntax is left to `shiguredo_mp4`.

use bytes::Bytes;
use shiguredo_mp4::bitstream::aac::{self, AudioSpecificConfig, Mp4aSampleEntryConfig};
use shiguredo_mp4::bitstream::h264::{self, H264SampleEntryConfig, LengthSize};
use shiguredo_mp4::bitstream::opus::{self, ChannelCount, OpusSampleEntryConfig};
use shiguredo_mp4::bitstream::vp9::{self, Vp9FrameSize, Vp9FrameType, Vp9SampleEntryConfig};
use shiguredo_mp4::boxes::SampleEntry;
use shiguredo_mp4::codec_string;

use crate::error::MediaError;
use crate::video;

/// Samples of one AAC-LC frame per channel (ISO/IEC 14496-3, 4.5.2.1.1).
const AAC_FRAME_SAMPLES: u32 = 1024;

/// The longest side of a picture, pixels: twice 8K, beyond every decoder in a browser, and it fits the 16.16
/// numbers of the track header.
const PICTURE_SIDE_MAX: u16 = 16_384;

/// Samples of an Opus frame of 20 ms, at the rate of 48 kHz that Opus always counts in (RFC 6716, 2.1.4): what
/// browsers make.
const OPUS_FRAME_SAMPLES: u32 = 960;

/// The rate that Opus counts in, whatever it was made from.
const OPUS_RATE_HZ: u32 = 48_000;

/// As browsers spell it in MSE. The box is called `Opus`, and so is the codec in RFC 6381; Chromium takes either, Firefox
/// only this.
const OPUS_CODEC: &str = "opus";

/// Samples that an Opus decoder needs before its output is right (RFC 7845, 4.2): 6.5 ms, libopus's own delay.
const OPUS_PRE_SKIP: u16 = 312;

/// Parameters of the video track.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoParameters {
    pub(crate) entry: SampleEntry,
    frames: Frames,
    codec: String,
    width: u16,
    height: u16,
}

/// How the frames of a track are written, so far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frames {
    /// NAL units with length prefixes (ISO/IEC 14496-15, 5.3.3), of a profile.
    H264 { nal_length_bytes: usize, profile_idc: u8 },
    /// VP9 frames as they are.
    Vp9,
}

impl VideoParameters {
    /// H.264, from an `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 5.3.3.1), which WebCodecs calls a description.
    pub fn h264_record(record: &[u8]) -> Result<Self, MediaError> {
        let read = || {
            let (head, rest) = record.split_first_chunk::<5>()?;
            let (sps, rest) = parameter_sets(rest, 0x1f)?;
            let (pps, _) = parameter_sets(rest, 0xff)?;
            Some((sps, pps, (head[4] & 0x03) + 1))
        };
        let (sps, pps, nal_length_bytes) = read().ok_or_else(|| bad("video", "the record ends early"))?;
        Self::new(&sps, &pps, nal_length_bytes)
    }

    /// VP9, from its first keyframe. `level` is ten times the level's name, as in codec strings (VP codec ISO media file
    /// format binding, 2.2).
    pub fn vp9(keyframe: &[u8], level: u8) -> Result<Self, MediaError> {
        let header = vp9::parse_frame_header(keyframe).map_err(|error| bad("video", error))?;
        let (width, height) = match header.frame_size {
            Vp9FrameSize::Resolved { width, height } => (u16::try_from(width), u16::try_from(height)),
            _ => return Err(bad("video", "not a VP9 keyframe")),
        };
        let (Ok(width), Ok(height)) = (width, height) else {
            return Err(bad("video", "a picture too large"));
        };
        let config = Vp9SampleEntryConfig {
            level,
            colour_primaries: Vp9SampleEntryConfig::COLOUR_PRIMARIES_BT709,
            transfer_characteristics: Vp9SampleEntryConfig::TRANSFER_CHARACTERISTICS_BT709,
            matrix_coefficients: Vp9SampleEntryConfig::MATRIX_COEFFICIENTS_BT709,
            width,
            height,
        };
        let entry = vp9::build_vp09_box(&header, &config).map_err(|error| bad("video", error))?;
        Self::of(SampleEntry::Vp09(entry), Frames::Vp9, width, height)
    }

    /// H.264, from the parameter sets of a sequence header. `nal_length_bytes` is 1, 2 or 4.
    pub fn new(sps: &[Bytes], pps: &[Bytes], nal_length_bytes: u8) -> Result<Self, MediaError> {
        let length_size = match nal_length_bytes {
            1 => LengthSize::OneByte,
            2 => LengthSize::TwoBytes,
            4 => LengthSize::FourBytes,
            other => return Err(bad("video", format!("NAL length of {other} bytes"))),
        };
        let sps: Vec<Vec<u8>> = sps.iter().map(|set| set.to_vec()).collect();
        let pps: Vec<Vec<u8>> = pps.iter().map(|set| set.to_vec()).collect();
        let entry = h264::build_avc1_box(&sps, &pps, &H264SampleEntryConfig { length_size })
            .map_err(|error| bad("video", error))?;
        let (width, height) = (entry.visual.width, entry.visual.height);
        let profile_idc = entry.avcc_box.avc_profile_indication;
        let frames = Frames::H264 { nal_length_bytes: usize::from(nal_length_bytes), profile_idc };
        Self::of(SampleEntry::Avc1(entry), frames, width, height)
    }

    fn of(entry: SampleEntry, frames: Frames, width: u16, height: u16) -> Result<Self, MediaError> {
        if width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX {
            return Err(bad("video", format!("a picture of {width}x{height}")));
        }
        let codec = codec_string::from_sample_entry(&entry).map_err(|error| bad("video", error))?;
        Ok(Self { entry, frames, codec, width, height })
    }

    /// Whether a frame can be decoded on its own; an error if it is none, which would silence a browser's decoder.
    pub(crate) fn is_keyframe(&self, frame: &[u8]) -> Result<bool, MediaError> {
        match self.frames {
            Frames::H264 { nal_length_bytes, .. } => video::contains_idr(frame, nal_length_bytes),
            Frames::Vp9 => {
                let header = vp9::parse_frame_header(frame).map_err(MediaError::malformed)?;
                Ok(header.frame_type == Vp9FrameType::Key && header.show_existing_frame.is_none())
            }
        }
    }

    /// RFC 6381 codec string, for example `avc1.64001f`.
    pub fn codec(&self) -> &str {
        &self.codec
    }

    /// The profile's number (ITU-T H.264, annex A); `None` for another codec.
    pub fn profile_idc(&self) -> Option<u8> {
        match self.frames {
            Frames::H264 { profile_idc, .. } => Some(profile_idc),
            Frames::Vp9 => None,
        }
    }

    /// Picture width after cropping, pixels.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Picture height after cropping, pixels.
    pub fn height(&self) -> u16 {
        self.height
    }
}

/// Parameter sets with lengths before them, behind a count of which `count_bits` count.
fn parameter_sets(bytes: &[u8], count_bits: u8) -> Option<(Vec<Bytes>, &[u8])> {
    let (&count, mut rest) = bytes.split_first()?;
    let mut sets = Vec::new();
    for _ in 0..count & count_bits {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (set, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        sets.push(Bytes::copy_from_slice(set));
        rest = after;
    }
    Some((sets, rest))
}

/// Parameters of the audio track.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioParameters {
    pub(crate) entry: SampleEntry,
    codec: String,
    sample_rate_hz: u32,
    frame_samples: u32,
    channels: u16,
}

impl AudioParameters {
    /// Opus in frames of 20 ms, of one channel or two.
    pub fn opus(channels: u8) -> Result<Self, MediaError> {
        let channel_count = match channels {
            1 => ChannelCount::Mono,
            2 => ChannelCount::Stereo,
            other => return Err(bad("audio", format!("{other} channels"))),
        };
        let entry = opus::build_opus_box(&OpusSampleEntryConfig {
            channel_count,
            pre_skip: OPUS_PRE_SKIP,
            input_sample_rate: OPUS_RATE_HZ,
            output_gain: 0,
        });
        let entry = SampleEntry::Opus(entry);
        let codec = OPUS_CODEC.to_owned();
        let (sample_rate_hz, frame_samples) = (OPUS_RATE_HZ, OPUS_FRAME_SAMPLES);
        Ok(Self { entry, codec, sample_rate_hz, frame_samples, channels: channels.into() })
    }

    /// AAC-LC, from an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). What follows the AAC-LC part is dropped: FFmpeg
    /// appends a note that there is no SBR, which says nothing and which strict parsers refuse.
    pub fn new(config: &[u8]) -> Result<Self, MediaError> {
        let config = parse_config(config)?;
        let entry_config =
            Mp4aSampleEntryConfig { es_id: 1, buffer_size_db: 0, max_bitrate: 0, avg_bitrate: 0 };
        let entry = aac::build_mp4a_box(&config, &entry_config).map_err(|error| bad("audio", error))?;
        let entry = SampleEntry::Mp4a(entry);
        let codec = codec_string::from_sample_entry(&entry).map_err(|error| bad("audio", error))?;
        let channels = config.channel_configuration.channel_count();
        let (sample_rate_hz, frame_samples) = (config.sampling_frequency.hz(), AAC_FRAME_SAMPLES);
        Ok(Self { entry, codec, sample_rate_hz, frame_samples, channels })
    }

    /// RFC 6381 codec string: `mp4a.40.2`, or `opus`.
    pub fn codec(&self) -> &str {
        &self.codec
    }

    /// Samples a second of one channel.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Samples of one channel in a frame.
    pub(crate) fn frame_samples(&self) -> u32 {
        self.frame_samples
    }

    /// Number of channels.
    pub fn channels(&self) -> u16 {
        self.channels
    }
}

/// The least and the greatest sampling rate taken, Hz: MPEG-4's own table runs from 7,350 to 96,000, and a
/// made-up rate must not become a timescale.
const SAMPLE_RATES_HZ: std::ops::RangeInclusive<u32> = 7_350..=96_000;

fn parse_config(config: &[u8]) -> Result<AudioSpecificConfig, MediaError> {
    let Some(&[first, second]) = config.first_chunk::<2>() else {
        return Err(bad("audio", "AudioSpecificConfig of less than two bytes"));
    };
    let object_type = first >> 3;
    if object_type != 2 {
        return Err(MediaError::UnsupportedCodec { codec: aac_profile(object_type) });
    }
    // Frequency index 15 carries the rate in 24 more bits.
    let explicit_rate = ((first & 0x07) << 1 | second >> 7) == 15;
    let length = if explicit_rate { 5 } else { 2 };
    let config = config.get(..length).ok_or_else(|| bad("audio", "AudioSpecificConfig ends early"))?;
    let parsed = aac::parse_audio_specific_config(config).map_err(|error| bad("audio", error))?;
    let rate = parsed.sampling_frequency.hz();
    if !SAMPLE_RATES_HZ.contains(&rate) {
        return Err(bad("audio", format!("a sampling rate of {rate} Hz")));
    }
    Ok(parsed)
}

fn aac_profile(object_type: u8) -> String {
    match object_type {
        1 => "AAC Main".into(),
        5 => "HE-AAC".into(),
        29 => "HE-AAC v2".into(),
        other => format!("MPEG-4 audio object type {other}"),
    }
}

fn bad(track: &'static str, reason: impl ToString) -> MediaError {
    MediaError::BadParameters { track, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ffmpeg_appends_bytes_about_sbr_and_is_understood() {
        let parameters = AudioParameters::new(&[0x12, 0x08, 0x56, 0xe5, 0x00]).unwrap();
        assert_eq!(parameters.codec(), "mp4a.40.2");
        assert_eq!((parameters.sample_rate_hz(), parameters.channels()), (44_100, 1));
    }

    #[test]
    fn he_aac_is_refused_by_name() {
        let refused = AudioParameters::new(&[0x2b, 0x92, 0x08, 0x00]);
        assert_eq!(refused, Err(MediaError::UnsupportedCodec { codec: "HE-AAC".into() }));
    }

    /// 640x360, 8 bits, 4:2:0, with nothing behind the header.
    const VP9_KEYFRAME: [u8; 20] =
        [0x82, 0x49, 0x83, 0x42, 0x40, 0x27, 0xf0, 0x16, 0x70, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// A record as browsers hand it out: one SPS and one PPS of x264, 320x180.
    const H264_RECORD: [u8; 41] = [
        0x01, 0x42, 0xc0, 0x0d, 0xff, 0xe1, 0x00, 0x19, 0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x41, 0x9f, 0x9f,
        0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42, 0xa4, 0x80, 0x01,
        0x00, 0x05, 0x68, 0xcb, 0x83, 0xcb, 0x20,
    ];

    #[test]
    fn a_browsers_vp9_and_opus_are_described() {
        let video = VideoParameters::vp9(&VP9_KEYFRAME, 31).unwrap();
        assert_eq!((video.codec(), video.width(), video.height()), ("vp09.00.31.08", 640, 360));
        assert_eq!(video.is_keyframe(&VP9_KEYFRAME), Ok(true));
        let mut depends_on_others = [0; 20];
        depends_on_others[0] = 0x86;
        assert_eq!(video.is_keyframe(&depends_on_others), Ok(false));
        assert!(video.is_keyframe(&[0x42]).is_err(), "no VP9 at all");
        assert!(VideoParameters::vp9(&depends_on_others, 31).is_err(), "no keyframe");
        let audio = AudioParameters::opus(2).unwrap();
        assert_eq!((audio.codec(), audio.sample_rate_hz(), audio.channels()), ("opus", 48_000, 2));
        assert!(AudioParameters::opus(6).is_err());
    }

    #[test]
    fn a_record_is_read_to_its_end_and_not_beyond() {
        let video = VideoParameters::h264_record(&H264_RECORD).unwrap();
        assert_eq!((video.codec(), video.width(), video.height()), ("avc1.42c00d", 320, 180));
        for length in 0..H264_RECORD.len() {
            assert!(VideoParameters::h264_record(&H264_RECORD[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn an_invented_rate_is_refused() {
        // Object type 2, frequency index 15, rate 1 Hz, one channel.
        let refused = AudioParameters::new(&[0x17, 0x80, 0x00, 0x00, 0x88]);
        assert!(matches!(refused, Err(MediaError::BadParameters { track: "audio", .. })), "{refused:?}");
    }
}
