//! Reads one FLV/RTMP tag body into a [`Unit`]: parameters or a frame. The only file that names `scuffle-flv`.
//!
//! Legacy tags with H.264 and AAC are taken (Adobe FLV 10.1, E.4.2 and E.4.3); enhanced RTMP tags are recognised
//! by their FourCC and refused by name. Times and order are left to [`crate::Timeline`] and [`crate::Cutter`].

use std::io::Cursor;

use bytes::Bytes;
use scuffle_flv::audio::AudioData;
use scuffle_flv::audio::body::AudioTagBody;
use scuffle_flv::audio::body::legacy::LegacyAudioTagBody;
use scuffle_flv::audio::body::legacy::aac::AacAudioData;
use scuffle_flv::audio::header::legacy::SoundFormat;
use scuffle_flv::video::body::VideoTagBody;
use scuffle_flv::video::body::legacy::LegacyVideoTagBody;
use scuffle_flv::video::header::enhanced::ExVideoTagHeaderContent;
use scuffle_flv::video::header::legacy::{LegacyVideoTagHeader, LegacyVideoTagHeaderAvcPacket, VideoCodecId};
use scuffle_flv::video::header::{VideoFrameType, VideoTagHeader, VideoTagHeaderData};

use crate::cutter::CutterConfig;
use crate::error::MediaError;
use crate::parameters::{AudioParameters, VideoParameters};

/// Which of the two tracks a tag belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// RTMP message type 8.
    Audio,
    /// RTMP message type 9.
    Video,
}

/// What a tag body holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Unit {
    /// What describes the pictures (in RTMP a sequence header, whose timestamp means nothing: FFmpeg stamps it 0 whatever
    /// the media's is).
    VideoParameters(VideoParameters),
    /// One picture: of H.264 NAL units with length prefixes (ISO/IEC 14496-15, 5.3.3), of VP9 the frame.
    VideoFrame {
        /// Presentation minus decoding time, ms.
        composition_ms: i32,
        /// The pictures, one access unit.
        data: Bytes,
    },
    /// What describes the sound. Its timestamp means nothing either.
    AudioParameters(AudioParameters),
    /// One frame of sound.
    AudioFrame {
        /// The frame; AAC without ADTS.
        data: Bytes,
    },
    /// Nothing to play: end of sequence, seek commands, empty frames.
    Nothing,
}

/// Reads one tag body, as carried by RTMP messages of type 8 and 9 and by FLV files.
pub fn parse(kind: TagKind, body: Bytes, config: &CutterConfig) -> Result<Unit, MediaError> {
    if body.len() > config.frame_max_bytes {
        return Err(MediaError::TooLarge { what: "frame", size: body.len(), limit: config.frame_max_bytes });
    }
    match kind {
        TagKind::Video => parse_video(body, config),
        TagKind::Audio => parse_audio(body, config),
    }
}

fn parse_video(body: Bytes, config: &CutterConfig) -> Result<Unit, MediaError> {
    let Some(first) = body.first() else { return Ok(Unit::Nothing) };
    if first & 0x80 != 0 {
        return Err(unsupported(enhanced_video_codec(body)));
    }
    let mut reader = Cursor::new(body);
    let header = VideoTagHeader::demux(&mut reader).map_err(MediaError::malformed)?;
    let VideoTagHeaderData::Legacy(legacy) = &header.data else { return Ok(Unit::Nothing) };
    let packet = match legacy {
        LegacyVideoTagHeader::AvcPacket(packet) if header.frame_type != VideoFrameType::Command => packet,
        LegacyVideoTagHeader::Other { video_codec_id } => {
            return Err(unsupported(legacy_video_codec(*video_codec_id)));
        }
        _ => return Ok(Unit::Nothing),
    };
    let composition_ms = match packet {
        LegacyVideoTagHeaderAvcPacket::SequenceHeader => {
            check_parameters(remaining(&reader), config)?;
            check_numbers(&reader.get_ref()[reader.position() as usize..])?;
            0
        }
        LegacyVideoTagHeaderAvcPacket::Nalu { composition_time_offset } => {
            sign_extended(*composition_time_offset)
        }
        _ => return Ok(Unit::Nothing),
    };
    let body = VideoTagBody::demux(&header, &mut reader).map_err(MediaError::malformed)?;
    match body {
        VideoTagBody::Legacy(LegacyVideoTagBody::AvcVideoPacketSeqHdr(record)) => {
            let length_bytes = record.length_size_minus_one + 1;
            VideoParameters::new(&record.sps, &record.pps, length_bytes).map(Unit::VideoParameters)
        }
        VideoTagBody::Legacy(LegacyVideoTagBody::Other { data }) if !data.is_empty() => {
            Ok(Unit::VideoFrame { composition_ms, data })
        }
        _ => Ok(Unit::Nothing),
    }
}

