//! All customers of a measurement: who does what on which node, from their arrival until they have left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::balancer::Balancer;
use super::connection::Connection;
use super::customer::{Customer, Habit, Harvest, Signals};
use super::nodes::Nodes;
use crate::figures::Figures;
use crate::output::progress;
use crate::pace::Pace;
use crate::upstream::ScriptArgs;
use crate::upstream::script::Expected;
use crate::visitors::{self, Guest};
use crate::{limits, socket};

/// Sockets that are opened in a second.
const OPENED_PER_SECOND: f64 = 400.0;
const GLANCE: Duration = Duration::from_millis(10);
/// Problems that are shown.
const SHOWN: usize = 5;

/// Customers, each in a task of its own.
pub(super) struct Crowd {
    pub balancer: Arc<Balancer>,
    pub signals: Arc<Signals>,
    /// The conversation of each, as in its path.
    pub guests: Vec<Guest>,
    customers: JoinSet<Harvest>,
}

impl Crowd {
    /// Opens a socket for each customer, given by what they do and on which node, and waits until all are in step.
    pub(super) async fn gather(nodes: &Nodes, plan: &[(Habit, usize)], script: ScriptArgs) -> Result<Self> {
        // While a node drains, each may have two.
        limits::require(2 * plan.len())?;
        progress(&format!("cluster: {} customers", plan.len()));
        let guests = visitors::make(nodes.target(0), plan.len()).await?;
        let (balancer, signals) = (Arc::new(Balancer::new(nodes.targets())), Arc::<Signals>::default());
        let expected = Arc::new(Expected::new(script.tokens));
        let pace = Pace::new(Instant::now(), OPENED_PER_SECOND);
        let mut customers = JoinSet::new();
        for (index, ((habit, home), guest)) in plan.iter().zip(&guests).enumerate() {
            let place = (*home, pace.at(index));
            let connection = Connection::new((guest.clone(), index), Arc::clone(&balancer), place);
            let shared = (Arc::clone(&signals), Arc::clone(&expected));
            customers.spawn(Customer::new(connection, (index, *home), *habit, shared).live());
        }
        let crowd = Self { balancer, signals, guests, customers };
        let opening = Duration::from_secs_f64(plan.len() as f64 / OPENED_PER_SECOND);
        let ready = crowd.until(&crowd.signals.ready, plan.len(), opening + 2 * socket::PATIENCE).await;
        ensure!(ready.is_some(), "only {} of {} customers are in step", crowd.signals.ready.load(Relaxed), plan.len());
        Ok(crowd)
    }

    /// Waits until so many are counted, and gives when; `None` if that takes longer than it may.
    pub(super) async fn until(&self, counter: &AtomicUsize, count: usize, patience: Duration) -> Option<Instant> {
        let start = Instant::now();
        while counter.load(Relaxed) < count {
            if start.elapsed() > patience {
                return None;
            }
            sleep(GLANCE).await;
        }
        Some(Instant::now())
    }

    /// Tells all to stop, and gives what they have seen when the last one has left.
    pub(super) async fn leave(mut self) -> Result<Vec<Harvest>> {
        self.signals.stop.cancel();
        let mut harvests = Vec::new();
        while let Some(harvest) = self.customers.join_next().await {
            harvests.push(harvest?);
        }
        Ok(harvests)
    }
}

/// Adds what became of everything that was said, and what was wrong with it.
pub(super) fn count(figures: &mut Figures, harvests: &[Harvest]) {
    let sum = |of: fn(&Harvest) -> usize| harvests.iter().map(of).sum::<usize>() as f64;
    figures.add("messages", sum(|harvest| harvest.acks.len() + harvest.failed.len()), "");
    figures.add("sends_failed", sum(|harvest| harvest.failed.len()), "");
    figures.add("messages_sent_again", sum(|harvest| harvest.again), "");
    figures.add("replies_complete", sum(|harvest| harvest.replies), "");
    figures.add("replies_wrong", sum(|harvest| harvest.wrong.len()), "");
    let said = harvests.iter().flat_map(|harvest| harvest.failed.iter().chain(&harvest.wrong));
    figures.problems.extend(said.take(SHOWN).cloned());
}
