//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use onya_servers::process::built;

use crate::campaign::{self, Outcome};
use crate::nemesis::{Fault, Spares};
use crate::output::say;
use crate::plan::{Length, Limits, Plan};
use crate::postgres::Postgres;
use crate::{report, short};

/// Fault campaigns against the built server.
///
/// Customers and agents talk over sockets, faults strike, everything is recorded, and a checker holds the record against
/// the final tables. Exit codes: 0 nothing was found, 1 something was, or it could not be run, 2 not understood.
#[derive(Debug, Parser)]
#[command(name = "torture", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run campaigns, one for each seed; for example: torture run --seeds 1..=20
    Run(RunArgs),
    /// Run a short campaign on each database, and one for each planted fault, which must be found
    Short,
    /// Check what a campaign has left in a folder once more
    Check(CheckArgs),
}

#[derive(Args, Debug)]
struct RunArgs {
    /// The database
    #[arg(long, value_enum, default_value_t = Backend::Postgres)]
    backend: Backend,
    /// A seed, or a range of seeds such as 1..=20
    #[arg(long, default_value = "1", value_parser = seeds)]
    seeds: std::ops::RangeInclusive<u64>,
    /// Only these faults
    #[arg(long, value_enum, value_delimiter = ',')]
    faults: Vec<Fault>,
    /// Not these faults
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Fault>,
    /// Nodes; more than one have a Redis too
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// Their Redis is a master with a replica and three sentinels, which make it the master when that one is gone
    #[arg(long)]
    sentinels: bool,
    /// PostgreSQL has a standby, for which commits wait
    #[arg(long)]
    standby: bool,
    /// Times that each fault strikes
    #[arg(long, default_value_t = 4)]
    rounds: usize,
    /// Faults strike all the time for so long, in seconds, instead of so many times
    #[arg(long)]
    seconds: Option<u64>,
    /// Customers
    #[arg(long, default_value_t = 12)]
    customers: usize,
    /// Agents [default: 2, and 6 on several nodes, where they race for customers]
    #[arg(long)]
    agents: Option<usize>,
    /// Shorter time limits of the server and hangs of 2 s; without it, its defaults and hangs of 30 s
    #[arg(long)]
    quick: bool,
    /// A program with a planted fault, which must be found: its name, such as ack-before-commit
    #[arg(long, value_name = "NAME")]
    planted: Option<String>,
    /// Where histories, tables, logs and a report.html are kept; without it, only those of a campaign that found something are
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// The campaign's folder, with history.jsonl and tables.json
    folder: PathBuf,
    /// The campaign was not brought to its end, so turns may be open
    #[arg(long)]
    unsettled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backend {
    Postgres,
    Sqlite,
}

impl Limits {
    /// For runs that should be over soon.
    pub(crate) const QUICK: Self = Self {
        statement_ms: 1_000,
        acquire_ms: 800,
        lock_ms: 300,
        hang_ms: 1_000,
        apart_ms: (500, 3_000),
        slow_ms: 125,
        cluster_ms: Some((500, 2_000, 1_000)),
    };
    /// The server's defaults.
    const USUAL: Self = Self {
        statement_ms: 5_000,
        acquire_ms: 3_000,
        lock_ms: 2_000,
        hang_ms: 30_000,
        apart_ms: (2_000, 8_000),
        slow_ms: 500,
        cluster_ms: None,
    };
    /// The same, with hangs that leave time for other faults.
    const PRESSED: Self = Self { hang_ms: 2_000, ..Self::USUAL };
}

impl Cli {
    /// Whether campaigns are run, which may need small disks.
    pub(crate) const fn needs_disks(&self) -> bool {
        !matches!(self.command, Command::Check(_))
    }

    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Run(args) => run(args).await,
            Command::Short => short::run().await,
            Command::Check(args) => {
                let violations = campaign::check_folder(&args.folder, !args.unsettled)?;
                violations.iter().for_each(|violation| say(&violation.to_string()));
                say(&format!("{} violations", violations.len()));
                Ok(exit_code(violations.is_empty()))
            }
        }
    }
}

