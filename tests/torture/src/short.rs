//! The short run of the test command: a campaign on each database, and one for each planted fault.
//!
//! It is bounded by what happens and not by time, and asserts promises only. A campaign on the program as it is must find
//! nothing and must have hit every rare event; one with a planted fault must find it, as the promise that it breaks.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use futures::stream::{self, StreamExt as _};

use crate::campaign::{self, Limits, Outcome, Plan};
use crate::cli::exit_code;
use crate::nemesis::Fault;
use crate::output::say;
use crate::postgres::Postgres;
use crate::server;

const SEED: u64 = 20_261;
/// Campaigns with planted faults that run side by side.
const SIDE_BY_SIDE: usize = 4;

/// A planted fault, the faults that bring it to light, and the promises of which one is then broken.
struct Planted {
    name: &'static str,
    faults: &'static [Fault],
    rounds: usize,
    promises: &'static [u8],
}

const PLANTED: &[Planted] = &[
    Planted { name: "ack-before-commit", faults: &[Fault::CutRequests], rounds: 3, promises: &[1] },
    Planted { name: "exists-fence", faults: &[Fault::Namesake], rounds: 4, promises: &[6] },
    Planted { name: "on-conflict", faults: &[Fault::EatReplies], rounds: 3, promises: &[3] },
    Planted { name: "no-dedupe", faults: &[Fault::EatReplies], rounds: 3, promises: &[2] },
    Planted { name: "publish-before-commit", faults: &[Fault::CutRequests], rounds: 4, promises: &[3] },
    Planted { name: "blind-retry", faults: &[Fault::EatReplies], rounds: 5, promises: &[2] },
    Planted { name: "final-without-control", faults: &[Fault::KillServer], rounds: 2, promises: &[9] },
];

pub(crate) async fn run() -> Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("onya-torture.").tempdir()?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let onya = server::built("onya", "cargo build -p onya")?;
    let planted = server::built("onya-planted", "cargo build -p onya --features planted --bin onya-planted")?;
    let postgres = Postgres::create(folder.path()).await?;
    let (first, second) = tokio::join!(
        Box::pin(campaign::run(sound(&onya, folder.path(), Fault::POSTGRES), Some(&postgres))),
        Box::pin(campaign::run(sound(&onya, folder.path(), Fault::SQLITE), None)),
    );
    let mut good = is_sound(first.context("on postgres")?) & is_sound(second.context("on sqlite")?);
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

fn sound(program: &Path, folder: &Path, faults: &[Fault]) -> Plan {
    let (name, rounds) = if faults == Fault::POSTGRES { ("postgres", 1) } else { ("sqlite", 3) };
    Plan {
        seed: SEED,
        program: program.to_owned(),
        planted: None,
        faults: faults.to_vec(),
        rounds,
        customers: 6,
        agents: 1,
        pause: 60,
        limits: Limits::QUICK,
        folder: folder.join(format!("{name}-campaign")),
    }
}

fn is_sound(outcome: Outcome) -> bool {
    say(&outcome.to_string());
    outcome.violations.iter().take(20).for_each(|violation| say(&format!("  {violation}")));
    let missing = outcome.rare.missing(outcome.backend);
    missing.iter().for_each(|name| say(&format!("  not hit: {name}")));
    let good = outcome.violations.is_empty() && missing.is_empty();
    if !good {
        say(&format!(
            "again: ./tests/run exec target/debug/torture run --quick --backend {} --seeds {}",
            outcome.backend, outcome.plan.seed
        ));
    }
    good
}

async fn catch(fault: &Planted, program: &Path, folder: &Path, postgres: &Postgres) -> Result<bool> {
    let plan = Plan {
        seed: SEED,
        program: program.to_owned(),
        planted: Some(fault.name.to_owned()),
        faults: fault.faults.to_vec(),
        rounds: fault.rounds,
        customers: 6,
        agents: 1,
        pause: 60,
        limits: Limits::QUICK,
        folder: folder.join(fault.name),
    };
    let outcome = Box::pin(campaign::run(plan, Some(postgres))).await.with_context(|| fault.name)?;
    let caught = outcome.violations.iter().any(|violation| fault.promises.contains(&violation.promise));
    say(&outcome.to_string());
    match outcome.violations.first() {
        Some(violation) => say(&format!("  {violation}")),
        None => say("  the checker found nothing"),
    }
    Ok(caught)
}
