//! The command line.

use clap::Parser;

use crate::memory::Held;

/// Placement and membership with many pods: the real code in one process, without servers and sockets but for the links.
///
/// Figures go to standard output as Markdown, progress to standard error. Linux.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo bench -p onya --bench scale --", max_term_width = 100)]
pub(crate) struct Arguments {
    /// Sizes of the cluster
    #[arg(long, value_delimiter = ',', default_values_t = [3, 20, 100, 1000], value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub pods: Vec<u32>,
    /// Conversations that are placed
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub conversations: u32,
    /// Conversations that a roll-out of all pods is followed with
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub followed: u32,
    /// Rows of a directory that are held to see what they take
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub rows: u32,
    /// Links that are held to see what they take, both ends in this process
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=250))]
    pub links: u32,
    /// Simulated seconds that the members are watched for
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Only these parts
    #[arg(long, value_delimiter = ',', value_enum)]
    pub only: Vec<Part>,
    /// Hold something and print how many bytes one of it takes; what this bench starts itself for
    #[arg(long, hide = true, requires = "count")]
    pub hold: Option<Held>,
    /// How much of it
    #[arg(long, hide = true)]
    pub count: Option<u32>,
    /// Given by Cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    Ring,
    Moves,
    Membership,
    Directory,
    Links,
}

impl Arguments {
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}
