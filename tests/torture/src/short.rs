//! The short run of the test command: a campaign on each database, and one for each planted fault.
//!
//! It is bounded by what happens and not by time, and asserts promises only. A campaign on the program as it is must find
//! nothing, and every rare event must be hit. One with a planted fault must find it, as the promise that it breaks. Not
//! every campaign meets the moment that an event or a fault needs, so there are more of them, on the next seeds, until one
//! has.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use futures::stream::{self, StreamExt as _};

use crate::campaign::{self, Length, Limits, Plan};
use crate::cli::exit_code;
use crate::nemesis::Fault;
use crate::output::say;
use crate::postgres::Postgres;
use crate::server;

const SEED: u64 = 20_261;
/// Campaigns with planted faults that run side by side.
const SIDE_BY_SIDE: usize = 4;
/// Campaigns in which a planted fault must have come to light, and every rare event must have been hit.
const TRIES: u64 = 6;

/// A planted fault, what brings it to light, and the promise that is then broken.
struct Planted {
    name: &'static str,
    faults: &'static [Fault],
    rounds: usize,
    customers: usize,
    pause: usize,
    promise: u8,
}

const fn planted(name: &'static str, faults: &'static [Fault], rounds: usize, promise: u8) -> Planted {
    Planted { name, faults, rounds, customers: 6, pause: 60, promise }
}

/// They share one PostgreSQL, so a fault here must be one that only its own campaign feels.
const PLANTED: &[Planted] = &[
    planted("exists-fence", &[Fault::Namesake], 4, 6),
    planted("ack-before-commit", &[Fault::CutRequests], 2, 1),
    // The server must have forgotten a command before its repeat reaches the table: few customers say much.
    Planted { customers: 2, pause: 250, ..planted("on-conflict", &[Fault::KillServer], 1, 3) },
    planted("no-dedupe", &[Fault::EatReplies], 2, 2),
    planted("publish-before-commit", &[Fault::CutRequests], 4, 3),
    planted("blind-retry", &[Fault::EatReplies], 5, 2),
    // A reply must come to its end while an agent is in control: much is said before the server is killed.
    Planted { pause: 300, ..planted("final-without-control", &[Fault::KillServer], 1, 9) },
    planted("dropped-audit-row", &[Fault::Hang], 3, 11),
    planted("unchained-entry", &[Fault::KillServer], 1, 11),
];

pub(crate) async fn run() -> Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("onya-torture.").tempdir()?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let onya = server::built("onya", "cargo build -p onya")?;
    let planted = server::built("onya-planted", "cargo build -p onya --features planted --bin onya-planted")?;
    let postgres = Postgres::create(folder.path()).await?;
    let (first, second) = tokio::join!(holds(&onya, folder.path(), Some(&postgres)), holds(&onya, folder.path(), None));
    let mut good = first.context("on postgres")? & second.context("on sqlite")?;
    let campaigns = PLANTED.iter().map(|fault| catch(fault, &planted, folder.path(), &postgres));
    let caught: Vec<Result<bool>> = stream::iter(campaigns).buffer_unordered(SIDE_BY_SIDE).collect().await;
    for caught in caught {
        good &= caught?;
    }
    drop(postgres);
    if !good {
        say(&format!("kept for a look: {}", folder.keep().display()));
    }
    Ok(exit_code(good))
}

/// Runs campaigns until every rare event was hit; each must find nothing.
async fn holds(program: &Path, folder: &Path, postgres: Option<&Postgres>) -> Result<bool> {
    let mut missing = None;
    for seed in SEED..SEED + TRIES {
        let outcome = Box::pin(campaign::run(sound(seed, program, folder, postgres.is_some()), postgres)).await?;
        say(&outcome.to_string());
        if !outcome.violations.is_empty() {
            outcome.violations.iter().take(20).for_each(|violation| say(&format!("  {violation}")));
            say(&format!(
                "again: ./tests/run exec target/debug/torture run --quick --backend {} --seeds {seed}",
                outcome.backend
            ));
            return Ok(false);
        }
        let not_hit = outcome.rare.missing(outcome.backend, outcome.plan.nodes);
        let missing = missing.get_or_insert_with(|| not_hit.clone());
        missing.retain(|name| not_hit.contains(name));
        if missing.is_empty() {
            return Ok(true);
        }
        missing.iter().for_each(|name| say(&format!("  not hit yet: {name}")));
    }
    Ok(false)
}

fn sound(seed: u64, program: &Path, folder: &Path, on_postgres: bool) -> Plan {
    let (name, faults, rounds) =
        if on_postgres { ("postgres", Fault::POSTGRES, 1) } else { ("sqlite", Fault::SQLITE, 3) };
    Plan {
        seed,
        nodes: 1,
        program: program.to_owned(),
        planted: None,
        faults: faults.to_vec(),
        length: Length::Rounds(rounds),
        customers: 6,
        agents: 1,
        pause: 60,
        limits: Limits::QUICK,
        folder: folder.join(format!("{name}-{seed}")),
    }
}

async fn catch(fault: &Planted, program: &Path, folder: &Path, postgres: &Postgres) -> Result<bool> {
    for seed in SEED..SEED + TRIES {
        let plan = Plan {
            seed,
            nodes: 1,
            program: program.to_owned(),
            planted: Some(fault.name.to_owned()),
            faults: fault.faults.to_vec(),
            length: Length::Rounds(fault.rounds),
            customers: fault.customers,
            agents: 1,
            pause: fault.pause,
            limits: Limits::QUICK,
            folder: folder.join(format!("{}-{seed}", fault.name)),
        };
        let outcome = Box::pin(campaign::run(plan, Some(postgres))).await.with_context(|| fault.name)?;
        say(&outcome.to_string());
        if let Some(violation) = outcome.violations.iter().find(|violation| violation.promise == fault.promise) {
            say(&format!("  caught: {violation}"));
            return Ok(true);
        }
    }
    say(&format!("{} was not caught: promise {} is not broken in {TRIES} campaigns", fault.name, fault.promise));
    Ok(false)
}
