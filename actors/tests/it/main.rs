//! The actors over in-memory ports, with tokio's clock paused: nothing here waits for real time.

mod control;
mod faults;
mod readers;
mod replies;
mod shutdown;
mod world;
