//! The desk: customers who wait for a person, in the order in which they should be served.

mod queue;

pub use queue::{Queue, Waiting};
