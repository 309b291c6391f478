//! An even pace: when the n-th event is due, whatever became of the ones before it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Events at a fixed rate. Times are computed from the start and never from the event before, so that a stall of the
/// other side delays nothing but is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    start: Instant,
    per_second: f64,
}

impl Pace {
    pub(crate) fn new(start: Instant, per_second: f64) -> Self {
        Self { start, per_second }
    }

    /// When event `n` is due, counted from 0.
    pub(crate) fn at(&self, n: usize) -> Instant {
        self.start + Duration::from_secs_f64(n as f64 / self.per_second)
    }

    /// Waits until event `n` is due; returns at once if that is over.
    pub(crate) async fn wait(&self, n: usize) {
        sleep_until(self.at(n)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn events_are_due_at_even_distances_from_the_start() {
        let start = Instant::now();
        let pace = Pace::new(start, 200.0);
        assert_eq!(pace.at(0) - start, Duration::ZERO);
        assert_eq!(pace.at(1) - start, Duration::from_millis(5));
        assert_eq!(pace.at(1000) - start, Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_moves_no_later_event() {
        let start = Instant::now();
        let pace = Pace::new(start, 10.0);
        tokio::time::advance(Duration::from_millis(950)).await;
        pace.wait(3).await;
        assert_eq!(start.elapsed(), Duration::from_millis(950), "the third is long due");
        pace.wait(10).await;
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}
