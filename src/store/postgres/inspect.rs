//! What an operator should know of the database: its durability.

use sqlx::postgres::PgConnection;

use super::error::describe;
use super::partitions::notices;
use super::session;
use crate::store::durability::PostgresSettings;
use crate::store::{ConnectError, Inspection};

pub(super) async fn inspect(connection: &mut PgConnection, expects_standby: bool) -> Result<Inspection, ConnectError> {
    let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
    session::prepare(connection).await.map_err(failed)?;
    let settings: (String, String, String, String) = sqlx::query_as(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), \
         current_setting('synchronous_standby_names')",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let (fsync, full_page_writes, synchronous_commit, synchronous_standby_names) = settings;
    let settings = PostgresSettings { fsync, full_page_writes, synchronous_commit, synchronous_standby_names };
    let notices = notices(connection).await.map_err(failed)?;
    Ok(Inspection { durability: settings.judge(expects_standby), notices })
}
