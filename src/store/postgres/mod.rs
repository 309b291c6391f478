//! The store on PostgreSQL 15 or newer, for any number of processes.
//!
//! Truth is one row per conversation: owner, epoch, nonce and the position of the newest entry. A claim locks and
//! changes it, an append locks it, compares and changes it, so of two that race one is refused. Appends run on lanes of
//! their own, everything else in a pool. Always the primary: replicas never serve this.
//!
//! Read `queries/append.sql` first, then `error.rs`, which says what is known after a failure.

mod acts;
mod append;
pub(super) mod audit;
mod claim;
mod columns;
mod database;
mod erase;
mod error;
pub mod floor;
pub(super) mod history;
mod inspect;
mod members;
mod migrate;
mod partitions;
mod planted;
mod read;
mod search;
mod session;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod whole;

use async_trait::async_trait;
use database::Database;
use onya_actors::ports::{
    Act, Append, AppendOutcome, AuditLog, Claim, Due, EventLog, Fence, Forsaken, Hit, Member, NewConversation, Opening,
    Page, Search, StoreError, Summary, Tail, TailLimit,
};
use onya_core::conversation::{Entry, KnownKey};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Timestamp};
use uuid::Uuid;

pub(super) use self::members::PostgresMembers;
use super::audit::act::Acts;
use super::audit::settings::{Fingerprint, SettingsMemory};
use super::migrations::{Direction, StepStatus};
use super::observe::{pool_connections, timed};
use super::upkeep::{Outcome, Upkeep};
use super::{ConnectError, Inspection, Settings, Take};

/// The store on Postgres, as one incarnation uses it.
pub struct PostgresLog {
    database: Database,
    incarnation: Uuid,
    acts: Acts,
}

impl PostgresLog {
    /// Connects, checks the server and brings the schema up to date.
    pub async fn connect(settings: &Settings, incarnation: Uuid) -> Result<Self, ConnectError> {
        let database = Database::open(settings, incarnation).await?;
        Ok(Self { database, incarnation, acts: Acts::new(incarnation) })
    }
}

/// Reads what decides over the worth of an acknowledgement, and what an operator should know.
pub(super) async fn inspect(settings: &Settings, expects_standby: bool) -> Result<Inspection, ConnectError> {
    let options = session::options(settings, None)?;
    let mut connection = session::first_connection(&options, settings).await?;
    inspect::inspect(&mut connection, expects_standby).await
}

/// Makes and drops partitions.
pub(super) async fn keep_up(settings: &Settings, upkeep: Upkeep) -> Result<Outcome, ConnectError> {
    partitions::keep_up(settings, upkeep).await
}

/// Moves the schema; with no direction only says what is applied.
pub(super) async fn migrate(
    settings: &Settings,
    direction: Option<Direction>,
) -> Result<Vec<StepStatus>, ConnectError> {
    let options = session::options(settings, None)?;
    let mut connection = session::first_connection(&options, settings).await?;
    migrate::run(&mut connection, direction).await
}

/// A session of nobody's, for what is done apart from a server.
pub(super) async fn connection(settings: &Settings) -> Result<sqlx::PgConnection, ConnectError> {
    session::first_connection(&session::options(settings, None)?, settings).await
}

#[async_trait]
impl AuditLog for PostgresLog {
    async fn record(&self, acts: &[Act]) -> Result<(), StoreError> {
        timed("record", acts::record(&self.database, &self.acts, acts)).await
    }
}

#[async_trait]
impl SettingsMemory for PostgresLog {
    async fn known_settings(&self, node: &str) -> Result<Vec<Fingerprint>, StoreError> {
        acts::known_settings(&self.database, node).await
    }

    async fn remember_settings(&self, node: &str, settings: &[Fingerprint]) -> Result<(), StoreError> {
        acts::remember_settings(&self.database, node, settings).await
    }
}

#[async_trait]
impl EventLog for PostgresLog {
    async fn register(&self, member: &Member) -> Result<(), StoreError> {
        timed("register", claim::register(&self.database, member)).await
    }

    async fn history_epoch(&self) -> Result<Uuid, StoreError> {
        timed("history_epoch", read::history_epoch(&self.database)).await
    }

    async fn open(&self, new: NewConversation) -> Result<Opening, StoreError> {
        timed("open", claim::open(&self.database, &new)).await
    }

    async fn claim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError> {
        timed("claim", claim::claim(&self.database, self.incarnation, (conversation, Take::IfFree), tail)).await
    }

    async fn reclaim(&self, conversation: ConversationId, tail: TailLimit) -> Result<Claim, StoreError> {
        timed("reclaim", claim::claim(&self.database, self.incarnation, (conversation, Take::OnlyOwn), tail)).await
    }

    async fn release(&self, held: &[(ConversationId, Fence)]) -> Result<(), StoreError> {
        timed("release", claim::release(&self.database, held)).await
    }

    async fn release_idle(&self, conversation: ConversationId) -> Result<(), StoreError> {
        timed("release_idle", claim::release_idle(&self.database, self.incarnation, conversation)).await
    }

    async fn retire(&self) -> Result<(), StoreError> {
        timed("retire", claim::retire(&self.database, self.incarnation)).await
    }

    async fn append(&self, batch: &[Append]) -> Result<Vec<AppendOutcome>, StoreError> {
        timed("append", append::append(&self.database, batch)).await
    }

    async fn known_keys(
        &self,
        conversation: ConversationId,
        participant: ParticipantId,
        ids: &[ClientMsgId],
    ) -> Result<Vec<KnownKey>, StoreError> {
        timed("known_keys", read::known_keys(&self.database, conversation, participant, ids)).await
    }

    async fn tail(&self, conversation: ConversationId, limit: TailLimit) -> Result<Option<Tail>, StoreError> {
        timed("tail", read::tail(&self.database, conversation, limit)).await
    }

    async fn page(&self, conversation: ConversationId, page: Page) -> Result<Vec<Entry>, StoreError> {
        timed("page", read::page(&self.database, conversation, page)).await
    }

    async fn summary(&self, conversation: ConversationId) -> Result<Option<Summary>, StoreError> {
        timed("summary", read::summary(&self.database, conversation)).await
    }

    async fn open_conversation_of(&self, customer: ParticipantId) -> Result<Option<ConversationId>, StoreError> {
        timed("open_conversation_of", read::open_conversation_of(&self.database, customer)).await
    }

    async fn open_conversations(
        &self,
        before: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        timed("open_conversations", read::open_conversations(&self.database, before, limit)).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
        let pool = self.database.pool();
        pool_connections(pool.size(), pool.num_idle());
        timed("due", read::due(&self.database, self.incarnation, now, limit)).await
    }

    async fn forsaken(&self, agents: &[ParticipantId], limit: usize) -> Result<Vec<Forsaken>, StoreError> {
        timed("forsaken", read::forsaken(&self.database, self.incarnation, agents, limit)).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        timed("waiting", read::waiting(&self.database)).await
    }

    async fn record_crash(
        &self,
        conversation: ConversationId,
        now: Timestamp,
        window_ms: u64,
    ) -> Result<u32, StoreError> {
        timed("record_crash", claim::record_crash(&self.database, conversation, now, window_ms)).await
    }

    async fn search(&self, search: &Search) -> Result<Vec<Hit>, StoreError> {
        timed("search", search::search(&self.database, search)).await
    }

    async fn index_texts(&self) -> Result<usize, StoreError> {
        timed("index_texts", search::index_texts(&self.database)).await
    }

    async fn ping(&self) -> Result<String, StoreError> {
        timed("ping", read::ping(&self.database)).await
    }
}
