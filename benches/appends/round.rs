//! What one round found.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// What was stored in a round, and what it took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) appends: usize,
    pub(crate) rows: usize,
    pub(crate) batches: usize,
    pub(crate) elapsed: Duration,
    /// CPU time of this process, in user space and in the kernel, without the bench's own.
    pub(crate) cpu: Duration,
    /// The bench's own.
    pub(crate) own: Duration,
    /// From sending to the outcome, of each append.
    pub(crate) latencies: Vec<Duration>,
}

impl Round {
    pub(crate) fn appends_a_second(&self) -> f64 {
        self.appends as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn rows_a_second(&self) -> f64 {
        self.rows as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn cpu_us_a_row(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.rows as f64
    }

    pub(crate) fn own_us_a_row(&self) -> f64 {
        self.own.as_secs_f64() * 1e6 / self.rows as f64
    }

    pub(crate) fn rows_a_batch(&self) -> f64 {
        self.rows as f64 / self.batches as f64
    }
}

/// The begin of a round.
pub(crate) struct Start {
    at: Instant,
    cpu: Duration,
}

impl Start {
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), cpu: cpu() }
    }

    pub(crate) fn end(self, round: Round) -> Round {
        let cpu = cpu().saturating_sub(self.cpu).saturating_sub(round.own);
        Round { elapsed: self.at.elapsed(), cpu, ..round }
    }
}

/// User and system time of this process, all threads.
fn cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// User and system time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The middle one; the mean of the two in the middle if there is none.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() % 2 {
        1 => figures[middle],
        _ if figures.is_empty() => f64::NAN,
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

/// The smallest of the sorted times that at least `percent` of 100 do not exceed, in ms.
pub(crate) fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
