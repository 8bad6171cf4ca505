//! Real encoders as child processes.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::world::PATIENCE;

/// FFmpeg 5.1 of Debian.
pub fn debian() -> PathBuf {
    std::env::var_os("FFMPEG").map_or_else(|| PathBuf::from("ffmpeg"), PathBuf::from)
}

/// FFmpeg 9, as `make setup` installs it.
pub fn newest() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ffmpeg9/ffmpeg");
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    path
}

/// What to encode.
#[derive(Debug, Clone, Copy)]
pub struct Programme {
    pub seconds: Option<u32>,
    pub b_frames: u32,
    pub kilobits: u32,
    pub size: &'static str,
    pub video_codec: &'static str,
    pub real_time: bool,
}

impl Default for Programme {
    fn default() -> Self {
        let (size, video_codec) = ("320x180", "libx264");
        Self { seconds: Some(2), b_frames: 0, kilobits: 500, size, video_codec, real_time: false }
    }
}

impl Programme {
    /// Starts an encoder that publishes to `url`; `options` go before the address.
    pub fn publish(&self, ffmpeg: &Path, url: &str, options: &[&str]) -> Child {
        let mut command = Command::new(ffmpeg);
        command.args(["-v", "warning", "-nostdin"]);
        if self.real_time {
            command.arg("-re");
        }
        command.args(["-f", "lavfi", "-i", &format!("testsrc2=size={}:rate=30", self.size)]);
        command.args(["-f", "lavfi", "-i", "sine=sample_rate=48000"]);
        if let Some(seconds) = self.seconds {
            command.args(["-t", &seconds.to_string()]);
        }
        let rate = format!("{}k", self.kilobits);
        command.args(["-c:v", self.video_codec, "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30"]);
        if self.video_codec == "libx264" {
            command.args([
                "-bf",
                &self.b_frames.to_string(),
                "-b:v",
                &rate,
                "-minrate",
                &rate,
                "-maxrate",
                &rate,
            ]);
            command.args(["-bufsize", &rate, "-x264-params", "nal-hrd=cbr"]);
        }
        command.args(["-c:a", "aac", "-f", "flv"]).args(options).arg(url);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("ffmpeg runs")
    }
}

/// How it ended, in time.
pub async fn outcome(child: Child) -> Output {
    timeout(PATIENCE, child.wait_with_output()).await.expect("the encoder ends in time").expect("its output")
}
