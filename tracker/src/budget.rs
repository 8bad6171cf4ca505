//! What the relay may send: a rate for the whole server and a volume for each calendar month, shared fairly between
//! channels. Pure: the time and what was sent are told, decisions are read.
//!
//! Rates are shared *max-min*: a channel gets what it wants as long as nobody who wants less goes short, and what one
//! leaves unused goes to the others. A channel with a thousand viewers cannot starve one with ten.

mod month;

use std::collections::BTreeMap;

use wire::ChannelId;

pub(crate) use month::Month;

/// Percent of the month's volume from which on the relay takes on nobody new. The last percent is for those who watch
/// already.
const TAKES_ON_UNTIL_PERCENT: u64 = 99;

/// What the operator allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Bits a second, all channels together; `None`: no limit.
    pub(crate) max_bps: Option<u64>,
    /// Bytes in a calendar month (UTC); `None`: no limit.
    pub(crate) month_bytes: Option<u64>,
}

/// What one channel's relay may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Bits a second; `None`: no limit.
    pub(crate) max_bps: Option<u64>,
    /// Whether it may take on viewers that it does not feed yet.
    pub(crate) takes_on: bool,
}

/// How the month stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is enough left.
    Open,
    /// Who is fed goes on being fed, nobody new is.
    Closing,
    /// All is spent: nothing is sent.
    Spent,
}

/// The budget of one server.
#[derive(Debug)]
pub(crate) struct Budget {
    allowance: Allowance,
    month: Month,
    sent_bytes: u64,
    /// Bits a second that each channel could use.
    wants: BTreeMap<ChannelId, u64>,
}

impl Budget {
    /// A budget of which `sent_bytes` are spent in `month`.
    pub(crate) fn new(allowance: Allowance, month: Month, sent_bytes: u64) -> Self {
        Budget { allowance, month, sent_bytes, wants: BTreeMap::new() }
    }

    /// The operator has changed the allowance.
    pub(crate) fn allow(&mut self, allowance: Allowance) {
        self.allowance = allowance;
    }

    /// So much was sent since the last time. A new month begins with nothing spent.
    pub(crate) fn spend(&mut self, month: Month, bytes: u64) {
        if month > self.month {
            self.month = month;
            self.sent_bytes = 0;
        }
        self.sent_bytes = self.sent_bytes.saturating_add(bytes);
    }

    /// The month and the bytes sent in it.
    pub(crate) fn spent(&self) -> (Month, u64) {
        (self.month, self.sent_bytes)
    }

    /// How the month stands.
    pub(crate) fn standing(&self) -> Standing {
        match self.allowance.month_bytes {
            Some(month_bytes) if self.sent_bytes >= month_bytes => Standing::Spent,
            Some(month_bytes) if self.sent_bytes >= month_bytes / 100 * TAKES_ON_UNTIL_PERCENT => {
                Standing::Closing
            }
            _ => Standing::Open,
        }
    }

    /// A channel says what it could use, and learns what it gets.
    pub(crate) fn want(&mut self, channel: ChannelId, wanted_bps: u64) -> Share {
        let max_bps = self.allowance.max_bps.map(|total_bps| {
            self.wants.insert(channel, wanted_bps);
            max_min(total_bps, self.wants.values().copied(), wanted_bps)
        });
        match self.standing() {
            Standing::Open => Share { max_bps, takes_on: true },
            Standing::Closing => Share { max_bps, takes_on: false },
            Standing::Spent => Share { max_bps: Some(0), takes_on: false },
        }
    }

    /// A channel needs nothing any more.
    pub(crate) fn leave(&mut self, channel: ChannelId) {
        self.wants.remove(&channel);
    }
}

/// The share of one who wants `own`, of `total`, among all `wants` (`own` included).
///
/// Max-min fairness by filling up (Bertsekas and Gallager, Data Networks, 6.5.2); what nobody wants is divided
/// evenly, so that who wants more a moment later has it at once.
fn max_min(total: u64, wants: impl Iterator<Item = u64>, own: u64) -> u64 {
    let mut wants: Vec<u64> = wants.collect();
    wants.sort_unstable();
    let all = wants.len().max(1) as u64;
    let mut left = total;
    for (others, want) in (1..=all).rev().zip(wants) {
        let even = left / others;
        if want > even {
            // From here on everybody wants more than there is, and all get the same.
            return own.min(even);
        }
        left -= want;
    }
    own + left / all
}

#[cfg(test)]
mod tests;
