//! The record of acts: one chain, which this start of the process writes.

use sqlx::SqliteConnection;

use crate::store::audit::source::ActRow;

/// Inserts acts; atomic only within a transaction.
pub(super) async fn insert(connection: &mut SqliteConnection, acts: &[ActRow]) -> Result<(), sqlx::Error> {
    for act in acts {
        sqlx::query(
            "INSERT INTO audit_log (chain, n, at, actor, actor_role, action, conversation, detail, link, moved) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, (SELECT coalesce(max(moved), 0) + 1 FROM audit_log))",
        )
        .bind(act.chain)
        .bind(act.n)
        .bind(act.at)
        .bind(&act.actor)
        .bind(&act.actor_role)
        .bind(&act.action)
        .bind(act.conversation)
        .bind(&act.detail)
        .bind(&act.link)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
