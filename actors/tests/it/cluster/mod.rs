//! Several nodes over one store, with links that can be cut.

mod commands;
mod digest;
mod moves;
mod readers;
mod takeover;
mod walk;
mod world;
