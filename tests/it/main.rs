//! Tests of the whole program, from outside.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step of a test ends the test, also in the functions that tests share"
)]

mod cli;
