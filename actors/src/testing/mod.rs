//! In-memory ports with fault injection, for tests: nothing here is durable.

mod audit;
mod directory;
mod log;
mod members;
mod model;
mod network;
mod reader;
mod turns;
mod world;

pub use audit::MemoryAudit;
pub use directory::{HeldRows, Remembered};
pub use log::{Fault, MemoryLog};
pub use members::{MemoryCluster, MemoryLeases, MemoryMember};
pub use model::{Asked, Line, ScriptedModel};
pub use network::MemoryNetwork;
pub use reader::StrictReader;
pub use turns::broken_turns;
pub use world::{PausedClock, SeededRandom};

pub use crate::relay::{AT_A_TIME, EVERY, RESIDENCE};
