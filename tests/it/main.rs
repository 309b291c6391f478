//! Tests of the whole program, from outside.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed step ends the test, also in the functions that tests share; a test's tasks end with its runtime"
)]

mod support;

mod architecture;
mod audit;
mod backup;
mod bad_input;
mod chat;
mod cli;
mod cluster;
mod dead_letters;
mod erasure;
mod handoff;
mod history_epoch;
mod http;
mod identity;
mod leases;
mod lifecycle;
mod links;
mod members;
mod metrics;
mod migrate;
mod nginx;
mod outage;
mod pages;
mod paging;
mod proofs;
mod redis;
mod replay;
mod reporting;
mod resume;
mod roles;
mod search;
mod slow_reader;
mod stuck;
mod terminal;
mod timers;
mod traces;
mod transcript;
mod upstream;
