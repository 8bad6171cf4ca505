//! Calendar months in UTC.

use std::fmt;
use std::str::FromStr;

const MS_A_DAY: u64 = 86_400_000;

/// A month, counted from year 0: twelve times the year, and the months since its January.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month(u32);

impl Month {
    /// The month of a moment, in Unix milliseconds.
    ///
    /// Days are turned into years and months in the proleptic Gregorian calendar, in which years begin in March:
    /// the leap day is then the last (H. Hinnant, chrono-compatible low-level date algorithms, `civil_from_days`).
    pub(crate) fn of_unix_ms(unix_ms: u64) -> Self {
        // Days since 0000-03-01. A clock beyond the year 10,000 is wrong anyhow.
        let days = (unix_ms / MS_A_DAY).min(2_932_896) as u32 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let from_march = (5 * day + 2) / 153;
        Month((era * 400 + year) * 12 + from_march + 2)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

/// A text that is not a year and a month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a month: write YEAR-MONTH, as in 2026-11")]
pub(crate) struct NotAMonth(String);

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let parsed = text.split_once('-').and_then(|(year, month)| {
            let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
            ((1..=12).contains(&month) && year < 10_000).then_some(Month(year * 12 + month - 1))
        });
        parsed.ok_or_else(|| NotAMonth(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        let day = |days: u64| Month::of_unix_ms(days * MS_A_DAY).to_string();
        let (new_year, leap_day) = (19_723, 19_723 + 31 + 28);
        assert_eq!(day(0), "1970-01");
        assert_eq!((day(new_year - 1), day(new_year)), ("2023-12".into(), "2024-01".into()));
        assert_eq!((day(leap_day), day(leap_day + 1)), ("2024-02".into(), "2024-03".into()));
        assert_eq!(Month::of_unix_ms((new_year + 366) * MS_A_DAY - 1).to_string(), "2024-12");
        assert_eq!(Month::of_unix_ms(u64::MAX).to_string(), "9999-12");
    }

    #[test]
    fn a_month_survives_its_text() {
        let month = Month::of_unix_ms(1_795_000_000_000);
        assert_eq!(month.to_string().parse(), Ok(month));
        for bad in ["", "2026", "2026-13", "2026-00", "x-1", "2026-1-1", "4294967295-1"] {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }
}
