//! What verification reads: rows in the order of their chains, page by page, all from one snapshot.
//!
//! Each backend hands over a connection on which that snapshot is open; the statements are the same.

use async_trait::async_trait;
use onya_actors::ports::StoreError;
use uuid::Uuid;

/// Which kind of chain a leaf belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The acts of one start of a process.
    Audit,
    /// The entries of one conversation.
    Conversation,
}

impl Kind {
    /// Both, in the order of their leaves in an anchor.
    pub(in crate::store) const ALL: [Self; 2] = [Self::Audit, Self::Conversation];

    /// The name in the database.
    pub(in crate::store) const fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Conversation => "conversation",
        }
    }
}

/// The end of a conversation's chain, as its row says.
#[derive(Clone, Debug)]
pub(in crate::store) struct HeadRow {
    pub(in crate::store) conversation: Uuid,
    pub(in crate::store) last_seq: i64,
    pub(in crate::store) link: Option<Vec<u8>>,
}

/// A row of `entries`, all of it.
#[derive(Clone, Debug)]
pub(in crate::store) struct EntryRow {
    pub(in crate::store) conversation: Uuid,
    pub(in crate::store) seq: i64,
    pub(in crate::store) customer_prev: i64,
    pub(in crate::store) customer_sees: bool,
    pub(in crate::store) at: i64,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) kind: String,
    pub(in crate::store) body: String,
    pub(in crate::store) participant: Option<Uuid>,
    pub(in crate::store) client_msg_id: Option<String>,
    pub(in crate::store) commitment: Option<Vec<u8>>,
    pub(in crate::store) salt: Option<Vec<u8>>,
    pub(in crate::store) body_commitment: Option<Vec<u8>>,
    pub(in crate::store) link: Option<Vec<u8>>,
}

/// A row of `audit_log`.
#[derive(Clone, Debug)]
pub(in crate::store) struct ActRow {
    pub(in crate::store) chain: Uuid,
    pub(in crate::store) n: i64,
    pub(in crate::store) at: i64,
    pub(in crate::store) actor: String,
    pub(in crate::store) actor_role: String,
    pub(in crate::store) action: String,
    pub(in crate::store) conversation: Option<Uuid>,
    pub(in crate::store) detail: String,
    pub(in crate::store) link: Vec<u8>,
}

/// A row of `audit_anchor_heads`.
#[derive(Clone, Debug)]
pub(in crate::store) struct LeafRow {
    pub(in crate::store) anchor: i64,
    pub(in crate::store) chain: Uuid,
    pub(in crate::store) position: i64,
    pub(in crate::store) link: Vec<u8>,
}

/// Rows in order, from one snapshot. Every `after` is exclusive.
#[async_trait]
pub(in crate::store) trait Source: Send {
    /// Heads of conversations, by id.
    async fn heads(&mut self, after: Uuid, limit: i64) -> Result<Vec<HeadRow>, StoreError>;

    /// Entries, by conversation and position.
    async fn entries(&mut self, after: (Uuid, i64), limit: i64) -> Result<Vec<EntryRow>, StoreError>;

    /// Acts, by chain and number.
    async fn acts(&mut self, after: (Uuid, i64), limit: i64) -> Result<Vec<ActRow>, StoreError>;

    /// The details of the acts of one kind on a conversation, newest first.
    async fn acts_on(&mut self, conversation: Uuid, action: &str) -> Result<Vec<String>, StoreError>;

    /// Leaves of one kind of chain, by chain, position and anchor.
    async fn leaves(&mut self, kind: Kind, after: (Uuid, i64, i64), limit: i64) -> Result<Vec<LeafRow>, StoreError>;

    /// Leaves of one anchor and kind, by chain.
    async fn leaves_of(&mut self, anchor: i64, kind: Kind, after: Uuid, limit: i64)
    -> Result<Vec<LeafRow>, StoreError>;

    /// The first and the newest anchor that has leaves.
    async fn anchors(&mut self) -> Result<Option<(i64, i64)>, StoreError>;
}

/// The columns of an entry, in the order of [`EntryRow`].
pub(in crate::store) type EntryColumns = (
    Uuid,
    i64,
    i64,
    bool,
    i64,
    i64,
    String,
    String,
    Option<Uuid>,
    Option<String>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
);
pub(in crate::store) type ActColumns = (Uuid, i64, i64, String, String, String, Option<Uuid>, String, Vec<u8>);
pub(in crate::store) type LeafColumns = (i64, Uuid, i64, Vec<u8>);

impl From<EntryColumns> for EntryRow {
    fn from(columns: EntryColumns) -> Self {
        Self {
            conversation: columns.0,
            seq: columns.1,
            customer_prev: columns.2,
            customer_sees: columns.3,
            at: columns.4,
            epoch: columns.5,
            kind: columns.6,
            body: columns.7,
            participant: columns.8,
            client_msg_id: columns.9,
            commitment: columns.10,
            salt: columns.11,
            body_commitment: columns.12,
            link: columns.13,
        }
    }
}

impl From<ActColumns> for ActRow {
    fn from(columns: ActColumns) -> Self {
        let (chain, n, at, actor, actor_role, action, conversation, detail, link) = columns;
        Self { chain, n, at, actor, actor_role, action, conversation, detail, link }
    }
}

