//! Percentiles by nearest rank.

/// The `share`-th of the values (0.5: the median); `None` of none.
pub fn percentile(values: impl IntoIterator<Item = f64>, share: f64) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}

/// The mean; `None` of none.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.into_iter().fold((0u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

/// `part` of `whole`; 0 where there is nothing.
pub fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let values = || (1..=100).map(f64::from);
        assert_eq!(percentile(values(), 0.5), Some(50.0));
        assert_eq!(percentile(values(), 0.99), Some(99.0));
        assert_eq!(percentile([7.0], 0.99), Some(7.0));
        assert_eq!(percentile([], 0.5), None);
    }

    #[test]
    fn nothing_has_no_mean_and_no_share() {
        assert_eq!((mean([]), mean([1.0, 3.0])), (None, Some(2.0)));
        assert_eq!((share(1.0, 0.0), share(1.0, 4.0)), (0.0, 0.25));
    }
}
