//! What the actors need from the world. Adapters implement these; tests use in-memory ones (feature `testing`).
//!
//! Every port says what its errors mean for the caller: whether nothing happened, or nobody knows.

mod cluster;
mod erasure;
mod members;
mod search;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use onya_core::cluster::MemberRole;
use onya_core::conversation::{Entry, Failure, Head, Key, KnownKey, Prompt, Snapshot, State, View};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, Incarnation, ParticipantId, Seq, Timestamp};
pub use search::{Hit, Piece, Place, Search};
use uuid::Uuid;

pub use self::cluster::{Cluster, LinkEnd, LinkLost, Membership, Placement, Transport};
pub use self::erasure::{Closed, CustomerConversation, Erasure, HOLD_POSTPONES_MS, LegalHold};
pub use self::members::{Leases, Load, Look, Members, Pulse, Sighting};

/// The store: the only truth for ownership, log, turns, timers and the queue.
#[async_trait]
pub trait EventLog: Erasure {
    /// Registers this start of the process under its node's name and marks earlier incarnations of that name dead,
    /// in one transaction. Called once, before anything else. Where others are, it joins ([`Members::ready`]).
    async fn register(&self, member: &Member) -> Result<(), StoreError>;

    /// The history that positions count in; changes when the store was restored from a backup.
    async fn history_epoch(&self) -> Result<Uuid, StoreError>;

    /// Creates a conversation, or finds the one that the customer has open: never two.
    async fn open(&self, new: NewConversation) -> Result<Opening, StoreError>;

    /// Makes this incarnation the owner and loads the conversation, in one transaction: the row is locked first, the
    /// epoch goes up, the nonce is new, and what is read cannot be overtaken by an earlier owner.
    async fn claim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError>;

    /// The same, but only if this incarnation owns the conversation already.
    async fn reclaim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError>;

    /// Gives up ownership of conversations that are still held with these fences. A later claim by anybody succeeds.
    async fn release(&self, held: &[(ConversationId, Fence)]) -> Result<(), StoreError>;

    /// Gives up ownership of a conversation that this incarnation owns and that is not in its memory: nothing of it may be
    /// on its way to the store. Without effect if it owns it not.
    async fn release_idle(&self, conversation: ConversationId) -> Result<(), StoreError>;

    /// Marks this incarnation as ended: whatever it still owns is free for others. It writes nothing after this.
    async fn retire(&self) -> Result<(), StoreError>;

    /// Appends for many conversations at once: of each either all entries or none, and the outcome of each. `Err`
    /// concerns the whole batch. One outcome per append, in the order of the batch.
    async fn append(&self, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError>;

    /// The commands among `ids` that this participant has stored in this conversation.
    async fn known_keys(
        &self,
        conversation: ConversationId,
        participant: ParticipantId,
        ids: &[ClientMsgId],
    ) -> Result<Vec<KnownKey>, StoreError>;

    /// The newest part of a log with its head, in one consistent read without a claim; `None` if there is no such
    /// conversation.
    async fn tail(&self, conversation: ConversationId, limit: TailLimit) -> Result<Option<Tail>, StoreError>;

    /// A page of a log, in one view, oldest first.
    async fn page(&self, conversation: ConversationId, page: Page) -> Result<Vec<Entry>, StoreError>;

    /// Who owns what in a conversation's row: enough to authorise and to show it. `None` if there is none.
    async fn summary(&self, conversation: ConversationId) -> Result<Option<Summary>, StoreError>;

    /// The customer's open conversation, if there is one.
    async fn open_conversation_of(&self, customer: ParticipantId) -> Result<Option<ConversationId>, StoreError>;

    /// Conversations that are not closed, newest first, from the one before `before` on; at most `limit`, 1 to 200.
    async fn open_conversations(
        &self,
        before: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Summary>, StoreError>;

    /// Conversations that nobody alive but this incarnation may own, and that need an owner now: a timer is due by
    /// `now`, or a turn is open and the owner is dead or absent. At most `limit`, longest overdue first.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError>;

    /// Conversations in which a customer waits for an answer of an agent who is connected to no node that lives, and that
    /// nobody alive but this incarnation may own; at most `limit`. `agents` are those connected here: the other nodes
    /// count with them from now on.
    async fn forsaken(&self, agents: &[ParticipantId], limit: usize) -> Result<Vec<Forsaken>, StoreError>;

    /// Everybody who waits for a person.
    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError>;

    /// Notes that the conversation's actor crashed; how often it did within `window_ms` before `now`, this included.
    async fn record_crash(
        &self,
        conversation: ConversationId,
        now: Timestamp,
        window_ms: u64,
    ) -> Result<u32, StoreError>;

    /// What was said and holds all words of a query, newest first. Refused if the query holds no word, or too many.
    async fn search(&self, search: &Search) -> Result<Vec<Hit>, StoreError>;

    /// Makes some of what was said and cannot be found yet searchable; in how many conversations. None: all is.
    async fn index_texts(&self) -> Result<usize, StoreError>;

    /// Asks the store for a sign of life: its name and version.
    async fn ping(&self) -> Result<String, StoreError>;

    /// Closes all connections, before the process ends. Calls after it fail.
    async fn close(&self) {}
}

/// One start of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// New at every start.
    pub incarnation: Uuid,
    /// The node's name, the same at every start.
    pub name: String,
    /// When.
    pub started_at: Timestamp,
    /// Where other members reach it, as `host:port`; empty if they cannot.
    pub address: String,
    /// What it does.
    pub role: MemberRole,
    /// The version of the program.
    pub release: String,
}

impl Member {
    /// A start that nobody needs to reach.
    #[must_use]
    pub fn alone(incarnation: Uuid, name: &str, started_at: Timestamp) -> Self {
        let name = name.to_owned();
        Self { incarnation, name, started_at, address: String::new(), role: MemberRole::Both, release: String::new() }
    }
}

/// A conversation to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConversation {
    /// Its identifier, drawn by the caller.
    pub id: ConversationId,
    /// Its first entry, from [`State::opening`].
    pub opening: Entry,
    /// Its head after that entry.
    pub head: Head,
}

