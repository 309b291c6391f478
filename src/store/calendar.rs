//! Months and times of day in UTC, from milliseconds since the Unix epoch. The calendar is the proleptic Gregorian one.

use std::fmt;

use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;

/// A month in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    year: i64,
    /// From 1.
    month: i64,
}

impl Month {
    /// The month of a time, in milliseconds since the Unix epoch.
    pub(super) fn of(at_ms: i64) -> Self {
        let (year, month, _) = civil(at_ms.div_euclid(DAY_MS));
        Self { year, month }
    }

    /// The month so many months later, or earlier.
    pub(super) fn plus(self, months: i64) -> Self {
        let total = self.year * 12 + self.month - 1 + months;
        Self { year: total.div_euclid(12), month: total.rem_euclid(12) + 1 }
    }

    /// Its first millisecond.
    pub(super) fn start_ms(self) -> i64 {
        // Days from 1970-01-01, by counting years from March, so that a leap day is the last day of its year.
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (era * 146_097 + day_of_era - 719_468) * DAY_MS
    }

    /// The least identifier, a version 7 UUID, that a conversation of this month can have: its first 48 bits are the
    /// time of creation.
    pub(super) fn first_id(self) -> Uuid {
        let start = u128::try_from(self.start_ms()).unwrap_or(0);
        Uuid::from_u128(start << 80)
    }

    /// The month that is written like this: `2026_09`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('_').filter(|(year, month)| year.len() == 4 && month.len() == 2)?;
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        (1..=12).contains(&month).then_some(Self { year, month })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{:02}", self.year, self.month)
    }
}

/// A time that can be part of a file's name: `20260930T101112Z`.
pub(super) fn compact_time(at_ms: i64) -> String {
    let (year, month, day) = civil(at_ms.div_euclid(DAY_MS));
    let second = at_ms.rem_euclid(DAY_MS) / 1_000;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_without_a_gap_and_know_their_first_millisecond() {
        let mut month = Month::of(0);
        assert_eq!((month.to_string().as_str(), month.start_ms()), ("1970_01", 0));
        for _ in 0..3_000 {
            let next = month.plus(1);
            assert_eq!(Month::of(next.start_ms()), next);
            assert_eq!(Month::of(next.start_ms() - 1), month);
            assert_eq!(next.plus(-1), month);
            assert_eq!(Month::parse(&month.to_string()), Some(month));
            month = next;
        }
        assert_eq!(Month::of(1_790_000_000_000).to_string(), "2026_09");
        assert_eq!(Month::parse("2026_09").unwrap().start_ms(), 1_788_220_800_000);
        for none in ["2026_13", "2026_00", "202_09", "2026-09", "default", "2026_9"] {
            assert_eq!(Month::parse(none), None, "{none}");
        }
    }

    #[test]
    fn the_first_id_of_a_month_is_the_least_of_its_time() {
        let month = Month::of(1_790_000_000_000);
        assert_eq!(month.first_id().to_string(), "01a05a43-fc00-0000-0000-000000000000");
        let id = |at_ms: u64| {
            Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, at_ms / 1_000, (at_ms % 1_000) as u32 * 1_000_000))
        };
        assert!(id(1_788_220_800_000) >= month.first_id() && id(1_788_220_799_999) < month.first_id());
    }

    #[test]
    fn a_time_in_a_file_name_is_readable() {
        assert_eq!(compact_time(1_790_000_000_123), "20260921T141320Z");
    }
}
