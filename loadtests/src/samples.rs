//! Times that were measured, and what is said about them.

use std::time::Duration;

/// Measured times in ns. A time less another one may be below zero, so they are signed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<i64>);

/// What is said about a set of times, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    /// Half of them are no longer.
    pub p50_ms: f64,
    /// 99 of 100 are no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Samples {
    pub(crate) fn add(&mut self, ns: i64) {
        self.0.push(ns);
    }

    pub(crate) fn add_duration(&mut self, duration: Duration) {
        self.add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The summary; zeros if nothing was measured.
    pub(crate) fn summary(mut self) -> Summary {
        self.0.sort_unstable();
        let at = |percent| percentile(&self.0, percent) as f64 / 1e6;
        Summary { p50_ms: at(50), p99_ms: at(99), max_ms: at(100) }
    }
}

/// The smallest sample that at least `percent` of 100 samples do not exceed (nearest rank); 0 without samples.
fn percentile(sorted: &[i64], percent: usize) -> i64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ms: impl IntoIterator<Item = i64>) -> Summary {
        Samples(ms.into_iter().map(|ms| ms * 1_000_000).collect()).summary()
    }

    #[test]
    fn percentiles_are_samples_that_were_measured() {
        assert_eq!(of((1..=100).rev()), Summary { p50_ms: 50.0, p99_ms: 99.0, max_ms: 100.0 });
        assert_eq!(of([7]), Summary { p50_ms: 7.0, p99_ms: 7.0, max_ms: 7.0 });
        assert_eq!(of([1, 2]), Summary { p50_ms: 1.0, p99_ms: 2.0, max_ms: 2.0 });
    }

    #[test]
    fn times_below_zero_keep_their_order() {
        assert_eq!(of([3, -2, 0]), Summary { p50_ms: 0.0, p99_ms: 3.0, max_ms: 3.0 });
    }

    #[test]
    fn nothing_measured_is_zero() {
        assert_eq!(Samples::default().summary(), Summary::default());
    }

    #[test]
    fn samples_of_two_connections_count_as_one_set() {
        let mut samples = Samples(vec![1, 2]);
        samples.merge(Samples(vec![5]));
        samples.add(9);
        assert_eq!((samples.len(), samples.summary().max_ms), (4, 9e-6));
    }
}