/// The outcome of creating a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is new.
    Created(ConversationId),
    /// The customer has one open.
    Existing(ConversationId),
}

impl Opening {
    /// The conversation, new or not.
    #[must_use]
    pub const fn id(self) -> ConversationId {
        match self {
            Self::Created(id) | Self::Existing(id) => id,
        }
    }
}

/// The right to append: both are compared, and both change with every claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Counts the claims of the conversation.
    pub epoch: u64,
    /// Random: tells two claims with the same epoch apart, in histories that diverged.
    pub nonce: Uuid,
}

/// Where a conversation's chain of entries ends: the store makes it of the entries, the owner hands it back with its next
/// append. Its form is the store's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link(pub [u8; 32]);

/// How much of a log's end to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailLimit {
    /// At most so many entries.
    pub entries: usize,
    /// Stop, going back, once the bodies read exceed so many bytes. At least one entry is read.
    pub bytes: usize,
}

/// A conversation that needs an owner now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whether this incarnation owns it; otherwise nobody alive does.
    pub owned: bool,
}

/// A conversation whose customer waits for an agent who is connected nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forsaken {
    /// The conversation.
    pub conversation: ConversationId,
    /// The agent.
    pub agent: ParticipantId,
    /// Whether this incarnation owns it; otherwise nobody alive does.
    pub owned: bool,
}

/// The outcome of a claim.
#[derive(Clone, Debug)]
pub enum Claim {
    /// This incarnation owns it now.
    Owned(Box<Owned>),
    /// Another incarnation, not known to be dead, owns it.
    OwnedByOther(Incarnation),
    /// Nobody owns it, and only its owner asked. Only a [`EventLog::reclaim`] has this outcome.
    Free,
    /// There is no such conversation.
    NotFound,
}

/// A conversation as loaded under a claim.
#[derive(Clone, Debug)]
pub struct Owned {
    /// The right to append.
    pub fence: Fence,
    /// The state: snapshot plus the entries after it, applied.
    pub state: State,
    /// The newest entries, for readers and the prompt; contiguous up to `state.seq`.
    pub tail: Vec<Entry>,
    /// Where its chain of entries ends.
    pub link: Link,
    /// Crashes of its actor in the last 10 minutes.
    pub recent_crashes: u32,
}

/// Entries to append to one conversation.
#[derive(Clone, Debug)]
pub struct Append {
    /// The conversation.
    pub conversation: ConversationId,
    /// The right to.
    pub fence: Fence,
    /// The newest position before these entries.
    pub expected_seq: Seq,
    /// Where the chain of entries ends before these.
    pub previous: Link,
    /// The entries, from `expected_seq + 1`; not empty.
    pub entries: Arc<[Entry]>,
    /// The head after them.
    pub head: Head,
    /// The state after them, if it is time to store one.
    pub snapshot: Option<Box<Snapshot>>,
}

