//! Whether a firewall keeps strangers from the STUN port. Only they can tell: from inside every port looks open. Viewers
//! elsewhere who are told to link with each other ask for their addresses; when none of several is heard, something on the
//! way keeps their questions back.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use peer::transport::StunTally;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::bans::Address;
use crate::check;
use crate::rate::household;

/// Households elsewhere whose silence says something. 5: some networks let no UDP out, but not those of all.
const HOUSEHOLDS: usize = 5;

/// Time that questions have to arrive after links were to be made, and between looks later. 30 s: browsers ask within one.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known of the way to the STUN port.
pub(crate) struct Firewall {
    tally: Arc<StunTally>,
    own: Vec<IpAddr>,
    /// Who should have asked, up to [`HOUSEHOLDS`]. Nothing shows them.
    linking: Mutex<Vec<IpAddr>>,
    enough: Notify,
}

impl Firewall {
    /// Nobody has come yet.
    pub(crate) fn new(tally: Arc<StunTally>) -> Self {
        Firewall { tally, own: check::own_addresses(), linking: Mutex::default(), enough: Notify::new() }
    }

    /// What the STUN server counts.
    pub(crate) fn tally(&self) -> &StunTally {
        &self.tally
    }

    /// A viewer there is told to make links.
    pub(crate) fn links(&self, from: Address) {
        if from.0.is_loopback() || self.own.contains(&from.0) || self.tally.answered_elsewhere() > 0 {
            return;
        }
        let mut linking = self.linking.lock().unwrap_or_else(PoisonError::into_inner);
        let household = household(from.0);
        if linking.len() < HOUSEHOLDS && !linking.contains(&household) {
            linking.push(household);
            if linking.len() == HOUSEHOLDS {
                self.enough.notify_one();
            }
        }
    }

    /// Whether nobody is heard of those who should have asked.
    pub(crate) fn blocks(&self) -> bool {
        let linking = self.linking.lock().unwrap_or_else(PoisonError::into_inner);
        linking.len() == HOUSEHOLDS && self.tally.answered_elsewhere() == 0
    }

    /// Says so in the log, and when it is over.
    pub(crate) async fn watch(&self, port: u16) {
        self.enough.notified().await;
        sleep(PATIENCE).await;
        if !self.blocks() {
            return;
        }
        tracing::warn!(
            "viewers of {HOUSEHOLDS} places elsewhere are to make links, and not one of their questions reaches UDP {port} (STUN): \
             a firewall or router keeps them back. Open it there; until then the relay feeds those that it could spare"
        );
        while self.blocks() {
            sleep(PATIENCE).await;
        }
        tracing::info!("questions from elsewhere reach UDP {port} (STUN) now");
    }
}
