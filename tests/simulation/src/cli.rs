//! The command line: runs seeds, and says which of them break a promise.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::output::say;
use crate::record::Rare;
use crate::run::{Outcome, Plan, run};
use anyhow::Context as _;
use clap::Parser;

/// Of a seed that breaks promises, so many of them are said.
const SAID: usize = 6;
/// So many seeds must have hit every rare event.
const ENOUGH: usize = 40;

/// Whole nodes in simulated time, from seeds: people talk, things break, and what was promised must hold.
#[derive(Debug, Parser)]
struct Cli {
    /// The seeds: one, or a range such as 1..=1000.
    #[arg(long, default_value = "1..=100", value_parser = seeds)]
    seeds: RangeInclusive<u64>,
    /// For how long things break in each, in seconds of simulated time.
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// Print all that happens. For one seed.
    #[arg(long)]
    trace: bool,
    /// Stop at the first seed that breaks a promise; it is a failure if none does. For the program with planted faults.
    #[arg(long)]
    find: bool,
    /// Print what came of it as JSON. For one seed.
    #[arg(long)]
    json: bool,
    /// Seeds that run at the same time; 0: as many as there are processors.
    #[arg(long, default_value_t = 0)]
    jobs: usize,
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    match text.split_once("..=") {
        Some((first, last)) => {
            let seeds = number(first)?..=number(last)?;
            if seeds.is_empty() { Err("there is no seed in it".to_owned()) } else { Ok(seeds) }
        }
        None => number(text).map(|seed| seed..=seed),
    }
}

/// The program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = if cli.seeds.start() == cli.seeds.end() { one(&cli) } else { many(&cli) };
    outcome.unwrap_or_else(|error| {
        say(&format!("simulation: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Runs a seed in this process.
fn one(cli: &Cli) -> anyhow::Result<ExitCode> {
    let plan = Plan { trouble: Duration::from_secs(cli.seconds), loud: cli.trace, ..Plan::default() };
    let outcome = run(*cli.seeds.start(), &plan);
    if cli.json {
        say(&serde_json::to_string(&outcome)?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut summary = Summary::default();
    summary.take(*cli.seeds.start(), cli.seconds, &outcome);
    say(&format!("trace {:016x}", outcome.digest));
    Ok(summary.tell())
}

/// Runs each seed in a process of its own: the order in which tokio drops tasks follows from how many there have been in the
/// process, so a seed would go otherwise after others.
fn many(cli: &Cli) -> anyhow::Result<ExitCode> {
    let (summary, next) = (Mutex::new(Summary::default()), AtomicU64::new(*cli.seeds.start()));
    let jobs = match cli.jobs {
        0 => thread::available_parallelism().map_or(1, usize::from),
        jobs => jobs,
    };
    thread::scope(|scope| {
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let is_found = cli.find && !lock(&summary).broken.is_empty();
                if seed > *cli.seeds.end() || is_found {
                    return anyhow::Ok(());
                }
                let outcome = elsewhere(seed, cli.seconds)?;
                lock(&summary).take(seed, cli.seconds, &outcome);
            }
        };
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?)
    })?;
    let summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    let found = !summary.broken.is_empty();
    let held = summary.tell();
    Ok(match (cli.find, found) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
        (false, _) => held,
    })
}

fn lock(summary: &Mutex<Summary>) -> MutexGuard<'_, Summary> {
    summary.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a seed in another process.
fn elsewhere(seed: u64, seconds: u64) -> anyhow::Result<Outcome> {
    let (seed, seconds) = (seed.to_string(), seconds.to_string());
    let arguments = ["--seeds", &seed, "--seconds", &seconds, "--json"];
    let ended = Command::new(std::env::current_exe()?).args(arguments).output()?;
    let told = String::from_utf8_lossy(&ended.stderr);
    serde_json::from_slice(&ended.stdout).with_context(|| format!("seed {seed} ended with {}: {told}", ended.status))
}

/// All seeds together.
#[derive(Debug, Default)]
struct Summary {
    seeds: usize,
    broken: Vec<u64>,
    faults: usize,
    sent: usize,
    acked: usize,
    frames: usize,
    simulated: Duration,
    rare: BTreeMap<Rare, usize>,
}

impl Summary {
    fn take(&mut self, seed: u64, seconds: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.faults += outcome.faults;
        self.sent += outcome.sent;
        self.acked += outcome.acked;
        self.frames += outcome.frames;
        self.simulated += outcome.elapsed;
        for (rare, count) in &outcome.rare {
            *self.rare.entry(*rare).or_default() += count;
        }
        if !outcome.broken.is_empty() {
            self.broken.push(seed);
            say(&format!("seed {seed} (trace {:016x}) breaks:", outcome.digest));
            outcome.broken.iter().take(SAID).for_each(|what| say(&format!("  {what}")));
            say(&format!(
                "  again: cargo run -p onya-simulation --bin simulation -- --seeds {seed} --seconds {seconds} --trace"
            ));
        } else if self.seeds.is_multiple_of(100) {
            say(&format!("{} seeds", self.seeds));
        }
    }

    fn tell(&self) -> ExitCode {
        say(&format!(
            "{} seeds, {} of them broken; {:.1} h simulated, {} faults, {} commands, {} acknowledged, {} frames",
            self.seeds,
            self.broken.len(),
            self.simulated.as_secs_f64() / 3_600.0,
            self.faults,
            self.sent,
            self.acked,
            self.frames
        ));
        let counts = Rare::ALL.map(|rare| format!("{rare:?} {}", self.rare.get(&rare).copied().unwrap_or_default()));
        say(&counts.join(", "));
        let missed: Vec<_> = Rare::ALL.into_iter().filter(|rare| !self.rare.contains_key(rare)).collect();
        let is_vacuous = self.seeds >= ENOUGH && !missed.is_empty();
        if is_vacuous {
            say(&format!("never hit, so nothing is shown about it: {missed:?}"));
        }
        if self.broken.is_empty() && !is_vacuous { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
