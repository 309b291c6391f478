//! Tests of the whole program, from outside.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step of a test ends the test, also in the functions that tests share"
)]

mod support;

mod architecture;
mod bad_input;
mod chat;
mod cli;
mod handoff;
mod http;
mod lifecycle;
mod outage;
mod pages;
mod proofs;
mod resume;
mod upstream;
