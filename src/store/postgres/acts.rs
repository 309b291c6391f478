//! The record of acts: one chain, which this start of the process writes.

use onya_actors::ports::{Act, StoreError};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::database::Database;
use super::error::{of_read, of_write};
use crate::store::audit::act::{Acts, LAST, head_of, rows_after};
use crate::store::audit::settings::{self, Fingerprint};
use crate::store::audit::source::ActRow;

/// Adds acts to the chain, all of them or none.
pub(super) async fn record(database: &Database, acts: &Acts, new: &[Act]) -> Result<(), StoreError> {
    let mut head = acts.head.lock().await;
    let mut checkout = database.connection().await?;
    let connection = checkout.get();
    // Whatever ends this before its outcome is known leaves the end unknown, and the next call reads it.
    let known = head.take();
    let after = database
        .write(async move {
            let end = match known {
                Some(end) => end,
                None => last(connection, acts.chain).await?,
            };
            let (rows, after) = rows_after(new, acts.chain, end);
            insert(connection, &rows).await.map_err(of_write)?;
            Ok(after)
        })
        .await?;
    *head = Some(after);
    checkout.done();
    Ok(())
}

async fn last(connection: &mut PgConnection, chain: Uuid) -> Result<(i64, crate::store::chain::Hash), StoreError> {
    head_of(sqlx::query_as(LAST).bind(chain).fetch_optional(connection).await.map_err(of_read)?)
}

/// Inserts acts in one statement.
pub(super) async fn insert(connection: &mut PgConnection, acts: &[ActRow]) -> Result<(), sqlx::Error> {
    let column = |text: fn(&ActRow) -> &str| acts.iter().map(text).collect::<Vec<_>>();
    let number = |number: fn(&ActRow) -> i64| acts.iter().map(number).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO audit_log (chain, n, at, actor, actor_role, action, conversation, detail, link) \
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::uuid[], \
                              $8::text[], $9::bytea[])",
    )
    .bind(acts.iter().map(|act| act.chain).collect::<Vec<_>>())
    .bind(number(|act| act.n))
    .bind(number(|act| act.at))
    .bind(column(|act| &act.actor))
    .bind(column(|act| &act.actor_role))
    .bind(column(|act| &act.action))
    .bind(acts.iter().map(|act| act.conversation).collect::<Vec<_>>())
    .bind(column(|act| &act.detail))
    .bind(acts.iter().map(|act| act.link.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(|_| ())
}

/// What a node was configured with at its last start.
pub(super) async fn known_settings(database: &Database, node: &str) -> Result<Vec<Fingerprint>, StoreError> {
    let mut checkout = database.connection().await?;
    let query = sqlx::query_as(settings::KNOWN).bind(node).fetch_all(checkout.get());
    let rows: Vec<settings::Columns> = database.read(async { query.await.map_err(of_read) }).await?;
    checkout.done();
    Ok(rows.into_iter().map(Fingerprint::from).collect())
}

/// Puts other settings in their place.
pub(super) async fn remember_settings(
    database: &Database,
    node: &str,
    settings: &[Fingerprint],
) -> Result<(), StoreError> {
    let mut checkout = database.connection().await?;
    let connection = checkout.get();
    database
        .write(async move {
            let mut transaction = connection.begin().await.map_err(of_read)?;
            sqlx::query(settings::FORGET).bind(node).execute(&mut *transaction).await.map_err(of_read)?;
            for one in settings {
                let query = sqlx::query(settings::REMEMBER).bind(node).bind(&one.setting).bind(&one.salt);
                query.bind(&one.digest).execute(&mut *transaction).await.map_err(of_read)?;
            }
            transaction.commit().await.map_err(of_write)
        })
        .await?;
    checkout.done();
    Ok(())
}
