//! Writes the boxes: the init segment (`ftyp` + `moov`) and chunks (`moof` + `mdat`), ISO/IEC 14496-12 and CMAF
//! (ISO/IEC 23000-19). Layout only; which samples go into a chunk is decided by the cutter.

use std::num::NonZeroU32;

use bytes::{BufMut, Bytes, BytesMut};
use shiguredo_mp4::boxes::{
    Brand, DinfBox, FtypBox, HdlrBox, MdhdBox, MdiaBox, MediaHeader, MfhdBox, MinfBox, MoofBox, MoovBox,
    MvexBox, MvhdBox, SampleEntry, SmhdBox, StblBox, StcoBox, StscBox, StsdBox, StszBox, SttsBox, TfdtBox,
    TfhdBox, TkhdBox, TrafBox, TrakBox, TrexBox, TrunBox, TrunSample, VmhdBox,
};
use shiguredo_mp4::{Either, Encode, FixedPointNumber, LanguageCode, Mp4FileTime, SampleFlags};

use crate::audio::AudioSample;
use crate::error::MediaError;
use crate::parameters::{AudioParameters, VideoParameters};
use crate::video::VideoSample;

const VIDEO_TRACK: u32 = 1;
const AUDIO_TRACK: u32 = 2;
const MDAT_HEADER_BYTES: usize = 8;
/// Depends on no other sample; is a sync sample.
const SYNC_SAMPLE: SampleFlags = SampleFlags::new(0x0200_0000);
/// Depends on others; is not a sync sample.
const OTHER_SAMPLE: SampleFlags = SampleFlags::new(0x0101_0000);

/// Media time of the video track counts milliseconds, as RTMP does, so sums of durations are exact.
pub(crate) const VIDEO_TIMESCALE: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");

/// The samples of one chunk, in decoding order.
pub(crate) struct ChunkSamples<'a> {
    /// Decoding time of the first video sample, ms.
    pub video_start: u64,
    pub video: &'a [VideoSample],
    /// Decoding time of the first audio sample, in samples.
    pub audio_start: u64,
    pub audio: &'a [AudioSample],
}

/// The init segment for the given tracks.
pub(crate) fn init_segment(
    video: Option<&VideoParameters>,
    audio: Option<&AudioParameters>,
) -> Result<Bytes, MediaError> {
    let mut traks = Vec::with_capacity(2);
    traks.extend(video.map(video_trak));
    if let Some(audio) = audio {
        traks.push(audio_trak(audio)?);
    }
    let mut compatible_brands = vec![Brand::ISO6, Brand::ISO5, Brand::new(*b"cmfc"), Brand::MP41];
    if video.is_some() {
        compatible_brands.push(Brand::AVC1);
    }
    let ftyp = FtypBox { major_brand: Brand::ISO6, minor_version: 0, compatible_brands };
    let mut bytes = encode(&ftyp)?;
    bytes.extend_from_slice(&encode(&moov(traks))?);
    Ok(bytes.into())
}

/// One chunk. `sequence` is the running number that `mfhd` asks for.
pub(crate) fn chunk(sequence: u32, samples: &ChunkSamples<'_>) -> Result<Bytes, MediaError> {
    let video_bytes: usize = samples.video.iter().map(|sample| sample.data.len()).sum();
    let audio_bytes: usize = samples.audio.iter().map(|sample| sample.data.len()).sum();
    // The offset is a field of fixed size, so the first encoding tells where the data will begin.
    let moof_bytes = encode(&moof(sequence, samples, 0, 0)?)?.len();
    let data_start = moof_bytes + MDAT_HEADER_BYTES;
    let header = encode(&moof(sequence, samples, offset(data_start)?, offset(data_start + video_bytes)?)?)?;

    let mdat_bytes = MDAT_HEADER_BYTES + video_bytes + audio_bytes;
    let mut bytes = BytesMut::with_capacity(header.len() + mdat_bytes);
    bytes.extend_from_slice(&header);
    bytes.put_u32(u32::try_from(mdat_bytes).map_err(boxes_error)?);
    bytes.extend_from_slice(b"mdat");
    samples.video.iter().for_each(|sample| bytes.extend_from_slice(&sample.data));
    samples.audio.iter().for_each(|sample| bytes.extend_from_slice(&sample.data));
    Ok(bytes.freeze())
}

