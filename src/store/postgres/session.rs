//! How every connection is set up.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::error::describe;
use crate::store::{ConnectError, Settings};

/// The oldest major version that is supported.
const OLDEST_MAJOR: i32 = 15;
/// A connection that was idle for longer is tried before it is used: a restart of the server in the meantime must not
/// make the next append unknown.
pub(super) const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// Longest time a transaction may wait for its client before the server ends it, as a multiple of the lock timeout: a
/// stopped process must not hold a conversation for ever.
const IDLE_TRANSACTION_LOCK_TIMEOUTS: u64 = 5;

/// Options for a session of this incarnation.
///
/// There is no time limit on the server for a statement: one that fires while a commit waits for a synchronous replica
/// would let the commit *succeed*, with a warning only. The limit is ours, and ends with the connection.
pub(super) fn options(settings: &Settings, incarnation: Option<Uuid>) -> Result<PgConnectOptions, ConnectError> {
    let options = PgConnectOptions::from_str(&settings.url).map_err(|error| ConnectError::Url(error.to_string()))?;
    let name = incarnation.map_or_else(|| "onya migrate".to_owned(), name);
    let idle_transaction_ms = settings.lock_timeout_ms.saturating_mul(IDLE_TRANSACTION_LOCK_TIMEOUTS);
    Ok(options
        .application_name(&name)
        .options([
            ("default_transaction_isolation", "read committed".to_owned()),
            ("statement_timeout", "0".to_owned()),
            ("lock_timeout", settings.lock_timeout_ms.to_string()),
            ("idle_in_transaction_session_timeout", idle_transaction_ms.to_string()),
            // Planning the batch statement takes longer than running it for one conversation, and a plan made while the
            // tables were small must not read all of them when they are large: one plan per session, along the indexes.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            ("enable_seqscan", "off".to_owned()),
            ("enable_bitmapscan", "off".to_owned()),
            ("jit", "off".to_owned()),
        ])
        .disable_statement_logging())
}

/// What the sessions of an incarnation are called in the database.
pub(super) fn name(incarnation: Uuid) -> String {
    format!("onya {incarnation}")
}

/// Makes commits durable where the server or the role has that switched off.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Connects and refuses a server that is too old or only a replica.
pub(super) async fn first_connection(
    options: &PgConnectOptions,
    settings: &Settings,
) -> Result<PgConnection, ConnectError> {
    let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
    let connecting = tokio::time::timeout(settings.acquire_timeout(), options.connect()).await;
    let too_slow = || format!("no answer within {} ms", settings.acquire_timeout_ms);
    let mut connection = connecting.map_err(|_| ConnectError::Unreachable(too_slow()))?.map_err(failed)?;
    let (version, found, replica): (i32, String, bool) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery()",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(failed)?;
    check_server(version, found, replica)?;
    Ok(connection)
}

fn check_server(version: i32, found: String, replica: bool) -> Result<(), ConnectError> {
    if version / 10_000 < OLDEST_MAJOR {
        return Err(ConnectError::TooOld { found });
    }
    if replica { Err(ConnectError::Replica) } else { Ok(()) }
}

/// Whether a connection that was idle still answers.
pub(super) async fn is_alive(connection: &mut PgConnection, limit: Duration) -> bool {
    matches!(tokio::time::timeout(limit, connection.ping()).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_or_a_replica_is_refused_with_a_clear_line() {
        let error = check_server(140_012, "14.12".to_owned(), false).unwrap_err();
        assert_eq!(error.to_string(), "PostgreSQL 14.12 is too old: Onya needs 15 or newer");
        assert_eq!(check_server(170_001, "17.1".to_owned(), true), Err(ConnectError::Replica));
        assert_eq!(check_server(150_000, "15.0".to_owned(), false), Ok(()));
    }

    #[test]
    fn a_malformed_url_is_refused_without_its_password() {
        let settings = Settings::new("postgres://user:s3cret@host:port/name");
        let line = options(&settings, None).unwrap_err().to_string();
        assert!(!line.contains("s3cret"), "{line}");
    }
}
