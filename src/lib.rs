//! The chat session server: its edges and its wiring.

pub mod store;