/// What became of one conversation's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// Stored, all of them; where the chain of entries ends now.
    Accepted(Link),
    /// Not stored: somebody else owns the conversation, or its log is longer than the owner believes.
    Fenced,
    /// Not stored: this command stands in the log already.
    Repeated(KnownKey),
    /// Not stored: the row is locked by somebody else just now. Try again.
    Locked,
    /// Not stored, and never will be: the store cannot hold it. It lies among the dead letters.
    Poisoned,
    /// Not stored, and nothing erased: the customer is on hold. Only an erasure has this outcome.
    OnHold,
}

impl AppendOutcome {
    /// Whether the entries are stored.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }
}

/// The end of a log, read without a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// What the conversation's row says.
    pub summary: Summary,
    /// The newest entries, contiguous up to `summary.last_seq`.
    pub entries: Vec<Entry>,
}

/// What a conversation's row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The conversation.
    pub id: ConversationId,
    /// Its customer.
    pub customer: ParticipantId,
    /// The customer's language.
    pub language: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Position of the newest entry.
    pub last_seq: Seq,
    /// Who answers.
    pub control: onya_core::conversation::Control,
    /// Number of changes of control.
    pub control_version: u64,
    /// The incarnation that owns it; it may be dead.
    pub owner: Option<Incarnation>,
    /// The newest claim's epoch; 0 if there was none.
    pub epoch: u64,
    /// The open turn and its attempt.
    pub turn: Option<(Seq, u32)>,
}

/// Which part of a log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// With whose eyes.
    pub view: View,
    /// From where, in which direction; the position itself is not included.
    pub from: PageFrom,
    /// At most so many entries, 1 to 200.
    pub limit: usize,
}

/// Where a page starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFrom {
    /// The entries after this position.
    After(Seq),
    /// The entries before this position.
    Before(Seq),
    /// The newest entries.
    End,
}

/// The store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing happened: the store cannot be reached, is full, or is locked. Try again later.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It may or may not have happened. What was believed of the conversations concerned must be loaded again.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// Nothing happened, and the same call never will succeed: the store cannot hold this, or this incarnation is not
    /// a live member (any more).
    #[error("the store refuses: {0}")]
    Refused(String),
    /// What the store holds cannot be read by this version.
    #[error("the store holds what this version cannot read: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Corrupt(_))
    }
}

/// The record of acts that belong to no conversation's log: who logged in, who looked at what, what was refused.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Stores acts in this order, all of them or none.
    async fn record(&self, acts: &[Act]) -> Result<(), StoreError>;
}

/// An act to put on record. It never holds what somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// Who: a participant's identifier, or the name of a program.
    pub actor: String,
    /// In which role.
    pub actor_role: String,
    /// What, in one word.
    pub action: &'static str,
    /// The conversation that it concerns, if it is one.
    pub conversation: Option<ConversationId>,
    /// More, as the text of a JSON object.
    pub detail: String,
}

/// A model that answers.
pub trait Model: Send + Sync + 'static {
    /// Asks. The stream yields text as it comes and ends with exactly one [`ModelEvent::End`]; dropping it calls the
    /// model off, in every phase.
    fn ask(&self, question: Question) -> BoxStream<'static, ModelEvent>;
}

/// What the model is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The conversation.
    pub conversation: ConversationId,
    /// The turn and the attempt, for logs.
    pub turn: (Seq, u32),
    /// The messages; the adapter adds its system prompt.
    pub prompt: Prompt,
    /// W3C trace context of the command that opened the turn.
    pub traceparent: Option<String>,
}

/// What a model says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelEvent {
    /// More text; never empty.
    Text(String),
    /// The end; nothing follows.
    End(ModelEnd),
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelEnd {
    /// With its last word, said so by the provider.
    Complete,
    /// With a call of the tool that asks for a person, its arguments checked.
    AskForPerson {
        /// What the person should know, in the model's words.
        summary: Option<String>,
        /// How urgent it is.
        priority: onya_core::conversation::Priority,
    },
    /// Before it was complete, after whatever retries were left.
    Failed(Failure),
}

/// Time. Tests pause or script it.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Randomness. Tests seed it.
pub trait Random: Send + Sync + 'static {
    /// A version 7 UUID.
    fn uuid(&self) -> Uuid;
    /// 16 random bytes.
    fn salt(&self) -> [u8; 16];
    /// A number from 0 to `below - 1`; 0 if `below` is 0.
    fn below(&self, below: u64) -> u64;
}

/// The commands that these entries answer for: what a store compares for [`AppendOutcome::Repeated`].
#[must_use]
pub fn keys(entries: &[Entry]) -> Vec<&Key> {
    entries.iter().filter_map(|entry| entry.key.as_ref()).collect()
}
