//! The program `torture`: proves from outside, on real processes, that nothing acknowledged is lost whatever is killed.
//!
//! [`campaign`] is the play and [`plan`] says what it tries: [`customer`] and [`agent`], who make up the [`cast`] with a
//! customer who is [`forsaken`], talk to the server over sockets and note in the [`history`] what they did and saw, the
//! [`nemesis`] breaks things, [`check`] holds history and final [`tables`] against the promises, and [`rare`] counts whether
//! the events were hit that make a campaign worth something. [`stage`] has the nodes, what lies between them and their
//! [`clock`]s, [`pulse`] whether the machine keeps up, [`recovery`] how long conversations of killed nodes waited,
//! [`report`] draws it all, [`audit`] has the program anchor and verify its chains, and [`unsettled`] says why a campaign
//! does not come to its end. It knows nothing of the server but its
//! protocol, its tables and its log; no promise is kept here.
//! `docs/RELIABILITY.md` says how to run it and what has been run.

mod agent;
mod audit;
mod campaign;
mod cast;
mod check;
mod cli;
mod clock;
mod customer;
mod disk;
mod forsaken;
mod history;
mod line;
mod nemesis;
mod node;
mod output;
mod plan;
mod postgres;
mod proxy;
mod pulse;
mod rare;
mod recovery;
mod redis;
mod report;
mod scene;
mod server;
mod short;
mod socket;
mod stage;
mod tables;
mod unsettled;
mod way;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    // Everything that speaks TLS uses this one provider. It fails only when another is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = cli::Cli::parse();
    let inside = if cli.needs_disks() { disk::enter_namespace() } else { Ok(()) };
    match inside.and_then(|()| run(cli)) {
        Ok(code) => code,
        Err(error) => {
            output::say(&format!("torture: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    tokio::select! {
        done = Box::pin(cli.run()) => done,
        // What was started is ended with what started it.
        told = told_to_stop() => told.map(|()| ExitCode::FAILURE),
    }
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => Ok(()),
        told = tokio::signal::ctrl_c() => Ok(told?),
    }
}
