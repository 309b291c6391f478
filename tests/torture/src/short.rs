//! The short run of the test command: a campaign on each database, one on several nodes, and one for each planted fault.
//!
//! It is bounded by what happens and not by time, and asserts promises only. A campaign on the program as it is must find
//! nothing, and every rare event must be hit. One with a planted fault must find it, as the promise that it breaks. Not
//! every campaign meets the moment that an event or a fault needs, so there are more of them, on the next seeds, until one
//! has.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use futures::stream::{self, StreamExt as _};
use onya_servers::process::built;

use crate::campaign;
use crate::cli::exit_code;
use crate::nemesis::Fault;
use crate::output::say;
use crate::plan::{Length, Limits, Plan};
use crate::postgres::Postgres;

const SEED: u64 = 20_261;
/// Campaigns with planted faults that run side by side.
const SIDE_BY_SIDE: usize = 4;
/// Campaigns in which a planted fault must have come to light, and every rare event must have been hit.
const TRIES: u64 = 6;

/// What a sound program is put through.
struct Sound {
    name: &'static str,
    nodes: usize,
    faults: &'static [Fault],
    rounds: usize,
}

const ON_POSTGRES: Sound = Sound { name: "postgres", nodes: 1, faults: Fault::POSTGRES, rounds: 1 };
const ON_SQLITE: Sound = Sound { name: "sqlite", nodes: 1, faults: Fault::SQLITE, rounds: 3 };
const ON_NODES: Sound = Sound {
    name: "nodes",
    nodes: NODES,
    faults: &[
        Fault::KillNode,
        Fault::KillMost,
        Fault::FreezeNode,
        Fault::DrainNode,
        Fault::RestartRedis,
        Fault::FreezeRedis,
        Fault::FlushRedis,
        Fault::CutRedis,
        Fault::CutLinks,
        Fault::MuteLinks,
        Fault::PartNodes,
        Fault::Hang,
    ],
    rounds: 1,
};
const NODES: usize = 3;
/// Agents who race for customers on them.
const RACING: usize = 4;

/// A planted fault, what brings it to light, and the promise that is then broken.
struct Planted {
    name: &'static str,
    nodes: usize,
    faults: &'static [Fault],
    rounds: usize,
    customers: usize,
    pause: usize,
    promise: u8,
}

const fn planted(name: &'static str, faults: &'static [Fault], rounds: usize, promise: u8) -> Planted {
    Planted { name, nodes: 1, faults, rounds, customers: 6, pause: 60, promise }
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

/// Of several nodes.
const PLANTED_ON_NODES: &[Planted] = &[
    Planted { nodes: NODES, ..planted("live-owner-robbed", &[Fault::DrainNode, Fault::KillServer], 1, 13) },
    Planted { nodes: NODES, ..planted("stale-read", &[Fault::FreezeNode], 4, 12) },
];

pub(crate) async fn run() -> Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("onya-torture.").tempdir()?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let onya = built("onya", "cargo build -p onya")?;
    let planted = built("onya-planted", "cargo build -p onya --features planted --bin onya-planted")?;
    let postgres = Postgres::create(folder.path(), false).await?;
    let place = (onya.as_path(), folder.path());
    let (first, second) = tokio::join!(holds(&ON_POSTGRES, place, Some(&postgres)), holds(&ON_SQLITE, place, None));
    let mut good = first.context("on postgres")? & second.context("on sqlite")?;
    good &= holds(&ON_NODES, place, Some(&postgres)).await.context("on several nodes")?;
    for (faults, side_by_side) in [(PLANTED, SIDE_BY_SIDE), (PLANTED_ON_NODES, 1)] {
        let campaigns = faults.iter().map(|fault| catch(fault, &planted, folder.path(), &postgres));
        let caught: Vec<Result<bool>> = stream::iter(campaigns).buffer_unordered(side_by_side).collect().await;
        for caught in caught {
            good &= caught?;
        }
    }
    drop(postgres);
    if !good {
        say(&format!("kept for a look: {}", folder.keep().display()));
    }
    Ok(exit_code(good))
}

/// Runs campaigns until every rare event was hit; each must find nothing.
async fn holds(sound: &Sound, (program, folder): (&Path, &Path), postgres: Option<&Postgres>) -> Result<bool> {
    let mut missing = None;
    for seed in SEED..SEED + TRIES {
        let outcome = Box::pin(campaign::run(sound.plan(seed, program, folder), postgres)).await?;
        say(&outcome.to_string());
        if !outcome.violations.is_empty() {
            outcome.violations.iter().take(20).for_each(|violation| say(&format!("  {violation}")));
            say(&format!(
                "again: ./tests/run exec target/debug/torture run --quick --backend {} --nodes {} --seeds {seed}",
                outcome.backend, sound.nodes
            ));
            return Ok(false);
        }
        let not_hit = outcome.rare.missing(outcome.backend, sound.nodes);
        let missing = missing.get_or_insert_with(|| not_hit.clone());
        missing.retain(|name| not_hit.contains(name));
        if missing.is_empty() {
            return Ok(true);
        }
        missing.iter().for_each(|name| say(&format!("  not hit yet: {name}")));
    }
    Ok(false)
}

impl Sound {
    fn plan(&self, seed: u64, program: &Path, folder: &Path) -> Plan {
        Plan {
            seed,
            nodes: self.nodes,
            sentinels: false,
            program: program.to_owned(),
            planted: None,
            faults: self.faults.to_vec(),
            length: Length::Rounds(self.rounds),
            customers: 6,
            agents: if self.nodes > 1 { RACING } else { 1 },
            pause: 60,
            limits: Limits::QUICK,
            folder: folder.join(format!("{}-{seed}", self.name)),
        }
    }
}

async fn catch(fault: &Planted, program: &Path, folder: &Path, postgres: &Postgres) -> Result<bool> {
    for seed in SEED..SEED + TRIES {
        let plan = Plan {
            seed,
            nodes: fault.nodes,
            sentinels: false,
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
