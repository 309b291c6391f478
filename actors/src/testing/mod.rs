//! In-memory ports with fault injection, for tests: nothing here is durable.

mod audit;
mod cluster;
mod log;
mod members;
mod model;
mod world;

pub use audit::MemoryAudit;
pub use cluster::MemoryCluster;
pub use log::{Fault, MemoryLog};
pub use members::{MemoryCluster, MemoryLeases, MemoryMember};
pub use model::{Asked, Line, ScriptedModel};
pub use world::{PausedClock, SeededRandom};