fn moof(
    sequence: u32,
    samples: &ChunkSamples<'_>,
    video_offset: i32,
    audio_offset: i32,
) -> Result<MoofBox, MediaError> {
    let mut traf_boxes = Vec::with_capacity(2);
    if !samples.video.is_empty() {
        let reordered = samples.video.iter().any(|sample| sample.composition_ms != 0);
        let run = samples
            .video
            .iter()
            .map(|sample| video_run_sample(sample, reordered))
            .collect::<Result<_, _>>()?;
        traf_boxes.push(traf(VIDEO_TRACK, samples.video_start, video_offset, run, None));
    }
    if !samples.audio.is_empty() {
        let run = samples.audio.iter().map(audio_run_sample).collect::<Result<_, _>>()?;
        traf_boxes.push(traf(AUDIO_TRACK, samples.audio_start, audio_offset, run, Some(SYNC_SAMPLE)));
    }
    Ok(MoofBox { mfhd_box: MfhdBox { sequence_number: sequence }, traf_boxes, unknown_boxes: Vec::new() })
}

fn traf(
    track_id: u32,
    start: u64,
    data_offset: i32,
    samples: Vec<TrunSample>,
    flags: Option<SampleFlags>,
) -> TrafBox {
    let tfhd_box = TfhdBox {
        track_id,
        base_data_offset: None,
        sample_description_index: None,
        default_sample_duration: None,
        default_sample_size: None,
        default_sample_flags: flags,
        duration_is_empty: false,
        default_base_is_moof: true,
    };
    let trun_box = TrunBox { data_offset: Some(data_offset), first_sample_flags: None, samples };
    TrafBox {
        tfhd_box,
        tfdt_box: Some(TfdtBox { version: 1, base_media_decode_time: start }),
        trun_boxes: vec![trun_box],
        unknown_boxes: Vec::new(),
    }
}

fn video_run_sample(sample: &VideoSample, reordered: bool) -> Result<TrunSample, MediaError> {
    Ok(TrunSample {
        duration: Some(sample.duration_ms),
        size: Some(u32::try_from(sample.data.len()).map_err(boxes_error)?),
        flags: Some(if sample.keyframe { SYNC_SAMPLE } else { OTHER_SAMPLE }),
        composition_time_offset: reordered.then_some(i64::from(sample.composition_ms)),
    })
}

fn audio_run_sample(sample: &AudioSample) -> Result<TrunSample, MediaError> {
    Ok(TrunSample {
        duration: Some(sample.duration),
        size: Some(u32::try_from(sample.data.len()).map_err(boxes_error)?),
        flags: None,
        composition_time_offset: None,
    })
}

fn moov(trak_boxes: Vec<TrakBox>) -> MoovBox {
    let trex_boxes = trak_boxes.iter().map(|trak| trex(trak.tkhd_box.track_id)).collect();
    let mvhd_box = MvhdBox {
        creation_time: no_time(),
        modification_time: no_time(),
        timescale: VIDEO_TIMESCALE,
        duration: 0,
        rate: MvhdBox::DEFAULT_RATE,
        volume: MvhdBox::DEFAULT_VOLUME,
        matrix: MvhdBox::DEFAULT_MATRIX,
        next_track_id: AUDIO_TRACK + 1,
    };
    let mvex_box = MvexBox { mehd_box: None, trex_boxes, unknown_boxes: Vec::new() };
    MoovBox { mvhd_box, trak_boxes, mvex_box: Some(mvex_box), unknown_boxes: Vec::new() }
}

fn trex(track_id: u32) -> TrexBox {
    TrexBox {
        track_id,
        default_sample_description_index: 1,
        default_sample_duration: 0,
        default_sample_size: 0,
        default_sample_flags: SampleFlags::empty(),
    }
}

