//! Time: the simulation's, and clocks that are wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use onya_actors::ports::Clock;
use onya_core::Timestamp;

/// When each simulation begins, in ms since 1970.
const BEGIN_MS: i64 = 1_700_000_000_000;

/// A machine's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct MachineClock {
    /// By how many ms it is wrong.
    wrong_by: Arc<AtomicI64>,
}

impl MachineClock {
    /// Sets it wrong, or right again.
    pub(crate) fn jump(&self, wrong_by_ms: i64) {
        self.wrong_by.store(wrong_by_ms, Ordering::Relaxed);
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(BEGIN_MS + elapsed + self.wrong_by.load(Ordering::Relaxed))
    }
}

/// Simulated time since the simulation began; zero while it is taken down.
pub(crate) fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}
