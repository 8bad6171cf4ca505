//! Bytes <-> messages, and nothing else: ids, the peer protocol (binary), the tracker protocol (JSON), signatures
//! and every limit that both ends of a connection must agree on. Holds no state and takes no decision.
//!
//! The protocol in prose, with the layouts byte by byte, is in `docs/protocol.md`.

pub mod chat;
mod codec;
mod delegation;
mod flat;
mod frame;
mod ids;
pub mod limits;
mod piece;
pub mod request;
mod seal;
pub mod session;
mod signature;
mod stream;

pub use codec::DecodeError;
pub use delegation::{DELEGATION_LENGTH, Delegation, DelegationError};
pub use frame::{Frame, JOIN_POINT};
pub use ids::{ChannelId, DelegateId, Epoch, IdError, PeerId, PeerSecret, StripeSet};
pub use piece::{Piece, PieceHeader, cut};
pub use seal::{ChunkPlace, MediaKey, SALT_LENGTH, Seal, TAG_LENGTH};
pub use signature::{BadSignature, NotItsDelegate, Signer, Verifier, announcement};
pub use stream::StreamHeader;

/// Version of both protocols. A peer that speaks another one is refused at join.
pub const VERSION: u8 = 1;