fn parse_audio(body: Bytes, config: &CutterConfig) -> Result<Unit, MediaError> {
    let Some(first) = body.first() else { return Ok(Unit::Nothing) };
    let format = SoundFormat::from(first >> 4);
    if format == SoundFormat::ExHeader {
        return Err(unsupported(four_cc_name(body.get(1..5).unwrap_or_default())));
    }
    if format != SoundFormat::Aac {
        return Err(unsupported(legacy_audio_codec(format)));
    }
    let data = AudioData::demux(&mut Cursor::new(body)).map_err(MediaError::malformed)?;
    let AudioTagBody::Legacy(LegacyAudioTagBody::Aac(aac)) = data.body else { return Ok(Unit::Nothing) };
    match aac {
        AacAudioData::SequenceHeader(config_bytes) => {
            check_parameters(config_bytes.len(), config)?;
            AudioParameters::new(&config_bytes).map(Unit::AudioParameters)
        }
        AacAudioData::Raw(data) if !data.is_empty() => Ok(Unit::AudioFrame { data }),
        _ => Ok(Unit::Nothing),
    }
}

fn check_parameters(size: usize, config: &CutterConfig) -> Result<(), MediaError> {
    let limit = config.parameters_max_bytes;
    if size > limit { Err(MediaError::TooLarge { what: "parameters", size, limit }) } else { Ok(()) }
}

/// Refuses what the library's numbers (Exp-Golomb, ITU-T H.264, 9.1) overflow at. No such number begins with more than 32
/// zeros, and no fields next to each other make up as many.
fn check_numbers(parameters: &[u8]) -> Result<(), MediaError> {
    let mut zeros = 0;
    for (at, byte) in parameters.iter().enumerate() {
        // Put in by the encoder, and taken out before it is read (7.4.1).
        if *byte == 3 && parameters[..at].ends_with(&[0, 0]) {
            continue;
        }
        if *byte == 0 {
            zeros += u8::BITS;
        } else if zeros + byte.leading_zeros() >= u64::BITS {
            return Err(MediaError::malformed("a number that no encoder writes"));
        } else {
            zeros = byte.trailing_zeros();
        }
    }
    Ok(())
}

fn remaining(reader: &Cursor<Bytes>) -> usize {
    reader.get_ref().len().saturating_sub(reader.position() as usize)
}

/// The composition time is a signed 24-bit number (Adobe FLV E.4.3.2).
fn sign_extended(value: u32) -> i32 {
    ((value << 8) as i32) >> 8
}

fn unsupported(codec: String) -> MediaError {
    MediaError::UnsupportedCodec { codec }
}

fn enhanced_video_codec(body: Bytes) -> String {
    match VideoTagHeader::demux(&mut Cursor::new(body.clone())).map(|header| header.data) {
        Ok(VideoTagHeaderData::Enhanced(header)) => match header.content {
            ExVideoTagHeaderContent::NoMultiTrack(codec) => four_cc_name(&codec.0),
            _ => "several video tracks (enhanced RTMP)".into(),
        },
        _ => four_cc_name(body.get(1..5).unwrap_or_default()),
    }
}

