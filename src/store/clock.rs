//! The adapters' own clock, for what no caller brings a time for: dead letters, and the window of crashes at a claim.

use std::time::{SystemTime, UNIX_EPOCH};

/// Crashes within this time before a claim are counted, in milliseconds: 10 minutes.
pub(super) const CRASH_WINDOW_MS: i64 = 600_000;

/// Milliseconds since the Unix epoch.
pub(super) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
