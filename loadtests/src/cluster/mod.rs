//! Several nodes as one service: what a node between costs, and what customers see when one drains or dies.
//!
//! Each measurement starts a Redis and nodes of its own, as they are configured by default, on a database of its own.
//! [`nodes`] starts and ends them. Customers behave as the client for browsers does: [`connection`] replaces sockets by
//! its rules, [`customer`] says things and keeps them until they have an outcome, and a [`balancer`] picks the node, as
//! a proxy does that knows who is ready.

mod balancer;
mod connection;
mod crowd;
mod customer;
mod drain;
mod herd;
mod kill;
mod nodes;
mod relay;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::nodes::Setup;
use crate::figures::Figures;
use crate::output::{self, progress};
use crate::report::table::{self, Row};

/// Several nodes as one service.
#[derive(Args, Clone, Debug)]
pub(crate) struct ClusterArgs {
    /// The server to measure, a release build: cargo build --release --bin onya
    #[arg(long, default_value = "target/release/onya", value_name = "FILE")]
    onya_bin: PathBuf,
    /// A Postgres whose role may create databases; each measurement has one of its own
    #[arg(long, value_name = "URL")]
    database_url: String,
    /// Redis, of which each measurement starts one
    #[arg(long, default_value = "redis-server", value_name = "PATH")]
    redis_server: PathBuf,
    /// A few sockets and a few seconds: shows that everything works, and measures nothing
    #[arg(long)]
    quick: bool,
    /// Only these measurements
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// A measurement of several nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU of tokens and messages through another node, beside the local path
    Relay,
    /// A node is told to stop under load, one of three
    Drain,
    /// One of three nodes is killed, and two of three
    Kill,
    /// The node that has all sockets is killed, one of three
    Herd,
}

/// What a measurement adds to the report.
struct Finding {
    rows: Vec<Row>,
    figures: Vec<Figures>,
}

#[derive(Serialize)]
struct Json<'a> {
    rows: &'a [Row],
    figures: &'a [Figures],
}

/// Measures and gives whether everything was correct; marks that are missed are shown, and are no failure.
pub(crate) async fn run(args: ClusterArgs, json: bool) -> Result<bool> {
    ensure!(args.onya_bin.exists(), "no {}: cargo build --release --bin onya", args.onya_bin.display());
    let bin = std::path::absolute(&args.onya_bin)?;
    let setup = Setup { bin, redis: args.redis_server.clone(), database: args.database_url.clone() };
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for part in Part::value_variants() {
        if args.only.is_empty() || args.only.contains(part) {
            progress(&format!("cluster: {part:?}"));
            let mut finding = Box::pin(measure(&setup, *part, args.quick)).await?;
            if args.quick {
                finding.rows.iter_mut().for_each(Row::unmark);
            }
            rows.extend(finding.rows);
            figures.extend(finding.figures);
        }
    }
    if json {
        output::line(&serde_json::to_string(&Json { rows: &rows, figures: &figures })?)?;
    } else {
        for figures in &figures {
            output::line(figures.text().trim_end())?;
        }
        output::line(table::text(&rows, "beside").trim_end())?;
    }
    Ok(figures.iter().all(|figures| figures.problems.is_empty()))
}

async fn measure(setup: &Setup, part: Part, quick: bool) -> Result<Finding> {
    match part {
        Part::Relay => relay::measure(setup, relay::Shape::of(quick)).await,
        Part::Drain => drain::measure(setup, drain::Shape::of(quick)).await,
        Part::Kill => kill::measure(setup, kill::Shape::of(quick)).await,
        Part::Herd => herd::measure(setup, herd::Shape::of(quick)).await,
    }
}