fn four_cc_name(four_cc: &[u8]) -> String {
    let name = match four_cc {
        b"hvc1" => "HEVC",
        b"vvc1" => "VVC",
        b"av01" => "AV1",
        b"vp08" => "VP8",
        b"vp09" => "VP9",
        b"avc1" => "H.264 in enhanced RTMP",
        b"Opus" => "Opus",
        b"mp4a" => "AAC in enhanced RTMP",
        b"fLaC" => "FLAC",
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b".mp3" => "MP3",
        _ => "an unknown codec",
    };
    format!("{name} ({})", four_cc.escape_ascii())
}

fn legacy_video_codec(id: VideoCodecId) -> String {
    match id {
        VideoCodecId::SorensonH263 => "Sorenson H.263".into(),
        VideoCodecId::ScreenVideo | VideoCodecId::ScreenVideoVersion2 => "Screen Video".into(),
        VideoCodecId::On2VP6 | VideoCodecId::On2VP6WithAlphaChannel => "On2 VP6".into(),
        other => format!("video codec {}", other.0),
    }
}

fn legacy_audio_codec(format: SoundFormat) -> String {
    match format {
        SoundFormat::Mp3 | SoundFormat::Mp38Khz => "MP3".into(),
        SoundFormat::Speex => "Speex".into(),
        SoundFormat::G711ALaw | SoundFormat::G711MuLaw => "G.711".into(),
        SoundFormat::Adpcm => "ADPCM".into(),
        SoundFormat::LinearPcmLittleEndian | SoundFormat::LinearPcmPlatformEndian => {
            "uncompressed PCM".into()
        }
        other => format!("audio format {}", other.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec_of(kind: TagKind, body: &'static [u8]) -> String {
        match parse(kind, Bytes::from_static(body), &CutterConfig::default()) {
            Err(MediaError::UnsupportedCodec { codec }) => codec,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn enhanced_and_old_codecs_are_refused_by_name() {
        assert_eq!(codec_of(TagKind::Video, b"\x90hvc1\x01\x02"), "HEVC (hvc1)");
        assert_eq!(codec_of(TagKind::Video, b"\x91av01"), "AV1 (av01)");
        assert_eq!(codec_of(TagKind::Video, b"\x90\xff"), "an unknown codec ()");
        assert_eq!(codec_of(TagKind::Video, b"\x12\x00"), "Sorenson H.263");
        assert_eq!(codec_of(TagKind::Audio, b"\x90Opus"), "Opus (Opus)");
        assert_eq!(codec_of(TagKind::Audio, b"\x2f\x00"), "MP3");
    }

    #[test]
    fn numbers_that_overflow_are_not_read() {
        let padded = [&[0x67, 0x64, 0x80][..], &[0; 20]].concat();
        for (parameters, taken) in [
            (&b"\x01\x64\x00\x1f\x00\x00\x03\x00\x01"[..], true),
            (&padded, true),
            (&[&[0x80][..], &[0; 7], &[1]].concat(), false),
            (&[&padded[..], &[0x40]].concat(), false),
            (&[&[0x80][..], &b"\x00\x00\x03".repeat(4), &[1]].concat(), false),
        ] {
            assert_eq!(check_numbers(parameters).is_ok(), taken, "{parameters:?}");
        }
    }

    #[test]
    fn negative_composition_times_keep_their_sign() {
        let body = Bytes::from_static(b"\x27\x01\xff\xff\xd6\x00\x00\x00\x01\x41");
        let unit = parse(TagKind::Video, body, &CutterConfig::default()).unwrap();
        assert!(matches!(unit, Unit::VideoFrame { composition_ms: -42, .. }), "{unit:?}");
    }

    #[test]
    fn a_frame_above_the_limit_is_named() {
        let config = CutterConfig { frame_max_bytes: 8, ..CutterConfig::default() };
        let result = parse(TagKind::Video, Bytes::from_static(&[0x27; 9]), &config);
        assert_eq!(result, Err(MediaError::TooLarge { what: "frame", size: 9, limit: 8 }));
    }
}
