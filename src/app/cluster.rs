//! This node among the members of the cluster, if its store serves more than one.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use futures::future::pending;
use onya_actors::ports::{Load, Member};
use onya_actors::{Expelled, Identity, Roster, Sessions};
use onya_core::Incarnation;
use onya_core::cluster::{MemberRole, Times};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::redis;
use crate::cluster::leases::Leases;
use crate::config::{ClusterConfig, Config, NodeRole};
use crate::edge::Edge;
use crate::store::Store;

/// What keeps this node a member.
pub(super) struct Cluster {
    pub(super) roster: Roster,
    leases: Option<Arc<Leases>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The times that are configured.
pub(super) const fn times(config: &ClusterConfig) -> Times {
    Times { heartbeat_ms: config.heartbeat_ms, stale_after_ms: config.stale_after_ms, lease_ms: config.lease_ms }
}

/// What this start is registered with: where it listens for links, if there is a cluster.
pub(super) fn member(config: &Config, listening: Option<SocketAddr>, alone: Member) -> anyhow::Result<Member> {
    let Some(listening) = listening else {
        return Ok(Member { release: env!("CARGO_PKG_VERSION").to_owned(), ..alone });
    };
    let address = config.cluster.advertised(listening).ok_or_else(|| anyhow!("cluster.advertise is empty"))?;
    let role = match config.cluster.role {
        NodeRole::Both => MemberRole::Both,
        NodeRole::Edge => MemberRole::Edge,
        NodeRole::Owner => MemberRole::Owner,
    };
    Ok(Member { address, role, release: env!("CARGO_PKG_VERSION").to_owned(), ..alone })
}

/// Begins to beat and to watch, once this start is registered. `None`: there is no cluster.
pub(super) async fn join(config: &Config, store: &Store, me: Incarnation) -> anyhow::Result<Option<Cluster>> {
    let Some(members) = &store.members else { return Ok(None) };
    let (tasks, stop, times) = (TaskTracker::new(), CancellationToken::new(), times(&config.cluster));
    let leases = match redis::settings(&config.redis) {
        Some(settings) => Some(Arc::new(Leases::start(&settings, me, times).context("redis.url is not usable")?)),
        None => None,
    };
    if let Some(leases) = &leases {
        tasks.spawn(Arc::clone(leases).show_signs_of_life());
    }
    let ports = (Arc::clone(members), leases.clone().map(|leases| leases as _));
    let identity = Identity { incarnation: me, name: config.node.name.clone() };
    let roster = Roster::start(identity, ports, times, (&tasks, stop.clone()));
    let roster = roster.await.context("the members of the cluster cannot be seen")?;
    tasks.close();
    Ok(Some(Cluster { roster, leases, tasks, stop }))
}

/// Resolves when this process must end because it is no member any more, and says why.
pub(super) async fn expelled(cluster: Option<&Cluster>) {
    let Some(cluster) = cluster else { return pending().await };
    match cluster.roster.expelled().await {
        Expelled::FoundDead => tracing::error!(
            "the others have found this process dead: it stood still, or could not reach the database, for too long"
        ),
        Expelled::Replaced => tracing::error!(
            "another process was started under the name of this one (node.name): each node needs a name of its own"
        ),
    }
}

/// Resolves when somebody has told this node to drain (`onya drain`).
pub(super) async fn told_to_drain(cluster: Option<&Cluster>) {
    match cluster {
        Some(cluster) => cluster.roster.told_to_drain().await,
        None => pending().await,
    }
}

impl Cluster {
    /// Lets the others know that this node serves, and what it carries from now on.
    pub(super) async fn ready(&self, sessions: Sessions, edge: Arc<Edge>) -> anyhow::Result<()> {
        self.roster.carries(move || Load {
            sockets: edge.sockets.open() as u64,
            conversations: sessions.tracked_conversations() as u64,
        });
        self.roster.ready().await.context("this node cannot be made a live member")
    }

    /// Stops to beat, and gives the lease up.
    pub(super) async fn leave(&self) {
        self.stop.cancel();
        if let Some(leases) = &self.leases {
            leases.release().await;
        }
        self.tasks.wait().await;
    }
}
