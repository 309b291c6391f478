//! The command line.

use clap::Parser;
use onya_actors::Settings;

/// Appends submitted at the persistence handle, beside the raw fenced statement of the same run.
///
/// Makes a database of its own and drops it at the end. Figures go to standard output, progress to standard error.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo bench -p onya --bench appends --", max_term_width = 100)]
pub(crate) struct Arguments {
    /// `postgres://…` of a role that may create databases, on this machine
    #[arg(long, env = "ONYA_BENCH_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Conversations, each with one append on its way at any time
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub conversations: u32,
    /// Connections of the floor, and lanes of the handle
    #[arg(long, default_value_t = Settings::default().lanes)]
    pub lanes: usize,
    /// Most entries in one batch
    #[arg(long, default_value_t = Settings::default().batch_entries)]
    pub max_batch_rows: usize,
    /// About how long one round of the floor takes; a round of the handle stores the same rows
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Rounds of the handle; the floor has one more, since each lies between two of its rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Measure only the handle, for each number of lanes with each size of batch, once in each round
    #[arg(long)]
    pub sweep: bool,
    /// Numbers of lanes for --sweep
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8])]
    pub sweep_lanes: Vec<usize>,
    /// Most entries in one batch for --sweep
    #[arg(long, value_delimiter = ',', default_values_t = [16, 64, 256, 512, 1024])]
    pub sweep_rows: Vec<usize>,
    /// Conversations for the light load of --sweep
    #[arg(long, default_value_t = 32)]
    pub light: usize,
    /// Given by Cargo
    #[arg(long, hide = true)]
    bench: bool,
}
