//! What to tell an encoder, from what a line carries. Pure.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Stands where the stream key belongs.
pub(crate) const KEY_PLACEHOLDER: &str = "STREAM-KEY";

/// Assumed where nothing was measured, in kilobits a second: an ordinary home line.
const UPLINK_USUAL_KBPS: u32 = 5_000;

/// Share of the uplink that the encoder may use: the rest is for what else the household does.
const UPLINK_SHARE: f32 = 0.7;

/// Bits of sound, in kilobits a second.
const AUDIO_KBPS: u32 = 96;

/// From so many kilobits of video a second on: width, height.
const SIZES: [(u32, u32, u32); 5] =
    [(4_500, 1920, 1080), (2_200, 1280, 720), (1_000, 854, 480), (450, 640, 360), (0, 426, 240)];

/// More than this shows no better picture at 1080p.
const VIDEO_KBPS_MAX: u32 = 6_000;

/// Less than this is no picture.
const VIDEO_KBPS_MIN: u32 = 150;

/// What fits a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EncoderSettings {
    width: u32,
    height: u32,
    frames_per_second: u32,
    /// Constant rate of the picture.
    video_kbps: u32,
    /// Rate of the sound, AAC at 48 kHz.
    audio_kbps: u32,
    /// Seconds between keyframes: viewers join at them.
    keyframe_interval_s: u32,
}

impl EncoderSettings {
    pub(crate) fn for_uplink(uplink_kbps: Option<u32>) -> Self {
        let uplink = uplink_kbps.unwrap_or(UPLINK_USUAL_KBPS);
        let room = (uplink as f32 * UPLINK_SHARE) as u32;
        let video_kbps = room.saturating_sub(AUDIO_KBPS).clamp(VIDEO_KBPS_MIN, VIDEO_KBPS_MAX);
        let fits = |(from, ..): &&(u32, u32, u32)| video_kbps >= *from;
        let (_, width, height) = SIZES.iter().find(fits).copied().unwrap_or(SIZES[SIZES.len() - 1]);
        EncoderSettings {
            width,
            height,
            frames_per_second: 30,
            video_kbps,
            audio_kbps: AUDIO_KBPS,
            keyframe_interval_s: 1,
        }
    }
}

/// A whole command line, for a file; a camera takes the place of `-re -i`.
pub(crate) fn ffmpeg_line(settings: &EncoderSettings, server: &str) -> String {
    let EncoderSettings { width, height, frames_per_second: rate, video_kbps, audio_kbps, .. } = settings;
    format!(
        "ffmpeg -re -i film.mp4 -vf scale={width}:{height} -r {rate} -g {rate} -c:v libx264 -preset veryfast \
         -tune zerolatency -pix_fmt yuv420p -b:v {video_kbps}k -maxrate {video_kbps}k -bufsize {video_kbps}k \
         -c:a aac -ar 48000 -b:a {audio_kbps}k -f flv {server}/{KEY_PLACEHOLDER}"
    )
}

/// `service.json` of an OBS profile, as OBS 29 reads it.
pub(crate) fn obs_service(server: &str) -> Value {
    json!({
        "type": "rtmp_custom",
        "settings": { "server": server, "key": KEY_PLACEHOLDER, "use_auth": false, "bwtest": false },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_fits_the_line() {
        let at = |kbps| EncoderSettings::for_uplink(Some(kbps));
        assert_eq!((at(10_000).height, at(10_000).video_kbps), (1080, 6_000));
        assert_eq!(EncoderSettings::for_uplink(None).height, 720);
        assert_eq!((at(0).height, at(0).video_kbps), (240, 150));
        for kbps in [700, 1_500, 3_000, 5_000, 20_000] {
            let settings = at(kbps);
            assert!(settings.video_kbps + settings.audio_kbps <= kbps * 7 / 10 + 1, "{settings:?}");
        }
        assert_eq!(at(u32::MAX).video_kbps, 6_000);
    }
}
