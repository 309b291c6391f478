//! A whole system over in-memory ports, and the people in it.

use std::collections::{VecDeque, vec_deque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use onya_actors::ports::Opening;
use onya_actors::testing::{MemoryAudit, MemoryLog, PausedClock, ScriptedModel, SeededRandom};
use onya_actors::{CustomerConnection, Ports, Sessions, Settings, StaffConnection};
use onya_core::conversation::{Ack, Action, Actor, Entry, Overlap, Request, Role};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, ParticipantId};
use onya_protocol::{Cursor, CustomerFrame, Refusal, ServerFrame, Synced};
use uuid::Uuid;

pub const CUSTOMER: u128 = 1;
pub const AGENT: u128 = 2;
pub const SUPERVISOR: u128 = 3;

/// A system with one conversation.
pub struct World {
    pub sessions: Sessions,
    pub log: Arc<MemoryLog>,
    pub audit: Arc<MemoryAudit>,
    pub model: Arc<ScriptedModel>,
    pub id: ConversationId,
    next: AtomicU64,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::over(Arc::new(MemoryLog::default()), settings).await
    }

    /// A start over a store that may have been used before.
    pub async fn over(log: Arc<MemoryLog>, settings: Settings) -> Self {
        let (model, audit) = (Arc::new(ScriptedModel::default()), Arc::new(MemoryAudit::default()));
        let ports = Ports {
            log: Arc::<MemoryLog>::clone(&log),
            audit: Arc::<MemoryAudit>::clone(&audit),
            model: Arc::new(Arc::clone(&model)),
            clock: Arc::new(PausedClock::default()),
            random: Arc::new(SeededRandom::new(1)),
            cluster: None,
        };
        let sessions = Sessions::start(ports, settings).await.unwrap();
        let opening = sessions.open(ParticipantId(Uuid::from_u128(CUSTOMER)), "en").await.unwrap();
        let (Opening::Created(id) | Opening::Existing(id)) = opening;
        Self { sessions, log, audit, model, id, next: AtomicU64::new(1) }
    }

    pub async fn customer(&self, cursor: Option<Cursor>) -> Customer {
        let connection =
            self.sessions.connect_customer(person(CUSTOMER, Role::Customer), self.id, cursor).await.unwrap();
        Customer { connection, pending: VecDeque::new().into_iter() }
    }

    pub async fn staff(&self, who: u128) -> StaffConnection {
        let role = if who == SUPERVISOR { Role::Supervisor } else { Role::Agent };
        self.sessions.connect_staff(person(who, role)).await.unwrap()
    }

    pub async fn waiting(&self) -> Vec<Waiting> {
        self.sessions.waiting(&person(AGENT, Role::Agent)).await.unwrap()
    }

    pub async fn say(&self, text: &str) -> Result<Ack, Refusal> {
        self.request(CUSTOMER, Action::Say { text: text.into(), overlap: Overlap::Queue }).await
    }

    pub async fn request(&self, who: u128, action: Action) -> Result<Ack, Refusal> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.request_as(who, &format!("m{number}"), action).await
    }

    pub async fn request_as(&self, who: u128, client_msg_id: &str, action: Action) -> Result<Ack, Refusal> {
        let role = match who {
            AGENT => Role::Agent,
            SUPERVISOR => Role::Supervisor,
            _ => Role::Customer,
        };
        let client_msg_id = ClientMsgId::new(client_msg_id).unwrap();
        let request = Request { by: person(who, role), client_msg_id, after: None, action };
        self.sessions.request(self.id, request, None).await
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.log.entries(self.id)
    }

    pub fn kinds(&self) -> Vec<&'static str> {
        self.entries().iter().map(|entry| entry.event.kind()).collect()
    }
}

pub fn person(number: u128, role: Role) -> Actor {
    Actor { id: ParticipantId(Uuid::from_u128(number)), role, name: None }
}

/// A customer's socket, read frame by frame.
pub struct Customer {
    pub connection: CustomerConnection,
    pub pending: vec_deque::IntoIter<ServerFrame>,
}

impl Customer {
    /// The next frame, when there is one.
    pub async fn next(&mut self) -> ServerFrame {
        loop {
            if let Some(frame) = self.pending.next() {
                return frame;
            }
            // The clock is paused: this passes at once if nothing else can happen.
            let patience = std::time::Duration::from_secs(3_600);
            let next = tokio::time::timeout(patience, self.connection.queue().next()).await;
            let (frames, closing) = next.unwrap_or_else(|_| panic!("no frame comes"));
            assert!(closing.is_none() || !frames.is_empty(), "the socket is closed: {closing:?}");
            self.pending = frames.into_iter();
        }
    }

    pub async fn synced(&mut self) -> Synced {
        match self.next().await {
            ServerFrame::Synced(synced) => synced,
            other => panic!("expected synced, got {other:?}"),
        }
    }

    /// Reads until the frame that is asked for.
    pub async fn until<T>(&mut self, wanted: impl Fn(&ServerFrame) -> Option<T>) -> T {
        loop {
            let frame = self.next().await;
            if let Some(found) = wanted(&frame) {
                return found;
            }
        }
    }

    /// All that waits to be written, in words.
    pub async fn queue_debug(&self) -> String {
        format!("{:?}", self.connection.queue().next().await.0)
    }

    pub async fn say(&self, client_msg_id: &str, text: &str) {
        let frame = serde_say(client_msg_id, text, None);
        self.connection.handle(frame).await;
    }
}

pub fn serde_say(client_msg_id: &str, text: &str, after: Option<&str>) -> CustomerFrame {
    CustomerFrame::Say {
        client_msg_id: ClientMsgId::new(client_msg_id).unwrap(),
        after: after.map(|after| ClientMsgId::new(after).unwrap()),
        text: text.into(),
        overlap: Overlap::Queue,
        attachments: vec![],
        traceparent: None,
    }
}
