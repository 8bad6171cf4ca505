//! What is believed of a member's network: which kind of NAT it is behind, judged by the links that were made with others
//! and those that found no way. Browsers cannot say, and nobody is asked.

use std::time::Duration;

/// Ways in which a network lets others in: at any address that it has used itself (endpoint-independent filtering, RFC 4787);
/// only from where it has sent to; so, and under another address for each of them (a "symmetric" NAT); not at all (UDP is blocked).
const KINDS: usize = 4;

/// Who reaches whom, where both sides send at the same time (RFC 8445).
const REACHES: [[bool; KINDS]; KINDS] = [
    [true, true, true, false],
    [true, true, false, false],
    [true, false, false, false],
    [false, false, false, false],
];

/// What is believed of who has just come.
const UNKNOWN: [f32; KINDS] = [0.5, 0.35, 0.12, 0.03];

/// How often links open that can, and that cannot: somebody leaves, and a machine is held up; beliefs must never be certain.
const OPENS: f32 = 0.9;
const OPENS_ANYHOW: f32 = 0.001;

/// In this time what was learnt is worth less by a factor of e: networks change, and who is reached by nobody is tried
/// again some minutes later.
const FADES_IN: Duration = Duration::from_secs(1_800);

/// A belief: the probability of each kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reach([f32; KINDS]);

impl Reach {
    pub(super) const UNKNOWN: Reach = Reach(UNKNOWN);

    /// How likely it is that a link between the two opens.
    pub(super) fn with(&self, other: &Reach) -> f32 {
        pairs().map(|(one, another)| self.0[one] * other.0[another] * opens(one, another)).sum()
    }

    /// A link between the two `opened`, or found no way (Bayes' rule, each side taken for itself).
    pub(super) fn learn(&mut self, other: &mut Reach, opened: bool) {
        let (mut ours, mut theirs) = ([0.0; KINDS], [0.0; KINDS]);
        for (one, another) in pairs() {
            let likely = if opened { opens(one, another) } else { 1.0 - opens(one, another) };
            let joint = self.0[one] * other.0[another] * likely;
            ours[one] += joint;
            theirs[another] += joint;
        }
        // Both sum up to the same, which is never 0.
        let sum: f32 = ours.iter().sum();
        (self.0, other.0) = (ours.map(|share| share / sum), theirs.map(|share| share / sum));
    }

    /// Time passes.
    pub(super) fn fade(&mut self, elapsed: Duration) {
        let kept = (-elapsed.as_secs_f32() / FADES_IN.as_secs_f32()).exp();
        self.0
            .iter_mut()
            .zip(UNKNOWN)
            .for_each(|(share, unknown)| *share = unknown + (*share - unknown) * kept);
    }
}

fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..KINDS).flat_map(|one| (0..KINDS).map(move |another| (one, another)))
}

fn opens(one: usize, another: usize) -> f32 {
    if REACHES[one][another] { OPENS } else { OPENS_ANYHOW }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member that has tried ten others, and opened links with so many of them.
    fn tried(opened: usize) -> Reach {
        let mut reach = Reach::UNKNOWN;
        (0..10).for_each(|other| reach.learn(&mut { Reach::UNKNOWN }, other < opened));
        reach
    }

    #[test]
    fn who_is_reached_by_nobody_or_by_half_is_known_after_ten_attempts() {
        let [nobody, half, all] = [0, 5, 10].map(tried);
        assert!(nobody.with(&Reach::UNKNOWN) < 0.2, "{nobody:?}");
        assert!((0.4..0.7).contains(&half.with(&Reach::UNKNOWN)), "{half:?}");
        assert!(half.with(&half) < 0.2, "{half:?}");
        assert!(half.with(&all) > 0.8 && all.with(&all) > 0.8, "{all:?}");
    }

    #[test]
    fn those_whom_the_hard_to_reach_reach_are_told_from_those_they_do_not() {
        let (mut open, mut filtered) = (tried(10), tried(10));
        for _ in 0..3 {
            open.learn(&mut tried(5), true);
            filtered.learn(&mut tried(5), false);
        }
        assert!(tried(5).with(&open) > 0.8 && tried(5).with(&filtered) < 0.4, "{open:?} {filtered:?}");
        assert!(open.with(&filtered) > 0.8);
    }

    #[test]
    fn in_time_it_is_as_if_nothing_had_been_known() {
        let mut reach = tried(0);
        (0..300).for_each(|_| reach.fade(Duration::from_secs(2)));
        assert!(reach.with(&Reach::UNKNOWN) > 0.2, "after ten minutes: {reach:?}");
        (0..9_000).for_each(|_| reach.fade(Duration::from_secs(2)));
        assert!((reach.with(&Reach::UNKNOWN) - Reach::UNKNOWN.with(&Reach::UNKNOWN)).abs() < 0.01);
    }
}
