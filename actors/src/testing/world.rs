//! Time that follows tokio's clock, which tests pause, and randomness from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use onya_core::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use crate::ports::{Clock, Random};

/// Where [`PausedClock`] starts, in ms since 1970.
const START_MS: i64 = 1_700_000_000_000;

/// Follows tokio's clock.
#[derive(Debug)]
pub struct PausedClock {
    started: Instant,
}

impl Default for PausedClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Timestamp(START_MS).plus_ms(elapsed)
    }
}

/// The same numbers for the same seed (a splitmix64 sequence).
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// Starts the sequence.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Random for SeededRandom {
    fn uuid(&self) -> Uuid {
        uuid::Builder::from_unix_timestamp_millis(self.next() >> 20, &self.salt()[..10].try_into().unwrap_or_default())
            .into_uuid()
    }

    fn salt(&self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes()
    }

    fn below(&self, below: u64) -> u64 {
        if below == 0 { 0 } else { self.next() % below }
    }
}
