//! The budget's promises.

use proptest::prelude::*;

use super::*;

const GIGABIT: u64 = 1_000_000_000;

fn channel(number: u8) -> ChannelId {
    ChannelId([number; 32])
}

fn november() -> Month {
    "2026-11".parse().unwrap()
}

fn budget(max_bps: Option<u64>, month_bytes: Option<u64>) -> Budget {
    Budget::new(Allowance { max_bps, month_bytes }, november(), 0)
}

#[test]
fn a_large_channel_cannot_starve_a_small_one() {
    let mut budget = budget(Some(GIGABIT), None);
    assert_eq!(budget.want(channel(1), 4 * GIGABIT).max_bps, Some(GIGABIT), "alone it has everything");
    assert_eq!(budget.want(channel(2), GIGABIT / 10).max_bps, Some(GIGABIT / 10));
    assert_eq!(budget.want(channel(1), 4 * GIGABIT).max_bps, Some(GIGABIT / 10 * 9), "and then the rest");
    budget.leave(channel(2));
    assert_eq!(budget.want(channel(1), 4 * GIGABIT).max_bps, Some(GIGABIT));
}

#[test]
fn what_nobody_wants_is_there_for_whoever_comes() {
    let mut budget = budget(Some(GIGABIT), None);
    budget.want(channel(1), GIGABIT / 10);
    assert_eq!(budget.want(channel(2), GIGABIT / 10).max_bps, Some(GIGABIT / 2));
}

#[test]
fn nearly_spent_the_relay_takes_on_nobody_and_spent_it_sends_nothing() {
    let mut budget = budget(None, Some(1_000));
    let mut after = |bytes| {
        budget.spend(november(), bytes);
        budget.want(channel(1), GIGABIT)
    };
    assert_eq!(after(989), Share { max_bps: None, takes_on: true });
    assert_eq!(after(1), Share { max_bps: None, takes_on: false });
    assert_eq!(after(10), Share { max_bps: Some(0), takes_on: false });
}

#[test]
fn another_month_begins_with_nothing_spent() {
    let mut budget = budget(None, Some(1_000));
    budget.spend(november(), 5_000);
    assert_eq!(budget.standing(), Standing::Spent);
    budget.spend("2026-12".parse().unwrap(), 7);
    assert_eq!((budget.standing(), budget.spent()), (Standing::Open, ("2026-12".parse().unwrap(), 7)));
    // A clock that is set back does not give the volume twice.
    budget.spend(november(), 3);
    assert_eq!(budget.spent(), ("2026-12".parse().unwrap(), 10));
}

proptest! {
    #[test]
    fn shares_never_exceed_the_whole_and_are_fair(
        total in 0..4 * GIGABIT,
        wants in proptest::collection::vec(0..4 * GIGABIT, 1..20),
    ) {
        let share = |want| max_min(total, wants.iter().copied(), want);
        prop_assert!(wants.iter().map(|&want| share(want)).sum::<u64>() <= total);
        let even = total / wants.len() as u64;
        for &want in &wants {
            prop_assert!(share(want) >= want.min(even), "{} of {}", share(want), want);
        }
        let short = wants.iter().any(|&want| share(want) < want);
        let unused = total - wants.iter().map(|&want| share(want)).sum::<u64>();
        prop_assert!(!short || unused < wants.len() as u64, "nothing is left over while somebody is short");
    }
}