pub(crate) fn exit_code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(args: RunArgs) -> Result<ExitCode> {
    args.check()?;
    let folder = tempfile::Builder::new().prefix("onya-torture.").tempdir()?;
    // The unprivileged user of PostgreSQL must be able to pass.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let postgres = match args.backend {
        Backend::Postgres => Some(Postgres::create(folder.path(), args.standby).await?),
        Backend::Sqlite => None,
    };
    let (mut good, mut never_hit) = (true, None);
    for seed in args.seeds.clone() {
        let kept = args.keep.as_deref().unwrap_or(folder.path()).join(format!("seed-{seed}"));
        let outcome = campaign::run(args.plan(seed, kept.clone())?, postgres.as_ref()).await;
        if let (Some(_), Ok(outcome)) = (&args.keep, &outcome) {
            report::write(&kept, outcome)?;
        }
        if let Ok(outcome) = &outcome {
            let missing = outcome.rare.missing(outcome.backend, args.nodes);
            never_hit.get_or_insert_with(|| missing.clone()).retain(|name| missing.contains(name));
        }
        good &= tell(&args, seed, outcome);
    }
    // So long as the faults are not counted, the campaigns must have hit everything together.
    if let Some(never_hit) = never_hit.filter(|_| args.is_whole() && args.seconds.is_some()) {
        never_hit.iter().for_each(|name| say(&format!("not hit in any campaign: {name}")));
        good &= never_hit.is_empty();
    }
    drop(postgres);
    if !good && args.keep.is_none() {
        say(&format!("kept for a look: {}", folder.keep().display()));
    }
    Ok(exit_code(good))
}

/// Prints how it went and, if something was found, how to do it again; whether all is well.
fn tell(args: &RunArgs, seed: u64, outcome: Result<Outcome>) -> bool {
    let good = match &outcome {
        Ok(outcome) => {
            say(&outcome.to_string());
            outcome.violations.iter().take(20).for_each(|violation| say(&format!("  {violation}")));
            args.ledger_row(outcome).iter().for_each(|row| say(row));
            let must_hit = args.is_whole() && args.seconds.is_none();
            let missing = if must_hit { outcome.rare.missing(outcome.backend, args.nodes) } else { Vec::new() };
            missing.iter().for_each(|name| say(&format!("  not hit: {name}")));
            outcome.violations.is_empty() != args.planted.is_some() && missing.is_empty()
        }
        Err(error) => {
            say(&format!("seed {seed}: {error:#}"));
            false
        }
    };
    if !good {
        say(&format!("again: {}", args.replay(seed)));
    }
    good
}

impl RunArgs {
    /// Refuses what cannot be.
    fn check(&self) -> Result<()> {
        anyhow::ensure!(
            self.nodes > 1 || !self.sentinels,
            "--sentinels is for several nodes: a single one has no Redis"
        );
        anyhow::ensure!(self.backend == Backend::Postgres || !self.standby, "--standby is for PostgreSQL");
        for fault in &self.faults {
            let missing = fault.needs(self.spares());
            anyhow::ensure!(missing.is_none(), "{} needs {}", fault.name(), missing.unwrap_or_default());
        }
        Ok(())
    }

    fn faults(&self) -> Vec<Fault> {
        let all = match self.backend {
            Backend::Postgres => Fault::of_nodes(self.nodes, self.spares()),
            Backend::Sqlite => Fault::SQLITE.to_vec(),
        };
        let wanted = if self.faults.is_empty() { all } else { self.faults.clone() };
        wanted.into_iter().filter(|fault| !self.without.contains(fault)).collect()
    }

    fn agents(&self) -> usize {
        self.agents.unwrap_or(if self.nodes > 1 { 6 } else { 2 })
    }

