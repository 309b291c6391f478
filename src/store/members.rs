//! The members as people see them, and a drain that is asked for from outside: apart from any server, beside those that
//! run.

use uuid::Uuid;

use super::{Backend, ConnectError, Settings, postgres, sqlite};

/// A member that is not dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The node's name.
    pub name: String,
    /// Which start of it.
    pub incarnation: Uuid,
    /// `joining`, `live` or `draining`.
    pub standing: String,
    /// `both`, `edge` or `owner`.
    pub role: String,
    /// Where other members reach it; empty if they cannot.
    pub address: String,
    /// The version of the program; empty if it is from before that was told.
    pub release: String,
    /// Its heartbeat; `None` if it has none: the database is embedded, or the program is from before heartbeats.
    pub heartbeat: Option<Heartbeat>,
}

/// What a member told with its newest heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// When, in milliseconds since the Unix epoch by the database's clock.
    pub at_ms: i64,
    /// How long ago, in milliseconds.
    pub age_ms: i64,
    /// Open sockets.
    pub sockets: i64,
    /// Conversations that are live or have readers.
    pub conversations: i64,
}

/// What became of asking a node to drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// It has been told, now or before.
    Told {
        /// This start of it.
        incarnation: Uuid,
        /// When, in milliseconds since the Unix epoch by the database's clock.
        at_ms: i64,
    },
    /// Nobody of this name is alive any more.
    Gone,
    /// Nobody was ever called so.
    Unknown,
}

type Row = (String, Uuid, String, String, String, String, Option<i64>, i64, i64, i64);

const LIST_POSTGRES: &str = "SELECT name, incarnation, standing, role, address, release, \
     floor(extract(epoch FROM heartbeat_at) * 1000)::bigint, \
     coalesce(floor(extract(epoch FROM now() - heartbeat_at) * 1000)::bigint, 0), sockets, conversations \
     FROM members WHERE state = 'live' ORDER BY name";
const LIST_SQLITE: &str = "SELECT name, incarnation, standing, role, address, release, NULL, 0, 0, 0 \
     FROM members WHERE state = 'live' ORDER BY name";
const DRAIN: &str = "UPDATE members SET standing = 'draining' WHERE name = $1 AND state = 'live' \
     RETURNING incarnation, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const IS_KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM members WHERE name = $1)";

fn failed(error: sqlx::Error) -> ConnectError {
    ConnectError::Unreachable(error.to_string())
}

/// Everybody who is not dead, by name.
///
/// # Errors
/// When the database cannot be reached or lacks a step of the schema.
pub async fn list(settings: &Settings) -> Result<Vec<Listed>, ConnectError> {
    let rows: Vec<Row> = match settings.backend()? {
        Backend::Postgres => {
            let mut database = postgres::connection(settings).await?;
            sqlx::query_as(LIST_POSTGRES).fetch_all(&mut database).await
        }
        Backend::Sqlite(file) => {
            let mut database = sqlite::connection(settings, &file).await?;
            sqlx::query_as(LIST_SQLITE).fetch_all(&mut database).await
        }
    }
    .map_err(failed)?;
    let listed = |(name, incarnation, standing, role, address, release, at_ms, age_ms, sockets, conversations): Row| {
        let heartbeat = at_ms.map(|at_ms| Heartbeat { at_ms, age_ms, sockets, conversations });
        Listed { name, incarnation, standing, role, address, release, heartbeat }
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// Marks a node as draining. A running server notices it by itself.
///
/// # Errors
/// As [`list`]; an embedded database has no nodes that could be told.
pub async fn drain(settings: &Settings, name: &str) -> Result<Drain, ConnectError> {
    let Backend::Postgres = settings.backend()? else {
        return Err(ConnectError::Url("an embedded database serves one process, which SIGTERM drains".to_owned()));
    };
    let mut database = postgres::connection(settings).await?;
    let told: Option<(Uuid, i64)> =
        sqlx::query_as(DRAIN).bind(name).fetch_optional(&mut database).await.map_err(failed)?;
    if let Some((incarnation, at_ms)) = told {
        return Ok(Drain::Told { incarnation, at_ms });
    }
    let is_known: bool = sqlx::query_scalar(IS_KNOWN).bind(name).fetch_one(&mut database).await.map_err(failed)?;
    Ok(if is_known { Drain::Gone } else { Drain::Unknown })
}
