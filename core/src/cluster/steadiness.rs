//! For how long something has gone well without a gap.

/// Counts from the first of an unbroken series of successes.
#[derive(Clone, Copy, Debug)]
pub struct Steadiness {
    longest_gap_ms: u64,
    /// First and newest success of the series.
    series: Option<(u64, u64)>,
}

impl Steadiness {
    /// Nothing has gone well yet. Between two successes of a series lie at most so many milliseconds.
    #[must_use]
    pub const fn new(longest_gap_ms: u64) -> Self {
        Self { longest_gap_ms, series: None }
    }

    /// It went well.
    pub const fn succeeded(&mut self, now_ms: u64) {
        self.series = match self.series {
            Some((first, newest)) if now_ms.saturating_sub(newest) <= self.longest_gap_ms => Some((first, now_ms)),
            _ => Some((now_ms, now_ms)),
        };
    }

    /// It went well, but what was before does not count.
    pub const fn began_anew(&mut self, now_ms: u64) {
        self.series = Some((now_ms, now_ms));
    }

    /// It did not go well.
    pub const fn failed(&mut self) {
        self.series = None;
    }

    /// Length of the series until now, in milliseconds; 0 if it is broken.
    #[must_use]
    pub const fn steady_ms(&self, now_ms: u64) -> u64 {
        match self.series {
            Some((first, newest)) if now_ms.saturating_sub(newest) <= self.longest_gap_ms => {
                now_ms.saturating_sub(first)
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_ends_with_a_failure_a_gap_or_a_silence() {
        let mut steadiness = Steadiness::new(10);
        assert_eq!(steadiness.steady_ms(5), 0);
        for now in [5, 15, 25] {
            steadiness.succeeded(now);
        }
        assert_eq!((steadiness.steady_ms(30), steadiness.steady_ms(36)), (25, 0), "nobody knows of the last 11 ms");
        steadiness.succeeded(36);
        assert_eq!(steadiness.steady_ms(40), 4, "there was a gap");
        steadiness.failed();
        assert_eq!(steadiness.steady_ms(40), 0);
        steadiness.succeeded(41);
        steadiness.began_anew(45);
        assert_eq!(steadiness.steady_ms(50), 5);
    }
}
