//! A channel goes on and off the air: what viewers, its chat and webhooks are told of that. A broadcaster that drops out and
//! comes back has not ended a broadcast.

use std::sync::atomic::Ordering;
use std::time::Duration;

use swarm::Timestamp;
use wire::Epoch;
use wire::session::FromTracker;

use super::ChannelTask;
use crate::hooks::Event;
use crate::lately::End;
use crate::machine;
use crate::stills::STILL_BYTES_MAX;

/// The broadcast that webhooks know of.
#[derive(Debug, Default)]
pub(super) struct Programme {
    epoch: Option<Epoch>,
    lost: Option<Timestamp>,
}

impl Programme {
    /// A broadcast is live. What is to be told, in this order.
    pub(super) fn live(&mut self, epoch: Epoch) -> impl Iterator<Item = Event> + use<> {
        self.lost = None;
        let before = self.epoch.replace(epoch);
        let ended = before.filter(|before| *before != epoch).map(|epoch| Event::Ended { epoch });
        let started = (before != Some(epoch)).then_some(Event::Started { epoch });
        ended.into_iter().chain(started)
    }

    /// The broadcaster is out of reach.
    pub(super) fn lost(&mut self, now: Timestamp) {
        self.lost = self.epoch.map(|_| now);
    }

    /// The broadcast is over.
    pub(super) fn over(&mut self) -> Option<Event> {
        self.lost = None;
        self.epoch.take().map(|epoch| Event::Ended { epoch })
    }

    /// When a broadcaster that is out of reach will not come back any more.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Timestamp> {
        self.lost.map(|lost| lost + patience)
    }
}

impl ChannelTask {
    /// Tells viewers of a broadcast that starts, and of a broadcaster that comes back as another peer.
    pub(super) fn go_live(&mut self, epoch: Epoch) {
        let Some(source) = self.source else { return };
        if self.live.replace((epoch, source)) != Some((epoch, source)) {
            tracing::info!(channel = self.name, %epoch, "live");
            self.shell.metrics.started.add_one();
            for event in self.programme.live(epoch) {
                self.shell.hooks.tell(self.channel, &self.name, event);
            }
            self.status.live.store(true, Ordering::Relaxed);
            self.open_chat(epoch);
            self.members.say_to_all_but(source, &FromTracker::Live { epoch, source: self.source });
        }
    }

    pub(super) fn go_offline(&mut self, ended: bool) {
        if ended {
            self.programme_over();
        }
        if let Some((_, source)) = self.live.take() {
            if !ended {
                self.programme.lost(self.shell.clock.now());
            }
            tracing::info!(channel = self.name, ended, "offline");
            self.status.live.store(false, Ordering::Relaxed);
            // Whether it was to be seen by everyone, its header says.
            if self.relay.stream().is_some_and(|stream| !stream.private) {
                let still = self.relay.still(STILL_BYTES_MAX);
                self.shell.directory.lately.ended(End {
                    channel: self.channel,
                    at_ms: machine::unix_ms(),
                    still,
                });
            }
            self.members.say_to_all_but(source, &FromTracker::Offline { ended });
        }
    }

    fn open_chat(&self, epoch: Epoch) {
        let directory = &self.shell.directory;
        if let Some(channel) = directory.at_hand(self.channel) {
            directory.chats.begin(&channel, epoch, &self.shell.config().limits, self.shell.clock.now());
        }
    }

    pub(super) fn programme_over(&mut self) {
        if let Some(event) = self.programme.over() {
            self.shell.hooks.tell(self.channel, &self.name, event);
            self.shell.directory.chats.over(self.channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_broadcaster_that_comes_back_goes_on() {
        let (mut programme, now) = (Programme::default(), Timestamp::default());
        let (first, second) = (Epoch(1), Epoch(2));
        assert_eq!(programme.live(first).collect::<Vec<_>>(), [Event::Started { epoch: first }]);
        programme.lost(now);
        assert_eq!(programme.deadline(PATIENCE), Some(now + PATIENCE));
        assert_eq!(programme.live(first).count(), 0);
        assert_eq!(programme.deadline(PATIENCE), None);
        let both = [Event::Ended { epoch: first }, Event::Started { epoch: second }];
        assert_eq!(programme.live(second).collect::<Vec<_>>(), both);
        assert_eq!(programme.over(), Some(Event::Ended { epoch: second }));
        assert_eq!(programme.over(), None);
    }
}