impl From<LeafColumns> for LeafRow {
    fn from((anchor, chain, position, link): LeafColumns) -> Self {
        Self { anchor, chain, position, link }
    }
}

/// The statements, the same for both backends.
pub(in crate::store) mod sql {
    pub(in crate::store) const HEADS: &str =
        "SELECT id, last_seq, link FROM conversations WHERE id > $1 ORDER BY id LIMIT $2";
    pub(in crate::store) const ENTRIES: &str = "SELECT conversation, seq, customer_prev, customer_sees, at, epoch, kind, body, participant, client_msg_id, \
                commitment, salt, body_commitment, link \
         FROM entries WHERE (conversation, seq) > ($1, $2) ORDER BY conversation, seq LIMIT $3";
    pub(in crate::store) const ACTS: &str = "SELECT chain, n, at, actor, actor_role, action, conversation, detail, link \
         FROM audit_log WHERE (chain, n) > ($1, $2) ORDER BY chain, n LIMIT $3";
    pub(in crate::store) const ACTS_ON: &str =
        "SELECT detail FROM audit_log WHERE conversation = $1 AND action = $2 ORDER BY at DESC, chain DESC, n DESC";
    pub(in crate::store) const LEAVES: &str = "SELECT anchor, chain, position, link FROM audit_anchor_heads \
         WHERE kind = $1 AND (chain, position, anchor) > ($2, $3, $4) ORDER BY chain, position, anchor LIMIT $5";
    pub(in crate::store) const LEAVES_OF: &str = "SELECT anchor, chain, position, link FROM audit_anchor_heads \
         WHERE anchor = $1 AND kind = $2 AND chain > $3 ORDER BY chain LIMIT $4";
    pub(in crate::store) const ANCHORS: &str = "SELECT min(anchor), max(anchor) FROM audit_anchor_heads";
}

/// Implements [`Source`] for a struct with a field `connection`, given how the backend's errors are told.
macro_rules! source {
    ($source:ty, $error:path) => {
        #[async_trait::async_trait]
        impl Source for $source {
            async fn heads(&mut self, after: Uuid, limit: i64) -> Result<Vec<HeadRow>, StoreError> {
                let query = sqlx::query_as::<_, (Uuid, i64, Option<Vec<u8>>)>(sql::HEADS).bind(after).bind(limit);
                let rows = query.fetch_all(&mut self.connection).await.map_err($error)?;
                let head = |(conversation, last_seq, link)| HeadRow { conversation, last_seq, link };
                Ok(rows.into_iter().map(head).collect())
            }

            async fn entries(&mut self, after: (Uuid, i64), limit: i64) -> Result<Vec<EntryRow>, StoreError> {
                let query = sqlx::query_as::<_, EntryColumns>(sql::ENTRIES).bind(after.0).bind(after.1).bind(limit);
                let rows = query.fetch_all(&mut self.connection).await.map_err($error)?;
                Ok(rows.into_iter().map(EntryRow::from).collect())
            }

            async fn acts(&mut self, after: (Uuid, i64), limit: i64) -> Result<Vec<ActRow>, StoreError> {
                let query = sqlx::query_as::<_, ActColumns>(sql::ACTS).bind(after.0).bind(after.1).bind(limit);
                let rows = query.fetch_all(&mut self.connection).await.map_err($error)?;
                Ok(rows.into_iter().map(ActRow::from).collect())
            }

            async fn acts_on(&mut self, conversation: Uuid, action: &str) -> Result<Vec<String>, StoreError> {
                let query = sqlx::query_scalar(sql::ACTS_ON).bind(conversation).bind(action);
                query.fetch_all(&mut self.connection).await.map_err($error)
            }

            async fn leaves(
                &mut self,
                kind: Kind,
                (chain, position, anchor): (Uuid, i64, i64),
                limit: i64,
            ) -> Result<Vec<LeafRow>, StoreError> {
                let query = sqlx::query_as::<_, LeafColumns>(sql::LEAVES).bind(kind.name());
                let query = query.bind(chain).bind(position).bind(anchor).bind(limit);
                let rows = query.fetch_all(&mut self.connection).await.map_err($error)?;
                Ok(rows.into_iter().map(LeafRow::from).collect())
            }

            async fn leaves_of(
                &mut self,
                anchor: i64,
                kind: Kind,
                after: Uuid,
                limit: i64,
            ) -> Result<Vec<LeafRow>, StoreError> {
                let query = sqlx::query_as::<_, LeafColumns>(sql::LEAVES_OF).bind(anchor).bind(kind.name());
                let query = query.bind(after).bind(limit);
                let rows = query.fetch_all(&mut self.connection).await.map_err($error)?;
                Ok(rows.into_iter().map(LeafRow::from).collect())
            }

            async fn anchors(&mut self) -> Result<Option<(i64, i64)>, StoreError> {
                let query = sqlx::query_as::<_, (Option<i64>, Option<i64>)>(sql::ANCHORS);
                let (first, last) = query.fetch_one(&mut self.connection).await.map_err($error)?;
                Ok(first.zip(last))
            }
        }
    };
}

pub(in crate::store) use source;
