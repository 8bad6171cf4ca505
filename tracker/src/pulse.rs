//! Whether somebody is still there at the other end of a WebSocket: when to ping, and when to give up. Sessions and
//! visits to a chat have it in common.

use tokio::time::Instant;

use crate::config::Limits;
use crate::machine;

/// What the clock says of the other end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It is there, as far as is known.
    Well,
    /// It has been silent for a while, or nothing was said to it: a ping is due.
    PingDue,
    /// It says nothing, or takes nothing, for too long.
    Dead,
}

/// When the other end last gave a sign.
#[derive(Debug)]
pub(crate) struct Pulse {
    heard_at: Instant,
    /// When it last took all that was written, or was written to anew.
    taken_at: Instant,
    looked_at: Instant,
}

impl Pulse {
    /// Of one that has just come.
    pub(crate) fn begin(now: Instant) -> Self {
        Pulse { heard_at: now, taken_at: now, looked_at: now }
    }

    /// It has said something.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// It has taken all that was written, or is written to anew.
    pub(crate) fn taken(&mut self, now: Instant) {
        self.taken_at = now;
    }

    /// When to look at it next. `unsent`: it has not taken all that was written.
    pub(crate) fn due(&self, unsent: bool, limits: &Limits) -> Instant {
        self.dead_at(unsent, limits).min(self.look_at(limits))
    }

    /// Looks at it. If a ping is due, it is taken for sent.
    pub(crate) fn look(&mut self, now: Instant, unsent: bool, limits: &Limits) -> Sign {
        if now >= self.dead_at(unsent, limits) {
            return Sign::Dead;
        }
        if now < self.look_at(limits) {
            return Sign::Well;
        }
        self.looked_at = now;
        if unsent {
            return Sign::Well;
        }
        self.taken_at = now;
        Sign::PingDue
    }

    fn dead_at(&self, unsent: bool, limits: &Limits) -> Instant {
        let since = if unsent { self.heard_at.min(self.taken_at) } else { self.heard_at };
        since + limits.dead_after
    }

    /// One that speaks is there, and one that is spoken to knows that we are: no ping is needed.
    fn look_at(&self, limits: &Limits) -> Instant {
        let quiet_since = self.heard_at.min(self.taken_at).max(self.looked_at);
        machine::on_the_second(quiet_since + limits.ping_every)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What is seen in so many seconds from `now`, and after how many.
    fn signs(pulse: &mut Pulse, now: Instant, unsent: bool, seconds: u64) -> Vec<(u64, Sign)> {
        let limits = Limits {
            ping_every: Duration::from_secs(50),
            dead_after: Duration::from_secs(125),
            ..Limits::default()
        };
        let mut signs = Vec::new();
        while signs.last().is_none_or(|(_, sign)| *sign != Sign::Dead) {
            let due = pulse.due(unsent, &limits);
            if due > now + Duration::from_secs(seconds) {
                break;
            }
            signs.push(((due - now).as_secs(), pulse.look(due, unsent, &limits)));
        }
        signs
    }

    /// A whole second of this process.
    fn second() -> Instant {
        machine::on_the_second(Instant::now() + Duration::from_secs(1))
    }

    #[test]
    fn who_is_silent_is_pinged_and_given_up() {
        let now = second();
        let seen = signs(&mut Pulse::begin(now), now, false, 1_000);
        assert_eq!(seen, [(50, Sign::PingDue), (100, Sign::PingDue), (125, Sign::Dead)]);
    }

    #[test]
    fn who_speaks_and_is_spoken_to_is_not_pinged() {
        let mut now = second();
        let mut pulse = Pulse::begin(now);
        for _ in 0..20 {
            assert_eq!(signs(&mut pulse, now, false, 40), []);
            now += Duration::from_secs(40);
            pulse.heard(now);
            pulse.taken(now);
        }
    }

    #[test]
    fn who_takes_nothing_is_not_pinged_and_given_up_whatever_it_says() {
        let now = second();
        let mut pulse = Pulse::begin(now);
        pulse.heard(now + Duration::from_secs(100));
        let seen = signs(&mut pulse, now, true, 1_000);
        assert_eq!(seen, [(50, Sign::Well), (100, Sign::Well), (125, Sign::Dead)]);
    }
}
