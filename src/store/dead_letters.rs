//! What could not be stored, for an operator to look at: listed, shown and removed, apart from any server.
//!
//! Nothing that a server does depends on these rows, so neither ownership nor the lock on the data folder is needed: it
//! works while one runs. Nothing is created or migrated.

use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::{Backend, ConnectError, Settings, postgres, sqlite};

/// An append that could not be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its name.
    pub id: Uuid,
    /// The conversation that it was meant for.
    pub conversation: Uuid,
    /// The conversation's newest position before it.
    pub expected_seq: i64,
    /// When it was given up, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The same, for people: `2026-01-31T12:00:00Z`.
    pub when: String,
    /// What the database had against it; never a text of it.
    pub reason: String,
    /// Size of its entries, in bytes.
    pub bytes: i64,
}

type Row = (Uuid, Uuid, i64, i64, String, String, i64);

const LIST_POSTGRES: &str = "SELECT id, conversation, expected_seq, at, \
     to_char(to_timestamp(at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), reason, \
     length(entries)::bigint FROM dead_letters ORDER BY at, id";
const LIST_SQLITE: &str = "SELECT id, conversation, expected_seq, at, \
     strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch'), reason, length(entries) \
     FROM dead_letters ORDER BY at, id";
const SHOW: &str = "SELECT entries FROM dead_letters WHERE id = $1";
const REMOVE: &str = "DELETE FROM dead_letters WHERE id = $1";

enum Connection {
    Postgres(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
}

async fn connect(settings: &Settings) -> Result<Connection, ConnectError> {
    Ok(match settings.backend()? {
        Backend::Postgres => Connection::Postgres(Box::new(postgres::connection(settings).await?)),
        Backend::Sqlite(file) => Connection::Sqlite(Box::new(sqlite::connection(settings, &file).await?)),
    })
}

fn failed(error: sqlx::Error) -> ConnectError {
    ConnectError::Unreachable(error.to_string())
}

/// All of them, oldest first.
///
/// # Errors
/// When the database cannot be reached or was never migrated.
pub async fn list(settings: &Settings) -> Result<Vec<DeadLetter>, ConnectError> {
    let rows: Vec<Row> = match connect(settings).await? {
        Connection::Postgres(mut database) => sqlx::query_as(LIST_POSTGRES).fetch_all(&mut *database).await,
        Connection::Sqlite(mut database) => sqlx::query_as(LIST_SQLITE).fetch_all(&mut *database).await,
    }
    .map_err(failed)?;
    let letter = |(id, conversation, expected_seq, at, when, reason, bytes): Row| DeadLetter {
        id,
        conversation,
        expected_seq,
        at,
        when,
        reason,
        bytes,
    };
    Ok(rows.into_iter().map(letter).collect())
}

/// The entries of one as they were to be stored, in JSON; `None` if there is no such letter.
///
/// # Errors
/// As [`list`].
pub async fn entries(settings: &Settings, id: Uuid) -> Result<Option<Vec<u8>>, ConnectError> {
    match connect(settings).await? {
        Connection::Postgres(mut database) => sqlx::query_scalar(SHOW).bind(id).fetch_optional(&mut *database).await,
        Connection::Sqlite(mut database) => sqlx::query_scalar(SHOW).bind(id).fetch_optional(&mut *database).await,
    }
    .map_err(failed)
}

/// Removes one for good; whether there was such a letter.
///
/// # Errors
/// As [`list`].
pub async fn remove(settings: &Settings, id: Uuid) -> Result<bool, ConnectError> {
    let removed = match connect(settings).await? {
        Connection::Postgres(mut database) => {
            sqlx::query(REMOVE).bind(id).execute(&mut *database).await.map(|done| done.rows_affected())
        }
        Connection::Sqlite(mut database) => {
            sqlx::query(REMOVE).bind(id).execute(&mut *database).await.map(|done| done.rows_affected())
        }
    };
    removed.map(|rows| rows > 0).map_err(failed)
}
