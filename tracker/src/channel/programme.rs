//! What webhooks are told of a channel's broadcasts: a broadcaster that drops out and comes back has not ended one.

use std::time::Duration;

use swarm::Timestamp;
use wire::Epoch;

use crate::hooks::Event;

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
