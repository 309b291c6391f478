//! Time and randomness of this machine.

use std::time::{SystemTime, UNIX_EPOCH};

use onya_actors::ports::{Clock, Random};
use onya_core::Timestamp;
use rand::Rng as _;
use uuid::Uuid;

/// The wall clock.
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A generator seeded by the operating system, one per thread.
pub(super) struct SystemRandom;

impl Random for SystemRandom {
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn salt(&self) -> [u8; 16] {
        rand::rng().random()
    }

    fn below(&self, below: u64) -> u64 {
        if below == 0 { 0 } else { rand::rng().random_range(0..below) }
    }
}
