//! The program `loadtest`: what a socket, a handshake, a message and a token of Onya cost, beside a bare relay.
//!
//! `report` starts everything itself and prints one table; the other subcommands are its parts, against any server.
//! [`measure`] holds one file per measurement, [`relay`] the floor, [`upstream`] the scripted model that both ask. The
//! client must be cheap, since it shares the machine with what it measures.

mod child;
mod cli;
mod clock;
mod cluster;
mod database;
mod figures;
mod freeze;
mod gauge;
mod limits;
mod measure;
mod memory;
mod output;
mod pace;
mod process;
mod relay;
mod report;
mod samples;
mod socket;
mod target;
mod upstream;
mod visitors;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The relay shares Onya's allocator: the floor must not differ in what it is built from.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Everything that speaks TLS uses this one provider. It fails only when another is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = cli::Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            output::progress(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(cli: cli::Cli) -> Result<ExitCode> {
    // On a worker and not on this thread: what a worker spawns it runs itself, without waking another thread.
    let mut work = tokio::task::JoinSet::new();
    work.spawn(cli.run());
    tokio::select! {
        Some(done) = work.join_next() => done?,
        told = told_to_stop() => {
            told?;
            // What was started by it is ended with it.
            work.shutdown().await;
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn told_to_stop() -> Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => Ok(()),
        told = tokio::signal::ctrl_c() => Ok(told?),
    }
}

/// Listens on this machine only: what is served here is for measurements.
async fn listen(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.with_context(|| format!("{address} is taken"))
}
