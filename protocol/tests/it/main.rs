//! The wire, and the documents that describe it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod codes;
mod documents;
mod frames;
mod schema;
mod views;
