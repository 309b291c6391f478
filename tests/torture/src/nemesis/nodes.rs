//! What befalls nodes and does not last: they are killed, or told to stop.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use rustix::process::Signal;
use sqlx::PgConnection;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{Fault, Nemesis};
use crate::history::{Event, Standing};
use crate::postgres::Postgres;
use crate::stage::FOUND_DEAD;

/// Longest time that killed nodes stay away for others to take over what they owned.
const AWAY: Duration = Duration::from_secs(12);
/// Longest wait for a reply in the middle of which a node is told to stop, or stands still.
pub(super) const REPLY: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(50);

/// What a node ($1: their names) owns, and under which epoch.
const OWNED: &str = "SELECT c.id, c.epoch FROM conversations AS c JOIN members AS m ON m.incarnation = c.owner \
                     WHERE m.name = ANY ($1) AND m.state = 'live'";
/// How many of these conversations ($1) have not taken a command under a later epoch ($2).
const ORPHANS: &str = "SELECT count(*) FROM unnest($1::uuid[], $2::bigint[]) AS o (id, epoch) WHERE NOT EXISTS (\
                       SELECT 1 FROM entries AS e WHERE e.conversation = o.id AND e.epoch > o.epoch \
                       AND e.client_msg_id IS NOT NULL)";
const OPEN_TURNS: &str = "SELECT count(*) FROM conversations AS c JOIN members AS m ON m.incarnation = c.owner \
                          WHERE m.name = $1 AND m.state = 'live' AND c.turn_seq IS NOT NULL";

impl Nemesis<'_> {
    pub(super) async fn befall(&mut self, fault: Fault, node: usize, postgres: &Postgres) -> Result<()> {
        let count = self.stage.nodes.len();
        match fault {
            Fault::KillNode => self.kill(&[node], postgres).await,
            Fault::KillMost => {
                let others: Vec<usize> = (0..count).filter(|other| *other != node).collect();
                self.kill(&others, postgres).await
            }
            Fault::KillAll => {
                let all: Vec<usize> = (0..count).collect();
                self.kill(&all, postgres).await
            }
            Fault::DrainNode => self.drain(node, postgres).await,
            Fault::RollingRestart => {
                let mut order: Vec<usize> = (0..count).collect();
                order.shuffle(&mut self.dice);
                for node in order {
                    self.drain(node, postgres).await?;
                }
                Ok(())
            }
            other => anyhow::bail!("{} is no fault of nodes", other.name()),
        }
    }

    /// The nodes that own conversations.
    pub(super) async fn owners(&self, postgres: &Postgres) -> Result<Vec<usize>> {
        let mut control = postgres.control(&self.stage.database).await?;
        let mut owners = Vec::new();
        for (number, node) in self.stage.nodes.iter().enumerate() {
            let owned: Vec<(Uuid, i64)> = sqlx::query_as(OWNED).bind([node.name()]).fetch_all(&mut control).await?;
            owners.extend((!owned.is_empty()).then_some(number));
        }
        Ok(owners)
    }

    /// Kills a server and starts another one. Meanwhile an anchor is made: a server on SQLite keeps the file of anchors to
    /// itself.
    pub(super) async fn replace(&mut self, node: usize) -> Result<()> {
        self.stage.kill(&[node]).await?;
        self.stage.anchor_alone().await?;
        self.stage.start(node).await
    }

    /// Two servers believe that they own the same conversations, until the older one has found out.
    pub(super) async fn namesake(&mut self, node: usize) -> Result<()> {
        self.stage.start(node).await?;
        let more = self.dice.random_range(20..80);
        self.stage.progress(more, self.lengths.most).await;
        self.stage.kill_older(node).await
    }

    async fn kill(&mut self, nodes: &[usize], postgres: &Postgres) -> Result<()> {
        let names: Vec<String> = nodes.iter().map(|node| self.stage.nodes[*node].name().to_owned()).collect();
        let mut control = postgres.control(&self.stage.database).await?;
        let owned: Vec<(Uuid, i64)> = sqlx::query_as(OWNED).bind(&names).fetch_all(&mut control).await?;
        let epochs = owned.iter().map(|(id, epoch)| (*id, epoch.unsigned_abs())).collect();
        let minority = 2 * nodes.len() < self.stage.nodes.len();
        self.stage.history.note(&Event::Orphaned { minority, conversations: epochs });
        self.stage.kill(nodes).await?;
        if nodes.len() < self.stage.nodes.len() {
            // Those that are not taken over by then are by the node itself.
            let _ = timeout(AWAY, adopted(&mut control, owned)).await;
        }
        self.stage.look_after().await
    }

    async fn drain(&mut self, node: usize, postgres: &Postgres) -> Result<()> {
        let mut control = postgres.control(&self.stage.database).await?;
        let name = self.stage.nodes[node].name().to_owned();
        // If there is none, it drains all the same.
        let open_turns = timeout(REPLY, replying(&mut control, &name)).await.unwrap_or(Ok(0))?;
        self.stage.history.note(&Event::Drained { node: name.clone(), open_turns });
        self.stage.stands(node, Standing::Draining);
        self.stage.nodes[node].count(&mut self.stage.counters).await;
        self.stage.nodes[node].drains = true;
        self.stage.announce();
        for server in std::mem::take(&mut self.stage.nodes[node].servers) {
            server.signal(Signal::TERM);
            let code = server.stopped().await.with_context(|| format!("{name} does not drain"))?;
            anyhow::ensure!(code == Some(0) || code == FOUND_DEAD, "{name} ended its drain with {code:?}");
        }
        self.stage.stands(node, Standing::Dead);
        self.stage.start(node).await
    }
}

/// Waits until every one of these has taken a command under another owner.
async fn adopted(control: &mut PgConnection, owned: Vec<(Uuid, i64)>) -> Result<()> {
    let (ids, epochs): (Vec<Uuid>, Vec<i64>) = owned.into_iter().unzip();
    while sqlx::query_scalar::<_, i64>(ORPHANS).bind(&ids).bind(&epochs).fetch_one(&mut *control).await? > 0 {
        sleep(GLANCE).await;
    }
    Ok(())
}

/// Waits until a node is in the middle of replies; of how many.
pub(super) async fn replying(control: &mut PgConnection, name: &str) -> Result<u64> {
    loop {
        let open: i64 = sqlx::query_scalar(OPEN_TURNS).bind(name).fetch_one(&mut *control).await?;
        if open > 0 {
            return Ok(open.unsigned_abs());
        }
        sleep(GLANCE / 5).await;
    }
}
