//! Stub.
use wire::{PeerId, StripeSet, session::{FromTracker, Report}};
use crate::Timestamp;
/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterRole { /// broadcaster
 Source, /// viewer
 Viewer }
/// Settings.
#[derive(Debug, Clone, Default)]
pub struct RosterConfig {}
/// A message for a member (Link, Parents, Gone, Viewers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterOutput { /// whom
 pub to: PeerId, /// what
 pub message: FromTracker }
/// For statistics.
#[derive(Debug, Clone, Default)]
pub struct RosterView { /// viewers
 pub viewers: usize }
/// The tracker's list of one broadcast's members.
pub struct Roster;
#[allow(unused_variables, missing_docs)]
impl Roster {
    pub fn new(config: RosterConfig, seed: u64) -> Self { todo!() }
    pub fn set_stream(&mut self, now: Timestamp, stripes: u8, bitrate_bps: u32) { todo!() }
    /// A member comes, or comes back (after a tracker restart, with what it already has).
    pub fn join(&mut self, now: Timestamp, peer: PeerId, role: RosterRole, sharing: bool, known: Report) { todo!() }
    pub fn leave(&mut self, now: Timestamp, peer: PeerId) { todo!() }
    pub fn report(&mut self, now: Timestamp, peer: PeerId, report: Report) { todo!() }
    pub fn orphaned(&mut self, now: Timestamp, peer: PeerId, stripes: StripeSet, failed: PeerId) { todo!() }
    pub fn sharing(&mut self, now: Timestamp, peer: PeerId, on: bool) { todo!() }
    /// The time that poll_timeout named has come.
    pub fn wake(&mut self, now: Timestamp) { todo!() }
    pub fn poll_output(&mut self) -> Option<RosterOutput> { todo!() }
    pub fn poll_timeout(&self) -> Option<Timestamp> { todo!() }
    /// Whether `from` may signal `to`: both are members that share.
    pub fn may_signal(&self, from: PeerId, to: PeerId) -> bool { todo!() }
    pub fn viewers(&self) -> usize { todo!() }
    pub fn view(&self) -> RosterView { todo!() }
}
