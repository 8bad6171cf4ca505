//! Stub.
use crate::*;
/// One participant's own state.
pub struct Swarm;
#[allow(unused_variables, missing_docs)]
impl Swarm {
    pub fn new(config: Config, identity: Identity, seed: u64) -> Self { todo!() }
    /// Takes note of what happened.
    pub fn handle(&mut self, now: Timestamp, input: Input) { todo!() }
    /// Decisions, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> { todo!() }
    /// When to say [`Input::Wake`].
    pub fn poll_timeout(&self) -> Option<Timestamp> { todo!() }
    pub fn stats(&self) -> Stats { todo!() }
    /// Where the viewer stands.
    pub fn phase(&self, now: Timestamp) -> Phase { todo!() }
    /// The channel, once known.
    pub fn channel(&self) -> Option<wire::ChannelId> { todo!() }
    /// Current broadcast's parameters, once known.
    pub fn stream(&self) -> Option<&wire::StreamHeader> { todo!() }
    /// Media time (ms since epoch) of what is captured at this moment, by the tracker's clock: Playout's live_ms.
    pub fn live_ms(&self, now: Timestamp) -> Option<i64> { todo!() }
    /// The tracker's Unix time in ms, once known (after Hello or Welcome).
    pub fn tracker_time_ms(&self, now: Timestamp) -> Option<u64> { todo!() }
}
