//! The actors over in-memory ports, with tokio's clock paused: nothing here waits for real time.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod checks;
mod clocks;
mod cluster;
mod control;
mod erasure;
mod faults;
mod herd;
mod membership;
mod readers;
mod record;
mod replies;
mod shutdown;
mod stuck;
mod walk;
mod world;
