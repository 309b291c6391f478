//! The record of acts: one chain, which this start of the process writes.

use sqlx::postgres::PgConnection;

use crate::store::audit::source::ActRow;

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
