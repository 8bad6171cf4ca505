//! Everything that can be on the agenda.

use crate::sim::network::Motion;

/// What happens.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// In the network.
    Net(Motion),
    /// A peer's timer.
    Wake(u32),
    /// A viewer's machine is held up.
    HeldUp(u32),
    /// And goes on.
    GoesOn(u32),
    /// The tracker's timer.
    WakeTracker,
    /// A viewer's shell looks at its screen.
    Look(u32),
    /// A native peer's shell looks at its queues.
    LookAtQueues(u32),
    /// The encoder has finished a chunk.
    Publish,
    /// Somebody opens the page.
    Visit,
    /// A viewer's connection to the tracker stands.
    SessionOpens(u32),
    /// A peer learns that its session is lost.
    SessionLost(u32),
    /// The tracker learns that a peer's session is lost.
    SessionGone(u32),
    /// Both data channels are open.
    LinkUp {
        /// Who offered.
        from: u32,
        /// Who answered.
        to: u32,
        /// The attempt.
        number: u32,
    },
    /// A browser gives up a link, or learns that it is lost.
    LinkGone {
        /// Whose.
        who: u32,
        /// The attempt.
        number: u32,
        /// Only if it has not opened.
        unopened: bool,
    },
    /// A viewer closes the page.
    Depart(u32),
    /// What the scenario is about.
    Incident(Incident),
    /// Measuring starts.
    Begin,
    /// The simulation ends.
    End,
}

/// What scenarios are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// A share of the viewers vanishes at once, by a power cut.
    MassDeparture,
    /// The tracker dies.
    TrackerDies,
    /// And is back, without memory.
    TrackerReturns,
    /// The source dies.
    SourceDies,
    /// And is back with another broadcast.
    SourceReturns,
}
