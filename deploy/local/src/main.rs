//! The program `onya-local`: a cluster on one machine, to watch it heal.
//!
//! [`cluster`] has the processes, all in one private folder: PostgreSQL, Redis, nginx as in `deploy/nginx`, and nodes. Twice a
//! second [`watch`] looks at them and gives a [`look`]; [`model`] makes rows and events of two of those, and knows neither
//! clock nor I/O. [`screen`] draws them in a terminal, [`table`] writes them as lines. A [`command`] comes from a key or from
//! a line of standard input. [`traffic`] has customers of our own. `docs/LOCAL_CLUSTER.md` says what there is to see.

mod cluster;
mod command;
mod look;
mod model;
mod programs;
mod screen;
mod session;
mod table;
mod traffic;
mod watch;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::cluster::Cluster;
use crate::programs::{Programs, Where};
use crate::session::{Session, greeting};

/// Starts PostgreSQL, Redis, nginx and some nodes on this machine, and shows in the terminal what they do.
///
/// Everything ends with this program, and leaves nothing behind.
#[derive(Debug, Parser)]
#[command(name = "onya-local", version, max_term_width = 100)]
struct Cli {
    /// Nodes at first
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// The port of 127.0.0.1 for browsers; 0 for any
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// How many customers of our own there are when they are let in
    #[arg(long, default_value_t = 12)]
    customers: usize,
    /// Let them in at once
    #[arg(long)]
    traffic: bool,
    /// Without a terminal: print the table each second and what happens, take commands from standard input, such as
    /// `kill node-2` or `quit`, and end after so many seconds
    #[arg(long, value_name = "SECONDS")]
    headless: Option<u64>,
    #[command(flatten)]
    programs: Where,
}

fn main() -> ExitCode {
    // Everything that speaks TLS uses this one provider. It fails only when another is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    // One thread: the kernel ends our processes when the thread that started them ends.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.map_err(Into::into).and_then(|runtime| {
        let ended = runtime.block_on(Box::pin(run(&cli)));
        // A read of standard input that nobody waits for any more is not waited for.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr().lock(), "onya-local: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<()> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    anyhow::ensure!(is_terminal || cli.headless.is_some(), "this is no terminal; see --headless");
    let mut cluster = Cluster::new(Programs::find(&cli.programs).await?, cli.port)?;
    let shown = tokio::select! {
        shown = show(cli, &mut cluster) => shown,
        told = told_to_stop() => told,
    };
    if cli.headless.is_none() {
        ratatui::restore();
    }
    let stopped = cluster.stop().await;
    shown.and(stopped)
}

async fn show(cli: &Cli, cluster: &mut Cluster) -> Result<()> {
    say(&format!("Starting in {} …", cluster.folder().display()));
    cluster.start(cli.nodes.into()).await?;
    let greeting = greeting(cluster).await?;
    say(&greeting);
    let mut session = Session::new(cluster, cli.customers).await?;
    if cli.traffic {
        session.toggle_traffic();
    }
    match cli.headless {
        Some(seconds) => session.print(cluster, seconds).await,
        None => session.draw(cluster, greeting).await,
    }
}

async fn told_to_stop() -> Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = term.recv() => Ok(()),
        _ = hang_up.recv() => Ok(()),
        told = tokio::signal::ctrl_c() => Ok(told?),
    }
}

/// Writes a line to standard output. A reader that has gone away is no failure.
fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
