//! Whole nodes in simulated time: actors, membership, links and their protocol are the real ones; the store, the leases, the model,
//! the clocks and the network are simulated, and everything follows from a seed.
//!
//! ```text
//! customer ─┐                  ┌─ node-a ─┐
//! customer ─┼─ lines of frames ┼─ node-b ─┼─ way, which is slow or cut ── store: log, members
//! agent    ─┘                  └─ node-c ─┘                               leases
//!                                 └─ links over the simulated network between them
//! ```
//!
//! [`run()`] plays one seed: people talk while the [`nemesis`] breaks things, everything is mended, what was begun comes to its end,
//! and [`checks`] holds what is stored and what was shown against the promises. `docs/RELIABILITY.md` says what it shows and what
//! it does not.

mod agent;
mod checks;
mod cli;
mod clock;
mod customer;
mod door;
mod model;
mod nemesis;
mod network;
mod node;
mod output;
mod person;
mod readers;
mod record;
mod run;
mod store;
mod way;
mod world;

pub use cli::main;
pub use record::Rare;
pub use run::{Outcome, Plan, run};
