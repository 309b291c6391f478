//! The clocks of one answer: until when the next piece of content has to come.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::Clocks;

/// When the whole answer and its next piece are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    clocks: Clocks,
    total: Instant,
    content: Instant,
}

impl Deadlines {
    /// The answer begins now, and with it its first attempt.
    pub(super) fn start(clocks: Clocks) -> Self {
        let total = Instant::now() + Duration::from_millis(clocks.total_ms);
        let mut deadlines = Self { clocks, total, content: total };
        deadlines.attempt_begins();
        deadlines
    }

    /// From now on the clock for the first content runs.
    pub(super) fn attempt_begins(&mut self) {
        self.content = Instant::now() + Duration::from_millis(self.clocks.first_content_ms);
    }

    /// From now on the clock for the gap runs.
    pub(super) fn content_came(&mut self, now: Instant) {
        self.content = now + Duration::from_millis(self.clocks.gap_ms);
    }

    /// When the next content is due at the latest.
    pub(super) fn next(&self) -> Instant {
        self.content.min(self.total)
    }

    /// Until when a slot has to be free.
    pub(super) fn slot(&self) -> Instant {
        (Instant::now() + Duration::from_millis(self.clocks.connect_ms)).min(self.total)
    }

    /// What is left of the whole answer's time.
    pub(super) fn left(&self) -> Duration {
        self.total.saturating_duration_since(Instant::now())
    }
}
