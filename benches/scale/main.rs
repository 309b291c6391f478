//! What a cluster of many pods costs: its ring, its moves, its membership, its directories and its links.
//!
//! The code that places and watches is driven as it is: rings over views, the rounds of each member over members and leases in
//! memory and in simulated time, real rows and real links. What is measured is printed and never judged: docs/SCALING.md says
//! what was found and what follows. Memory is that of processes of their own, which this program starts from itself.

mod arguments;
mod check;
mod links;
mod measure;
mod membership;
mod memory;
mod moves;
mod pods;
mod ring;
mod rollout;
#[path = "../trusting/mod.rs"]
mod trusting;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Error, Result};
use clap::Parser as _;

use crate::arguments::{Arguments, Part};

/// The server's allocator: memory must not differ in what it comes from.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // `cargo test --benches` runs this too, to see that it works, and has no minutes to give.
    if !std::env::args().any(|argument| argument == "--bench") {
        return match check::all() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(held) = arguments.hold {
        return memory::hold(held, arguments.count.context("--hold needs --count")?);
    }
    if arguments.wants(Part::Ring) {
        title("The ring", &format!("{} conversations", measure::number(f64::from(arguments.conversations))));
        ring::report(arguments)?;
    }
    if arguments.wants(Part::Moves) {
        title("Moves", &format!("of {} conversations", measure::number(f64::from(arguments.conversations))));
        moves::report(arguments);
        title(
            "A roll-out of all pods",
            &format!("{} conversations, live all the time", measure::number(f64::from(arguments.followed))),
        );
        rollout::report(arguments);
    }
    if arguments.wants(Part::Membership) {
        title("Membership", &format!("{} simulated seconds, sum over all pods", arguments.seconds));
        membership::report(arguments)?;
    }
    if arguments.wants(Part::Directory) {
        title("Directory", &format!("{} rows", measure::number(f64::from(arguments.rows))));
        memory::rows(arguments)?;
    }
    if arguments.wants(Part::Links) {
        title("Links and views", &format!("{} links", arguments.links));
        memory::links(arguments)?;
    }
    Ok(())
}

fn title(what: &str, of: &str) {
    say(&format!("\n### {what}\n\n{of}\n"));
}

fn fail(error: &Error) -> ExitCode {
    progress(&format!("{error:#}"));
    ExitCode::FAILURE
}

/// A line of a result, to standard output.
fn say(text: &str) {
    // There is nobody left to tell when it is closed.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What is being done now, to standard error.
fn progress(text: &str) {
    let _ = writeln!(std::io::stderr(), "scale: {text}");
}
