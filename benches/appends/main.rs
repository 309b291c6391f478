//! How many appends a second go through the persistence handle, beside the raw fenced statement of the same run.
//!
//! The floor sends batches that were prepared before, over as many connections; the handle is what the conversations'
//! actors submit to, without conversations and sockets. Both store the same rows. Figures are printed and never
//! judged: a machine has good days and bad ones. docs/PERFORMANCE.md says how to run it and what was found.

mod arguments;
mod database;
mod driver;
mod floor;
mod handle;
mod measure;
mod report;
mod round;
mod script;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::database::Database;

/// The server's allocator: the figures must not differ in what they are built from.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // `cargo test --benches` runs this too, to see that it works, and has no minutes to give.
    if !std::env::args().any(|argument| argument == "--bench") {
        say("appends: measures only when run by `cargo bench`, or with --bench");
        return ExitCode::SUCCESS;
    }
    // It fails only when another is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> Result<()> {
    let database = Database::create(&arguments.database_url).await?;
    // On a worker and not on this thread: what a worker spawns it runs itself, without waking another thread.
    let mut work = JoinSet::new();
    let url = database.url();
    work.spawn(async move { measure::run(&arguments, &url).await });
    let outcome = tokio::select! {
        Some(done) = work.join_next() => done.map_err(anyhow::Error::from).flatten(),
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    work.shutdown().await;
    let dropped = database.remove().await;
    outcome.and(dropped)
}

/// A line of a result, to standard output.
fn say(text: &str) {
    // There is nobody left to tell when it is closed.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What is being done now, to standard error.
fn progress(text: &str) {
    let _ = writeln!(std::io::stderr(), "appends: {text}");
}
