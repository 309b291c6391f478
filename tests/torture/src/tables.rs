//! The final tables, read behind the server's back and kept beside the history.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};
use uuid::Uuid;

use crate::audit::Verified;

/// What is stored at the end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tables {
    /// Position of the newest entry, by conversation.
    pub last_seqs: BTreeMap<Uuid, u64>,
    /// Rows by conversation, in the order of their positions.
    pub entries: BTreeMap<Uuid, Vec<Entry>>,
    pub turns: Vec<Turn>,
    pub dead_letters: usize,
    /// The record of what is done beside the logs.
    pub acts: Vec<Act>,
    /// What the program itself says of the chains.
    pub verified: Verified,
}

/// A row of `entries`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub seq: u64,
    pub epoch: u64,
    pub kind: String,
    pub customer_sees: bool,
    pub participant: Option<Uuid>,
    pub id: Option<String>,
    pub body: Value,
}

/// A row of `turns`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub conversation: Uuid,
    pub turn: u64,
    pub attempt: u64,
    pub outcome: Option<String>,
}

/// A row of `audit_log`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Act {
    pub actor: String,
    pub role: String,
    pub action: String,
    pub conversation: Option<Uuid>,
    pub detail: Value,
}

/// Where the tables lie.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Postgres(String),
    Sqlite(String),
}

const CONVERSATIONS: &str = "SELECT id, last_seq FROM conversations";
const ENTRIES: &str = "SELECT conversation, seq, epoch, kind, customer_sees, participant, client_msg_id, body \
                       FROM entries ORDER BY conversation, seq";
const TURNS: &str = "SELECT conversation, turn, attempt, outcome FROM turns";
const DEAD_LETTERS: &str = "SELECT count(*) FROM dead_letters";
const ACTS: &str = "SELECT actor, actor_role, action, conversation, detail FROM audit_log ORDER BY chain, n";
const OPEN_TURNS: &str = "SELECT count(*) FROM turns WHERE ended_seq IS NULL";

macro_rules! read_with {
    ($connection:expr) => {{
        let mut tables = Tables::default();
        for row in sqlx::query(CONVERSATIONS).fetch_all(&mut $connection).await? {
            tables.last_seqs.insert(row.try_get(0)?, number(row.try_get(1)?)?);
        }
        for row in sqlx::query(ENTRIES).fetch_all(&mut $connection).await? {
            let entry = Entry {
                seq: number(row.try_get(1)?)?,
                epoch: number(row.try_get(2)?)?,
                kind: row.try_get(3)?,
                customer_sees: row.try_get(4)?,
                participant: row.try_get(5)?,
                id: row.try_get(6)?,
                body: serde_json::from_str(row.try_get(7)?)?,
            };
            tables.entries.entry(row.try_get(0)?).or_default().push(entry);
        }
        for row in sqlx::query(TURNS).fetch_all(&mut $connection).await? {
            tables.turns.push(Turn {
                conversation: row.try_get(0)?,
                turn: number(row.try_get(1)?)?,
                attempt: number(row.try_get(2)?)?,
                outcome: row.try_get(3)?,
            });
        }
        let dead_letters: i64 = sqlx::query_scalar(DEAD_LETTERS).fetch_one(&mut $connection).await?;
        tables.dead_letters = usize::try_from(dead_letters)?;
        for row in sqlx::query(ACTS).fetch_all(&mut $connection).await? {
            tables.acts.push(Act {
                actor: row.try_get(0)?,
                role: row.try_get(1)?,
                action: row.try_get(2)?,
                conversation: row.try_get(3)?,
                detail: serde_json::from_str(row.try_get(4)?)?,
            });
        }
        Ok(tables)
    }};
}

impl Source {
    pub(crate) async fn read(&self) -> Result<Tables> {
        match self {
            Self::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await?;
                read_with!(connection)
            }
            Self::Sqlite(url) => {
                let mut connection = SqliteConnection::connect(url).await?;
                read_with!(connection)
            }
        }
    }

    /// How many turns have not ended yet.
    pub(crate) async fn open_turns(&self) -> Result<i64> {
        Ok(match self {
            Self::Postgres(url) => {
                sqlx::query_scalar(OPEN_TURNS).fetch_one(&mut PgConnection::connect(url).await?).await?
            }
            Self::Sqlite(url) => {
                sqlx::query_scalar(OPEN_TURNS).fetch_one(&mut SqliteConnection::connect(url).await?).await?
            }
        })
    }
}

impl Tables {
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, serde_json::to_vec(self)?)?)
    }

    pub(crate) fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

fn number(number: i64) -> Result<u64> {
    Ok(u64::try_from(number)?)
}
