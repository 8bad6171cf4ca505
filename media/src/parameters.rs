//! Codec parameters of the two tracks: what decoders, the init segment and MSE's codec string need to know.
//! Bitstream syntax is left to `shiguredo_mp4`.

use bytes::Bytes;
use shiguredo_mp4::bitstream::aac::{self, AudioSpecificConfig, Mp4aSampleEntryConfig};
use shiguredo_mp4::bitstream::h264::{self, H264SampleEntryConfig, LengthSize};
use shiguredo_mp4::boxes::SampleEntry;
use shiguredo_mp4::codec_string;

use crate::error::MediaError;

/// Samples of one AAC-LC frame per channel (ISO/IEC 14496-3, 4.5.2.1.1).
pub(crate) const AAC_FRAME_SAMPLES: u32 = 1024;

/// The longest side of a picture, pixels: twice 8K, beyond every decoder in a browser, and it fits the 16.16
/// numbers of the track header.
const PICTURE_SIDE_MAX: u16 = 16_384;

/// H.264 parameters: SPS, PPS and how frames are delimited (ISO/IEC 14496-15, 5.3.3.1).
#[derive(Debug, Clone, PartialEq)]
pub struct VideoParameters {
    pub(crate) entry: SampleEntry,
    pub(crate) nal_length_bytes: usize,
    codec: String,
    profile_idc: u8,
    width: u16,
    height: u16,
}

impl VideoParameters {
    /// From the parameter sets of a sequence header. `nal_length_bytes` is 1, 2 or 4.
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
        if width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX {
            return Err(bad("video", format!("a picture of {width}x{height}")));
        }
        let entry = SampleEntry::Avc1(entry);
        let codec = codec_string::from_sample_entry(&entry).map_err(|error| bad("video", error))?;
        Ok(Self { entry, nal_length_bytes: usize::from(nal_length_bytes), codec, profile_idc, width, height })
    }

    /// RFC 6381 codec string, for example `avc1.64001f`.
    pub fn codec(&self) -> &str {
        &self.codec
    }

    /// The profile's number (ITU-T H.264, annex A).
    pub fn profile_idc(&self) -> u8 {
        self.profile_idc
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

/// AAC-LC parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioParameters {
    pub(crate) entry: SampleEntry,
    codec: String,
    sample_rate_hz: u32,
    channels: u16,
}

impl AudioParameters {
    /// From an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). What follows the AAC-LC part is dropped: FFmpeg
    /// appends a note that there is no SBR, which says nothing and which strict parsers refuse.
    pub fn new(config: &[u8]) -> Result<Self, MediaError> {
        let config = parse_config(config)?;
        let entry_config =
            Mp4aSampleEntryConfig { es_id: 1, buffer_size_db: 0, max_bitrate: 0, avg_bitrate: 0 };
        let entry = aac::build_mp4a_box(&config, &entry_config).map_err(|error| bad("audio", error))?;
        let entry = SampleEntry::Mp4a(entry);
        let codec = codec_string::from_sample_entry(&entry).map_err(|error| bad("audio", error))?;
        let channels = config.channel_configuration.channel_count();
        Ok(Self { entry, codec, sample_rate_hz: config.sampling_frequency.hz(), channels })
    }

    /// RFC 6381 codec string, `mp4a.40.2`.
    pub fn codec(&self) -> &str {
        &self.codec
    }

    /// Samples a second of one channel.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
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

    #[test]
    fn an_invented_rate_is_refused() {
        // Object type 2, frequency index 15, rate 1 Hz, one channel.
        let refused = AudioParameters::new(&[0x17, 0x80, 0x00, 0x00, 0x88]);
        assert!(matches!(refused, Err(MediaError::BadParameters { track: "audio", .. })), "{refused:?}");
    }
}
