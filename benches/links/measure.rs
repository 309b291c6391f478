//! CPU time, and the pace at which frames are sent.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::Notify;

/// The unit of `/proc/PID/stat`, fixed for user space on Linux: 100 a second.
const TICK: Duration = Duration::from_millis(10);

/// When the next batch is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Once the one before has been heard.
    InTurn,
    /// As soon as the one before has been handed over.
    AtOnce,
}

impl Pace {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InTurn => "in turn",
            Self::AtOnce => "at once",
        }
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) pace: Pace,
    pub(crate) batch: usize,
    pub(crate) frames: usize,
}

/// Counts what has been heard, and tells who sends.
pub(crate) struct Heard {
    round: Round,
    frames: std::sync::atomic::AtomicUsize,
    batch: Notify,
    all: Notify,
}

impl Heard {
    pub(crate) fn new(round: Round) -> Self {
        Self { round, frames: 0.into(), batch: Notify::new(), all: Notify::new() }
    }

    pub(crate) fn add(&self, frames: usize) {
        let before = self.frames.fetch_add(frames, std::sync::atomic::Ordering::Relaxed);
        if self.round.pace == Pace::InTurn && (before + frames) / self.round.batch > before / self.round.batch {
            self.batch.notify_one();
        }
        if before + frames >= self.round.frames {
            self.all.notify_one();
        }
    }

    /// Waits until the next batch may be sent.
    pub(crate) async fn turn(&self) {
        if self.round.pace == Pace::InTurn {
            self.batch.notified().await;
        }
    }

    pub(crate) async fn all(&self) {
        self.all.notified().await;
    }
}

/// CPU time of this process so far, in user space and in the kernel: fields 14 and 15. The name in field 2 may hold spaces.
pub(crate) fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("CPU time is read from /proc: Linux only")?;
    let ticks = stat.rsplit_once(')').and_then(|(_, rest)| {
        let mut fields = rest.split_ascii_whitespace().skip(11);
        Some(fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?)
    });
    Ok(TICK * ticks.context("/proc/self/stat has another form")?)
}

/// µs of a frame since then.
pub(crate) fn per_frame(since: Duration, round: Round) -> Result<f64> {
    Ok(cpu()?.saturating_sub(since).as_secs_f64() * 1e6 / round.frames as f64)
}

pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
