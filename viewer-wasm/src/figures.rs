//! What the viewer can say of itself, under the names that pages and tests read.

use serde::Serialize;
use swarm::Stats;
use wire::{ChannelId, PeerId};

use crate::screen::Stall;

/// A viewer's state and figures. Times end in their unit; those of the page's clock count from the navigation.
#[derive(Serialize)]
pub(crate) struct Figures {
    /// `connecting`, `finding_peers`, `live`, `buffering`, `reconnecting`, `offline` or `unsupported`.
    pub state: &'static str,
    /// What is missing, or what the tracker said.
    pub reason: Option<String>,
    pub channel: Option<ChannelId>,
    pub peer: PeerId,
    pub epoch: Option<f64>,
    pub generation: u16,
    pub mime: Option<String>,
    pub bitrate_bps: Option<u32>,
    /// Behind capture, once there is a picture.
    pub lag_s: Option<f64>,
    pub target_lag_s: f64,
    /// Media ahead of the playhead.
    pub buffer_s: f64,
    pub stalls: Vec<Stall>,
    pub first_frame_ms: Option<f64>,
    pub playback_rate: f64,
    /// Addresses of this machine that were found for links: none while sharing is off.
    pub candidates_gathered: u32,
    pub sharing: bool,
    /// `bytes`, `uploaded_bytes`, `pieces`, `links`, `viewers` and more.
    #[serde(flatten)]
    pub swarm: Stats,
}
