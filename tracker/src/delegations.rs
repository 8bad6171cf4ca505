//! Warns while there is time: an owner's permission to sign for a channel ends, and with it what its encoders send here.
//! The log says so, and webhooks are told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use wire::ChannelId;

use crate::hooks::Event;
use crate::machine;
use crate::shell::Shell;

/// Seconds before the end at which there is a warning. A week and a day: an owner who reads mail on workdays has time for
/// the first, and an operator who looks every day sees the second.
const WARN_BEFORE_S: [u64; 2] = [7 * 86_400, 86_400];

/// Time between looks.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// A permission that ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Whose.
    pub channel: ChannelId,
    /// Its name in the directory.
    pub name: String,
    /// Unix time in seconds.
    pub expires_s: u64,
}

/// Warns from now on, again after each start of the server. Does not return.
pub(crate) async fn watch(shell: Arc<Shell>) {
    let mut warned = Warned::default();
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        let now_s = machine::unix_ms() / 1000;
        let before_s = now_s + WARN_BEFORE_S[0];
        match shell.store.read(move |records| records.delegations_ending(now_s, before_s)).await {
            Ok(ending) => warned.due(ending, now_s).iter().for_each(|ending| warn(ending, now_s, &shell)),
            Err(error) => tracing::warn!("cannot look for permissions that end: {error}"),
        }
    }
}

fn warn(ending: &Ending, now_s: u64, shell: &Shell) {
    let hours = ending.expires_s.saturating_sub(now_s) / 3600;
    tracing::warn!(
        channel = ending.name,
        "in {hours} h this server may not sign for the channel any more, and its encoders will be refused: its owner \
         runs `swarmcast-uploader channel host`"
    );
    shell.hooks.tell(ending.channel, &ending.name, Event::DelegationEnds { expires_s: ending.expires_s });
}

/// The time of expiry and the threshold that were warned of last, by channel.
#[derive(Default)]
struct Warned(HashMap<ChannelId, (u64, u64)>);

impl Warned {
    /// Which of all that end soon are to be warned of now.
    fn due(&mut self, ending: Vec<Ending>, now_s: u64) -> Vec<Ending> {
        let said = std::mem::take(&mut self.0);
        let mut due = ending;
        due.retain(|ending| {
            let left = ending.expires_s.saturating_sub(now_s);
            let passed = WARN_BEFORE_S.into_iter().filter(|before| left <= *before).min();
            let now = (ending.expires_s, passed.unwrap_or(u64::MAX));
            self.0.insert(ending.channel, now);
            passed.is_some() && said.get(&ending.channel) != Some(&now)
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: u64 = 86_400;

    #[test]
    fn each_permission_is_warned_of_a_week_and_a_day_before() {
        let ending = |expires_s| Ending { channel: ChannelId([1; 32]), name: "club".into(), expires_s };
        let mut warned = Warned::default();
        let mut due = |at: u64, expires_s| !warned.due(vec![ending(expires_s)], at).is_empty();
        let end = 30 * DAY_S;
        assert!(!due(22 * DAY_S, end));
        assert!(due(23 * DAY_S, end) && !due(24 * DAY_S, end));
        assert!(due(29 * DAY_S, end) && !due(29 * DAY_S + 3600, end));
        assert!(due(29 * DAY_S + 3600, end + 5 * DAY_S), "another permission, which is short as well");
    }
}
