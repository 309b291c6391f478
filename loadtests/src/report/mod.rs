//! Everything in one run: starts Onya, the scripted model and the bare relay, measures, ends them, prints one table.
//!
//! Each measurement has an Onya of its own on fresh data, so that none inherits the memory of the one before. The relay
//! is measured right after it, on the same machine in the same minute. [`plan`] says what is measured, [`servers`] how
//! the processes are started and ended, [`table`] holds the marks.

mod plan;
pub(crate) mod servers;
pub(crate) mod table;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::plan::Sizes;
use self::table::Row;
use crate::figures::Figures;
use crate::output::{self, progress};

/// Everything in one run.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReportArgs {
    /// The server to measure, a release build: cargo build --release --bin onya
    #[arg(long, default_value = "target/release/onya", value_name = "FILE")]
    onya_bin: PathBuf,
    /// A Postgres whose role may create databases; each measurement has one of its own. Without it: SQLite
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// A few sockets and a few seconds: shows that everything works, and measures nothing
    #[arg(long)]
    quick: bool,
    /// Only these measurements
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Length of the churn, in minutes
    #[arg(long, default_value_t = 10.0)]
    churn_minutes: f64,
}

/// A measurement of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// 5,000 idle sockets, conversations not in memory
    Idle,
    /// 19,000 idle sockets, conversations not in memory
    Idle19k,
    /// 5,000 idle sockets, each with a live actor and four messages
    Live,
    /// Handshakes, hellos and closes
    Handshake,
    /// 1,000 streamed replies at once
    Stream,
    /// 1,000 messages per second
    Ack,
    /// Ten minutes of customers who come and go
    Churn,
}

/// What a measurement adds to the report.
struct Finding {
    rows: Vec<Row>,
    /// Of Onya and, if it can be measured so, of the relay.
    figures: Vec<(&'static str, Figures)>,
}

#[derive(Serialize)]
struct Json<'a> {
    rows: &'a [Row],
    figures: Vec<(&'static str, Figures)>,
}

/// Runs the report and gives whether everything was correct; marks that are missed are shown, and are no failure.
pub(crate) async fn run(args: ReportArgs, json: bool) -> Result<bool> {
    ensure!(args.onya_bin.exists(), "no {}: cargo build --release --bin onya", args.onya_bin.display());
    let bin = std::path::absolute(&args.onya_bin)?;
    let sizes = if args.quick { Sizes::quick() } else { Sizes::full(args.churn_minutes) };
    let plan = plan::Plan { bin, database_url: args.database_url.clone(), sizes };
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for part in Part::value_variants() {
        if args.only.is_empty() || args.only.contains(part) {
            progress(&format!("report: {part:?}"));
            let mut finding = Box::pin(plan.measure(*part)).await?;
            if args.quick {
                finding.rows.iter_mut().for_each(Row::unmark);
            }
            rows.extend(finding.rows);
            figures.extend(finding.figures);
        }
    }
    let correct = figures.iter().all(|(_, figures)| figures.problems.is_empty());
    if json {
        output::line(&serde_json::to_string(&Json { rows: &rows, figures })?)?;
    } else {
        for (of, figures) in &figures {
            output::line(&format!("{of}: {}", figures.text()))?;
        }
        output::line(table::text(&rows, "bare relay").trim_end())?;
    }
    Ok(correct)
}