fn video_trak(parameters: &VideoParameters) -> TrakBox {
    let mut tkhd = tkhd(VIDEO_TRACK);
    tkhd.width = FixedPointNumber::new(parameters.width() as i16, 0);
    tkhd.height = FixedPointNumber::new(parameters.height() as i16, 0);
    let header = MediaHeader::Vmhd(VmhdBox::default());
    trak(tkhd, VIDEO_TIMESCALE, HdlrBox::HANDLER_TYPE_VIDE, header, parameters.entry.clone())
}

fn audio_trak(parameters: &AudioParameters) -> Result<TrakBox, MediaError> {
    let mut tkhd = tkhd(AUDIO_TRACK);
    tkhd.volume = TkhdBox::DEFAULT_AUDIO_VOLUME;
    let timescale = NonZeroU32::new(parameters.sample_rate_hz())
        .ok_or_else(|| MediaError::Boxes("a sampling rate of 0 Hz".into()))?;
    let header = MediaHeader::Smhd(SmhdBox::default());
    Ok(trak(tkhd, timescale, HdlrBox::HANDLER_TYPE_SOUN, header, parameters.entry.clone()))
}

fn tkhd(track_id: u32) -> TkhdBox {
    TkhdBox {
        flag_track_enabled: true,
        flag_track_in_movie: true,
        flag_track_in_preview: false,
        flag_track_size_is_aspect_ratio: false,
        creation_time: no_time(),
        modification_time: no_time(),
        track_id,
        duration: 0,
        layer: TkhdBox::DEFAULT_LAYER,
        alternate_group: TkhdBox::DEFAULT_ALTERNATE_GROUP,
        volume: TkhdBox::DEFAULT_VIDEO_VOLUME,
        matrix: TkhdBox::DEFAULT_MATRIX,
        width: FixedPointNumber::new(0, 0),
        height: FixedPointNumber::new(0, 0),
    }
}

fn trak(
    tkhd_box: TkhdBox,
    timescale: NonZeroU32,
    handler_type: [u8; 4],
    header: MediaHeader,
    entry: SampleEntry,
) -> TrakBox {
    let mdhd_box = MdhdBox {
        creation_time: no_time(),
        modification_time: no_time(),
        timescale,
        duration: 0,
        language: LanguageCode::UNDEFINED,
    };
    let minf_box = MinfBox {
        media_header: Some(header),
        dinf_box: DinfBox::LOCAL_FILE,
        stbl_box: empty_table(entry),
        unknown_boxes: Vec::new(),
    };
    let hdlr_box = HdlrBox { handler_type, name: vec![0] };
    let mdia_box = MdiaBox { mdhd_box, hdlr_box, minf_box, unknown_boxes: Vec::new() };
    TrakBox { tkhd_box, edts_box: None, mdia_box, unknown_boxes: Vec::new() }
}

/// Samples live in the chunks; the table only names the codec.
fn empty_table(entry: SampleEntry) -> StblBox {
    StblBox {
        stsd_box: StsdBox { entries: vec![entry] },
        stts_box: SttsBox { entries: Vec::new() },
        ctts_box: None,
        cslg_box: None,
        stsc_box: StscBox { entries: Vec::new() },
        stsz_box: StszBox::Variable { entry_sizes: Vec::new() },
        stco_or_co64_box: Either::A(StcoBox { chunk_offsets: Vec::new() }),
        stss_box: None,
        sdtp_box: None,
        unknown_boxes: Vec::new(),
    }
}

/// No creation time: the same stream gives the same bytes.
fn no_time() -> Mp4FileTime {
    Mp4FileTime::default()
}

fn offset(position: usize) -> Result<i32, MediaError> {
    i32::try_from(position).map_err(boxes_error)
}

fn encode(item: &impl Encode) -> Result<Vec<u8>, MediaError> {
    item.encode_to_vec().map_err(boxes_error)
}

fn boxes_error(error: impl ToString) -> MediaError {
    MediaError::Boxes(error.to_string())
}
