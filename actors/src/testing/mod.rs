//! In-memory ports with fault injection, for tests: nothing here is durable.

mod audit;
mod log;
mod members;
mod model;
mod network;
mod world;

pub use audit::MemoryAudit;
pub use log::{Fault, MemoryLog};
pub use members::{MemoryCluster, MemoryLeases, MemoryMember};
pub use model::{Asked, Line, ScriptedModel};
pub use network::MemoryNetwork;
pub use world::{PausedClock, SeededRandom};
