//! What goes wrong, and how it is brought about. Each fault ends by itself: when the clients have felt it, or after a
//! while if they do not.
//!
//! [`fault`] has their names, [`store`] what befalls the database, [`nodes`] what befalls nodes, and [`network`] what
//! befalls Redis and the lines between nodes.

mod fault;
mod network;
mod nodes;
mod store;

use std::time::Duration;

use anyhow::{Context as _, Result};
use onya_servers::process::PATIENCE;
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::time::timeout;

pub(crate) use self::fault::Fault;
pub(crate) use self::store::OURS;
use crate::history::{Event, History};
use crate::postgres::Postgres;
use crate::stage::Stage;

/// Longest wait for work to go on after a fault.
pub(crate) const RECOVERY: Duration = PATIENCE;

/// How long faults last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// Until clients feel it; no longer than this.
    pub most: Duration,
    /// A hang or freeze lasts at least so long, longer than the time limits of the server.
    pub hang: Duration,
    /// A node stands still, or is cut off, for at least so long and at most so long.
    pub apart: (Duration, Duration),
    /// Refusals after which clients have felt it.
    pub refusals: usize,
}

/// Brings faults about.
pub(crate) struct Nemesis<'a> {
    pub stage: &'a mut Stage,
    pub dice: StdRng,
    pub lengths: Lengths,
}

impl Nemesis<'_> {
    pub(crate) async fn inject(&mut self, fault: Fault, postgres: Option<&Postgres>) -> Result<()> {
        self.stage.history.note(&Event::Fault { name: fault.name() });
        let node = self.dice.random_range(0..self.stage.nodes.len());
        match fault {
            Fault::KillServer => self.replace(node).await,
            Fault::Namesake => self.namesake(node).await,
            Fault::LockFile => self.lock_file().await,
            Fault::DiskFull if postgres.is_none() => self.fill_small_disk().await,
            _ => {
                let postgres = postgres.with_context(|| format!("{} is a fault of PostgreSQL", fault.name()))?;
                if Fault::NODES.contains(&fault) {
                    self.befall(fault, node, postgres).await
                } else if Fault::NETWORK.contains(&fault) {
                    self.part(fault, node).await
                } else {
                    self.trouble((fault, node), postgres).await
                }
            }
        }?;
        self.stage.history.note(&Event::FaultEnded);
        Ok(())
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
