//! Nodes over one store, and the people on them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use onya_actors::ports::{EventLog as _, Member};
use onya_actors::testing::{MemoryAudit, MemoryLog, MemoryNetwork, PausedClock, ScriptedModel, SeededRandom};
use onya_actors::{Ports, Sessions, Settings};
use onya_core::conversation::{Ack, Action, Entry, Overlap, Request, Role};
use onya_core::{ClientMsgId, ConversationId, Incarnation, ParticipantId, Timestamp};
use onya_protocol::{Cursor, Refusal};
use uuid::Uuid;

use crate::world::{CUSTOMER, Customer, SUPERVISOR, person};

pub const NAMES: [&str; 3] = ["a", "b", "c"];

/// One node.
pub struct Node {
    pub me: Incarnation,
    pub sessions: Sessions,
    pub model: Arc<ScriptedModel>,
}

/// Three nodes and one conversation.
pub struct Nodes {
    pub cluster: MemoryNetwork,
    pub nodes: Vec<Node>,
    pub id: ConversationId,
    next: AtomicU64,
    settings: Settings,
    log: Arc<MemoryLog>,
    clock: Arc<PausedClock>,
}

impl Nodes {
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let mut nodes = Self {
            cluster: MemoryNetwork::default(),
            nodes: Vec::new(),
            id: ConversationId(Uuid::nil()),
            next: AtomicU64::new(1),
            settings,
            log: Arc::new(MemoryLog::default()),
            clock: Arc::new(PausedClock::default()),
        };
        for name in NAMES {
            nodes.join(name).await;
        }
        nodes.id = nodes.nodes[0].sessions.open(ParticipantId(Uuid::from_u128(CUSTOMER)), "en").await.unwrap().id();
        nodes
    }

    /// Starts one more node; its number.
    pub async fn join(&mut self, name: &str) -> usize {
        self.join_with(name, "0.1.0").await
    }

    /// The same with a release of its own.
    pub async fn join_with(&mut self, name: &str, release: &str) -> usize {
        let number = self.nodes.len() as u128 + 1_000;
        let log = Arc::new(self.log.another());
        let member = Member::alone(Uuid::from_u128(number), name, Timestamp(0));
        log.register(&member).await.unwrap();
        let (me, cluster) = self.cluster.join((name, release), number);
        let model = Arc::new(ScriptedModel::default());
        let ports = Ports {
            log: Arc::<MemoryLog>::clone(&log),
            audit: Arc::new(MemoryAudit::default()),
            model: Arc::new(Arc::clone(&model)),
            clock: Arc::<PausedClock>::clone(&self.clock),
            random: Arc::new(SeededRandom::new(u64::try_from(number).unwrap())),
            cluster: Some(cluster),
        };
        let sessions = Sessions::start(ports, self.settings.clone()).await.unwrap();
        self.cluster.serve(me, sessions.clone());
        self.nodes.push(Node { me, sessions, model });
        self.nodes.len() - 1
    }

    /// The verdict over a node, which goes on working as if it did not know.
    pub fn bury(&self, node: usize) {
        self.log.bury(self.nodes[node].me);
        self.cluster.bury(self.nodes[node].me);
    }

    /// The node that should own the conversation.
    pub fn wished(&self) -> usize {
        let owner = self.cluster.placement().owner(self.id).unwrap();
        self.nodes.iter().position(|node| node.me == owner).unwrap()
    }

    /// A node that should not.
    pub fn other(&self) -> usize {
        (self.wished() + 1) % NAMES.len()
    }

    /// The node that owns it, if one does.
    pub fn owner(&self) -> Option<usize> {
        let owner = self.log.owner(self.id)?;
        self.nodes.iter().position(|node| node.me == owner)
    }

    pub async fn customer(&self, node: usize, cursor: Option<Cursor>) -> Customer {
        let who = person(CUSTOMER, Role::Customer);
        let connection = self.nodes[node].sessions.connect_customer(who, self.id, cursor).await.unwrap();
        Customer { connection, pending: VecDeque::new().into_iter() }
    }

    pub async fn say(&self, node: usize, text: &str) -> Result<Ack, Refusal> {
        self.request(node, CUSTOMER, Action::Say { text: text.into(), overlap: Overlap::Queue }).await
    }

    pub async fn request(&self, node: usize, who: u128, action: Action) -> Result<Ack, Refusal> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.request_as(node, (who, &format!("m{number}")), action).await
    }

    pub async fn request_as(&self, node: usize, (who, id): (u128, &str), action: Action) -> Result<Ack, Refusal> {
        let role = match who {
            CUSTOMER => Role::Customer,
            SUPERVISOR => Role::Supervisor,
            _ => Role::Agent,
        };
        let client_msg_id = ClientMsgId::new(id).unwrap();
        let request = Request { by: person(who, role), client_msg_id, after: None, action };
        self.nodes[node].sessions.request(self.id, request, None).await
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.log.entries(self.id)
    }

    /// Lets links be made and everything that can go on go on.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    pub fn log(&self) -> &MemoryLog {
        &self.log
    }
}