    /// Whether all faults strike a sound program: then every rare event must have been hit.
    const fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.without.is_empty() && self.planted.is_none()
    }

    fn plan(&self, seed: u64, folder: PathBuf) -> Result<Plan> {
        let program = match &self.planted {
            None => built("onya", "cargo build -p onya")?,
            Some(_) => built("onya-planted", "cargo build -p onya --features planted --bin onya-planted")?,
        };
        Ok(Plan {
            seed,
            nodes: self.nodes,
            sentinels: self.sentinels,
            program,
            planted: self.planted.clone(),
            faults: self.faults(),
            length: self.seconds.map_or(Length::Rounds(self.rounds), |s| Length::Time(Duration::from_secs(s))),
            customers: self.customers,
            agents: self.agents(),
            pause: 60,
            limits: match (self.quick, self.seconds) {
                (true, _) => Limits::QUICK,
                (false, Some(_)) => Limits::PRESSED,
                (false, None) => Limits::USUAL,
            },
            folder,
        })
    }

    /// The row of a long campaign in the ledger of docs/RELIABILITY.md.
    fn ledger_row(&self, outcome: &Outcome) -> Option<String> {
        let (seconds, counts) = (self.seconds?, outcome.counts);
        let asked = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
        let commit = asked.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
        Some(format!(
            "| `torture run --nodes {} --seconds {seconds}{}` | {} | PostgreSQL | {} | {} | {} | {} | {} |",
            self.nodes,
            self.behind(),
            commit.trim(),
            outcome.plan.seed,
            counts.faults,
            counts.sent,
            counts.acked,
            outcome.violations.len()
        ))
    }

    const fn spares(&self) -> Spares {
        Spares { sentinels: self.sentinels, standby: self.standby }
    }

    fn behind(&self) -> String {
        let options = [(self.sentinels, " --sentinels"), (self.standby, " --standby")];
        options.into_iter().filter_map(|(is_given, option)| is_given.then_some(option)).collect()
    }

    /// The command that runs one seed again.
    fn replay(&self, seed: u64) -> String {
        let names = |faults: Vec<Fault>| faults.into_iter().map(Fault::name).collect::<Vec<_>>().join(",");
        let backend = if self.backend == Backend::Postgres { "postgres" } else { "sqlite" };
        let nodes = if self.nodes > 1 { format!(" --nodes {}", self.nodes) } else { String::new() };
        let behind = self.behind();
        let length = self.seconds.map_or_else(|| format!("--rounds {}", self.rounds), |s| format!("--seconds {s}"));
        let quick = if self.quick { " --quick" } else { "" };
        let planted = self.planted.as_ref().map(|name| format!(" --planted {name}")).unwrap_or_default();
        format!(
            "./tests/run exec target/debug/torture run --backend {backend}{nodes}{behind} --seeds {seed} {length} \
             --customers {} --agents {} --faults {}{quick}{planted} --keep FOLDER",
            self.customers,
            self.agents(),
            names(self.faults()),
        )
    }
}

fn seeds(text: &str) -> Result<std::ops::RangeInclusive<u64>, std::num::ParseIntError> {
    match text.split_once("..=") {
        Some((first, last)) => Ok(first.parse()?..=last.parse()?),
        None => text.parse().map(|seed| seed..=seed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Result<(), String> {
        let Command::Run(args) = Cli::parse_from(line.split(' ')).command else { return Err("not a run".to_owned()) };
        args.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_needs_a_spare_or_a_line_to_redis_is_refused_without() {
        let sentinels = "torture run --nodes 3 --sentinels";
        assert_eq!(checked(sentinels), Ok(()));
        assert_eq!(checked(&format!("{sentinels} --faults fail-over-redis,freeze-redis")), Ok(()));
        assert_eq!(checked("torture run --nodes 3 --faults cut-redis"), Ok(()));
        assert_eq!(checked("torture run --standby --faults fail-over-postgres"), Ok(()));
        for (line, named) in [
            ("torture run --sentinels", "--sentinels"),
            ("torture run --nodes 3 --sentinels --faults hang,cut-redis", "cut-redis needs a line"),
            ("torture run --nodes 3 --faults fail-over-redis", "--sentinels"),
            ("torture run --nodes 3 --faults fail-over-postgres", "--standby"),
            ("torture run --backend sqlite --standby", "--standby"),
        ] {
            assert!(checked(line).is_err_and(|error| error.contains(named)), "{line}");
        }
    }
}
