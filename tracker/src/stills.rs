//! Posters of what is live, or was lately: the newest keyframe that a channel's relay holds anyway, as a file that browsers
//! show. There is no decoder here, and of a broadcast no picture is kept but the last.
//!
//! What is sent counts as the relay's: with its month's volume at an end there are no posters.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use swarm::Still;
use tokio::sync::oneshot;
use wire::ChannelId;

use crate::channel::{ChannelHandle, ToChannel};
use crate::embedding;
use crate::http::Site;
use crate::machine;
use crate::shell::Shell;
use crate::store::settings::{JoinPolicy, Visibility};

/// Bytes of a poster. 512 KiB: a keyframe of 1080p at 8 Mb/s takes about 200 KB, with what else is in its 100 ms.
pub(crate) const STILL_BYTES_MAX: usize = 512 << 10;

/// How long a poster is shown before a newer one is taken. 15 s: a page that stays open shows that something moves.
const STILL_FOR: Duration = Duration::from_secs(15);

/// The same for caches between here and there.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=15");

/// A channel's poster, as last taken.
#[derive(Debug, Default)]
pub(crate) struct LastStill(Mutex<Option<(Instant, Still)>>);

impl LastStill {
    fn fresh(&self, now: Instant) -> Option<Still> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, still) = last.as_ref()?;
        (now.duration_since(*taken) < STILL_FOR).then(|| still.clone())
    }

    /// For the channel's task alone: one poster is taken for all who ask at once, so that they share its bytes.
    pub(crate) fn newest(&self, now: Instant, take: impl FnOnce() -> Option<Still>) -> Option<Still> {
        self.fresh(now).or_else(|| {
            let still = take()?;
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, still.clone()));
            Some(still)
        })
    }
}

pub(crate) fn routes() -> Router<Site> {
    Router::new().route("/stills/{name}", get(still))
}

/// Of a channel that is in the list, or was, by its name.
async fn still(State(site): State<Site>, Path(name): Path<String>) -> Response {
    let shell = &site.shell;
    let found = shell.directory.find(&name).await.ok().flatten();
    // Who may watch only with a token is not shown a part of it without.
    let open = found.filter(|channel| channel.settings.join == JoinPolicy::Open);
    let Some(channel) = open.filter(|_| shell.egress.is_open()) else { return none() };
    let still = match shell.directory.listed_handle(channel.id) {
        Some(handle) => newest(&handle).await,
        None if channel.settings.visibility == Visibility::Public => last(shell, channel.id),
        None => None,
    };
    let Some(Still { mime, bytes }) = still else { return none() };
    shell.egress.count(bytes.len());
    let mime = HeaderValue::from_str(&mime).unwrap_or(HeaderValue::from_static("video/mp4"));
    embedding::readable_everywhere(([(CONTENT_TYPE, mime), (CACHE_CONTROL, CACHED)], bytes).into_response())
}

/// What was seen last of a broadcast that is over; of one that is private now, nothing is told.
fn last(shell: &Shell, channel: ChannelId) -> Option<Still> {
    let (live, _) = shell.directory.on_air(channel);
    let end = shell.directory.lately.of(channel, machine::unix_ms()).filter(|_| !live);
    end?.still
}

/// Asks the channel's task only when the last poster has become old.
async fn newest(handle: &ChannelHandle) -> Option<Still> {
    if let Some(still) = handle.status().still.fresh(machine::instant()) {
        return Some(still);
    }
    let (answer, answered) = oneshot::channel();
    handle.tell(ToChannel::Still { answer }).await.ok()?;
    answered.await.ok()?
}

fn none() -> Response {
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], "There is no picture of that.\n").into_response()
}
