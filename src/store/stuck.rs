//! Conversations that nobody works on and somebody should, found in the database: apart from any server, beside those that
//! run. Nothing is changed.
//!
//! `queries/stuck.sql` says what counts, and why.

use uuid::Uuid;

use super::{Backend, ConnectError, Settings, postgres, sqlite};

/// Most that are found at once.
pub const MOST: usize = 1_000;

/// A conversation that does not go on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The conversation.
    pub conversation: Uuid,
    /// The reason, in one word.
    pub why: String,
    /// The incarnation that its row names as the owner.
    pub owner: Option<Uuid>,
    /// The owner's name; `None` if there is none, or it is dead.
    pub living_owner: Option<String>,
    /// The open turn.
    pub turn: Option<i64>,
    /// For how long it has been due, in ms; negative if that is still to come. `None`: nothing is.
    pub overdue_ms: Option<i64>,
}

type Row = (Uuid, String, Option<Uuid>, Option<String>, Option<i64>, Option<i64>);

const STUCK: &str = include_str!("queries/stuck.sql");
const NOW_POSTGRES: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const NOW_SQLITE: &str = "SELECT unixepoch() * 1000";
const MOST_ROWS: i64 = MOST as i64;

fn failed(error: sqlx::Error) -> ConnectError {
    ConnectError::Unreachable(error.to_string())
}

/// Those whose timer was due more than `grace_ms` ago by the database's clock, or that lack what would bring them on; at
/// most [`MOST`].
///
/// # Errors
/// When the database cannot be reached or lacks a step of the schema.
pub async fn list(settings: &Settings, grace_ms: i64) -> Result<Vec<Stuck>, ConnectError> {
    let (now, rows): (i64, Vec<Row>) = match settings.backend()? {
        Backend::Postgres => {
            let mut database = postgres::connection(settings).await?;
            let now = sqlx::query_scalar(NOW_POSTGRES).fetch_one(&mut database).await.map_err(failed)?;
            let found = sqlx::query_as(STUCK).bind(now - grace_ms).bind(MOST_ROWS).fetch_all(&mut database);
            (now, found.await.map_err(failed)?)
        }
        Backend::Sqlite(file) => {
            let mut database = sqlite::connection(settings, &file).await?;
            let now = sqlx::query_scalar(NOW_SQLITE).fetch_one(&mut database).await.map_err(failed)?;
            let found = sqlx::query_as(STUCK).bind(now - grace_ms).bind(MOST_ROWS).fetch_all(&mut database);
            (now, found.await.map_err(failed)?)
        }
    };
    let stuck = |(conversation, why, owner, living_owner, turn, due): Row| Stuck {
        conversation,
        why,
        owner,
        living_owner,
        turn,
        overdue_ms: due.map(|due| now - due),
    };
    Ok(rows.into_iter().map(stuck).collect())
}
