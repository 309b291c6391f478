//! The rules of a conversation, as sentences: given a log, when a command comes, then these events follow.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod events;
mod given;
mod walk;

mod bounds;
mod delivery;
mod erasure;
mod handoff;
mod idle;
mod members;
mod prompt;
mod properties;
mod recovery;
mod turn;
mod view;
