//! Invites: whoever has one may register channels on a server that is not open to everyone.

use super::error::StoreError;
use super::records::Records;
use super::secret;

/// Makes an invite for `uses` channels, good until `expires_ms` (Unix time). Only its hash is stored.
pub fn create(store: &dyn Records, uses: u32, expires_ms: u64) -> Result<String, StoreError> {
    let invite = secret::fresh();
    store.add_invite(secret::hash(&invite), uses, expires_ms)?;
    Ok(invite)
}
