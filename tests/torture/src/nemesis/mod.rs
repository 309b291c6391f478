//! What goes wrong, and how it is brought about. Each fault ends by itself: when the clients have felt it, or after a
//! while if they do not. On several nodes now and then a second one strikes while the first lasts.
//!
//! [`fault`] has their names and which may meet, [`hold`] those that last, [`store`] what befalls the database, [`nodes`]
//! what befalls nodes, and [`redis`] what befalls Redis.

mod fault;
mod hold;
mod nodes;
mod redis;
mod store;

use std::time::Duration;

use anyhow::{Context as _, Result};
use onya_servers::process::PATIENCE;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use tokio::time::{sleep, timeout};

pub(crate) use self::fault::{Fault, Spares};
pub(crate) use self::store::OURS;
use crate::history::{Event, History};
use crate::postgres::Postgres;
use crate::stage::Stage;

/// Longest wait for work to go on after a fault.
pub(crate) const RECOVERY: Duration = PATIENCE;
/// Of so many faults that last and may be met by another one, one is.
const TWO_AT_ONCE: u32 = 3;

/// How long faults last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// Until clients feel it; no longer than this.
    pub most: Duration,
    /// A hang or freeze lasts at least so long, longer than the time limits of the server.
    pub hang: Duration,
    /// A node stands still, or is cut off, for at least so long and at most so long.
    pub apart: (Duration, Duration),
    /// Slow lines are slower by so much in each direction, at most.
    pub slow: Duration,
    /// Refusals after which clients have felt it.
    pub refusals: usize,
}

/// Brings faults about.
pub(crate) struct Nemesis<'a> {
    pub stage: &'a mut Stage,
    /// Those that may strike.
    pub faults: &'a [Fault],
    pub dice: StdRng,
    pub lengths: Lengths,
    /// The node that another fault has befallen already.
    spared: Option<usize>,
}

impl<'a> Nemesis<'a> {
    pub(crate) const fn new(stage: &'a mut Stage, faults: &'a [Fault], dice: StdRng, lengths: Lengths) -> Self {
        Self { stage, faults, dice, lengths, spared: None }
    }

    /// Brings a fault about, on several nodes now and then with another one while it lasts.
    pub(crate) async fn inject(&mut self, fault: Fault, postgres: Option<&Postgres>) -> Result<()> {
        let node = self.place(fault, postgres).await?;
        match (postgres, self.second(fault)) {
            (Some(postgres), Some(second)) => Box::pin(self.meet((fault, node), second, postgres)).await,
            _ => self.strike((fault, node), postgres).await,
        }
    }

    /// The fault that strikes while another one lasts, if one does this time.
    fn second(&mut self, first: Fault) -> Option<Fault> {
        let allowed: Vec<Fault> =
            first.may_meet().iter().copied().filter(|second| self.faults.contains(second)).collect();
        let meets = self.stage.nodes.len() > 1 && !allowed.is_empty() && self.dice.random_ratio(1, TWO_AT_ONCE);
        if meets { allowed.choose(&mut self.dice).copied() } else { None }
    }

    /// Begins one, brings another one about, and ends the first when its time is over.
    async fn meet(&mut self, first: (Fault, usize), second: Fault, postgres: &Postgres) -> Result<()> {
        let history = self.stage.history.clone();
        history.note(&Event::Fault { name: first.0.name() });
        let let_go = self.hold(first, postgres).await?;
        let (lasts, after) = (self.lasts(first.0), self.dice.random_range(Duration::ZERO..=self.lengths.apart.0 / 2));
        let ends = async {
            lasts.await;
            let_go();
            history.note(&Event::FaultEnded { name: first.0.name() });
        };
        let strikes = async {
            sleep(after).await;
            self.spared = first.0.befalls_one().then_some(first.1);
            let node = self.place(second, Some(postgres)).await?;
            let struck = self.strike((second, node), Some(postgres)).await;
            self.spared = None;
            struck.with_context(|| format!("{} meanwhile", second.name()))
        };
        tokio::join!(ends, strikes).1
    }

    async fn strike(&mut self, (fault, node): (Fault, usize), postgres: Option<&Postgres>) -> Result<()> {
        self.stage.history.note(&Event::Fault { name: fault.name() });
        match fault {
            Fault::KillServer => self.replace(node).await,
            Fault::Namesake => self.namesake(node).await,
            Fault::LockFile => self.lock_file().await,
            Fault::DiskFull if postgres.is_none() => self.fill_small_disk().await,
            Fault::RestartRedis | Fault::FlushRedis | Fault::FailOverRedis => self.forget(fault).await,
            _ => {
                let postgres = postgres.with_context(|| format!("{} is a fault of PostgreSQL", fault.name()))?;
                if fault.lasts() {
                    let let_go = self.hold((fault, node), postgres).await?;
                    self.lasts(fault).await;
                    let_go();
                    Ok(())
                } else if Fault::NODES.contains(&fault) {
                    self.befall(fault, node, postgres).await
                } else {
                    self.trouble((fault, node), postgres).await
                }
            }
        }?;
        self.stage.history.note(&Event::FaultEnded { name: fault.name() });
        Ok(())
    }

    /// The node that a fault befalls: for what befalls nodes, one that owns conversations.
    async fn place(&mut self, fault: Fault, postgres: Option<&Postgres>) -> Result<usize> {
        let mut nodes: Vec<usize> = (0..self.stage.nodes.len()).filter(|node| Some(*node) != self.spared).collect();
        let any = nodes[self.dice.random_range(0..nodes.len())];
        if let Some(postgres) = postgres.filter(|_| Fault::NODES.contains(&fault)) {
            let owners = self.owners(postgres).await?;
            nodes.retain(|node| owners.contains(node));
            return Ok(nodes.choose(&mut self.dice).copied().unwrap_or(any));
        }
        Ok(any)
    }

    /// How long a node is apart this time.
    fn apart(&mut self) -> Duration {
        let (least, most) = self.lengths.apart;
        self.dice.random_range(least..=most)
    }
}

/// Waits until clients have been told that something is wrong, which they are sooner or later.
async fn felt(history: &History, lengths: Lengths) {
    let before = history.counts();
    let felt = history.until(|counts| counts.put_off >= before.put_off + lengths.refusals);
    // If nobody feels it, nothing was broken either.
    let _ = timeout(lengths.most, felt).await;
}
