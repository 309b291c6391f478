//! Several nodes of the built program that are one service: the same database, the same Redis, the same keys.

use onya_core::ConversationId;
use sqlx::{Connection as _, PgConnection};

use tokio::sync::MutexGuard;

use super::{Backend, NodeSettings, TestNode, eventually, one_cluster_at_a_time};

/// Any key will do, as long as it is the same everywhere.
pub const SIGNING_KEYS: &str = "k1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The nodes `onya-0`, `onya-1` and so on.
pub struct TestCluster {
    pub nodes: Vec<TestNode>,
    settings: NodeSettings,
    _turn: MutexGuard<'static, ()>,
}

impl TestCluster {
    /// So many nodes that know each other.
    pub async fn start(nodes: usize) -> Self {
        Self::with(nodes, |settings| settings).await
    }

    /// The same, with settings of the test's own.
    pub async fn with(nodes: usize, change: impl FnOnce(NodeSettings) -> NodeSettings) -> Self {
        let turn = one_cluster_at_a_time().await;
        let redis = std::env::var("TEST_REDIS_URL");
        let redis =
            redis.unwrap_or_else(|_| panic!("TEST_REDIS_URL is not set: run ./tests/run exec cargo test --test it"));
        let settings = NodeSettings::new(Backend::Postgres).await;
        let settings = settings
            .with("ONYA_AUTH__SIGNING_KEYS", SIGNING_KEYS)
            .with("ONYA_CLUSTER__PORT", 0)
            .with("ONYA_DRAIN__SOCKETS_WINDOW_MS", 500)
            .with("REDIS_URL", redis);
        let mut cluster = Self { nodes: Vec::new(), settings: change(settings), _turn: turn };
        for _ in 0..nodes {
            cluster.join().await;
        }
        for node in &cluster.nodes {
            node.knows(nodes).await;
        }
        cluster
    }

    /// Starts one more node; its number.
    pub async fn join(&mut self) -> usize {
        let number = self.nodes.len();
        let settings = self.settings.beside().with("ONYA_NODE__NAME", format!("onya-{number}"));
        self.nodes.push(settings.start().await);
        number
    }

    /// The number of the node that owns a conversation, once there is one.
    pub async fn owner(&self, conversation: ConversationId) -> usize {
        eventually(async || self.owner_now(conversation).await).await
    }

    /// The number of the living node that owns a conversation now.
    pub async fn owner_now(&self, conversation: ConversationId) -> Option<usize> {
        let mut connection = PgConnection::connect(&self.settings.database_url()).await.ok()?;
        let query = "SELECT m.name FROM conversations AS c JOIN members AS m ON m.incarnation = c.owner
                     WHERE c.id = $1 AND m.state <> 'dead'";
        let name: Option<String> =
            sqlx::query_scalar(query).bind(conversation.0).fetch_optional(&mut connection).await.ok()?;
        connection.close().await.ok()?;
        name?.strip_prefix("onya-")?.parse().ok()
    }

    /// Two nodes that do not own the conversation.
    pub async fn others(&self, conversation: ConversationId) -> (usize, usize) {
        let owner = self.owner(conversation).await;
        ((owner + 1) % self.nodes.len(), (owner + 2) % self.nodes.len())
    }
}

impl TestNode {
    /// Waits until this node knows so many live members, and has a link to each of the others.
    pub async fn knows(&self, members: usize) {
        let links = members - 1;
        eventually(async || {
            let metrics = self.shows(self.metrics_url()).await.text;
            let open = metrics.lines().filter(|line| line.starts_with("onya_links{"));
            let counts: Vec<f64> = open.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
            (counts.len() == 2 && counts.iter().all(|count| *count >= links as f64)).then_some(())
        })
        .await;
    }
}
