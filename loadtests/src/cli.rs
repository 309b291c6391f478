//! The command line.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::cluster::{self, ClusterArgs};
use crate::measure::{ack, churn, hall, handshake, history, idle, paused, stream};
use crate::relay::{self, RelayArgs};
use crate::report::{self, ReportArgs};
use crate::upstream::{self, UpstreamArgs};
use crate::{limits, memory, output};

/// Load client for Onya.
///
/// `report` starts a server, a model and a bare relay by itself, measures both and prints one table. The other commands
/// measure one thing against any server. Results go to standard output, progress to standard error. Exit codes: 0
/// measured and correct, 1 failed or wrong, 2 not understood.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print figures as JSON, one line per measurement
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure everything in one run, starting and ending all servers
    Report(ReportArgs),
    /// Measure several nodes as one service, starting and ending all servers
    Cluster(ClusterArgs),
    /// Serve the bare relay: the floor that Onya is measured against
    Relay(RelayArgs),
    /// Serve a scripted model at an exact pace, as OpenAI's chat completions
    Upstream(UpstreamArgs),
    /// Memory of an idle socket
    Idle(idle::IdleArgs),
    /// CPU time of a handshake, a hello and a close
    Handshake(handshake::HandshakeArgs),
    /// Replies streamed to many sockets: CPU per token, time to first token, completeness
    Stream(stream::StreamArgs),
    /// Time to a durable acknowledgement, and CPU per message
    Ack(ack::AckArgs),
    /// Memory while customers come, chat and go
    Churn(churn::ChurnArgs),
    /// Pages, activations and transcripts of a short conversation and of a long one
    History(history::HistoryArgs),
    /// Memory and messages while the server's Postgres stands still
    Paused(paused::PausedArgs),
    /// Hold sockets for another process of this program, which says which on standard input
    #[command(hide = true)]
    Hold(hall::HoldArgs),
    /// Touch memory for another process of this program
    #[command(hide = true, name = memory::TOUCH)]
    Touch,
}

impl Cli {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        limits::raise();
        let figures = match self.command {
            Command::Relay(args) => return relay::run(args).await.map(|()| ExitCode::SUCCESS),
            Command::Upstream(args) => return upstream::run(args).await.map(|()| ExitCode::SUCCESS),
            Command::Report(args) => return report::run(args, self.json).await.map(exit_code),
            Command::Cluster(args) => return cluster::run(args, self.json).await.map(exit_code),
            Command::Touch => {
                memory::touch();
                return Ok(ExitCode::SUCCESS);
            }
            Command::Hold(args) => return hall::hold(args).await.map(|()| ExitCode::SUCCESS),
            Command::Idle(args) => idle::run(args).await?,
            Command::Handshake(args) => handshake::run(args).await?,
            Command::Stream(args) => stream::run(args).await?,
            Command::Ack(args) => ack::run(args).await?,
            Command::Churn(args) => churn::run(args).await?,
            Command::History(args) => history::run(args).await?,
            Command::Paused(args) => paused::run(args).await?,
        };
        output::figures(&figures, self.json)?;
        Ok(exit_code(figures.problems.is_empty()))
    }
}

fn exit_code(correct: bool) -> ExitCode {
    if correct { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
