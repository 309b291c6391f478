//! What Postgres says of the partitions there are.

use sqlx::postgres::PgConnection;

use crate::store::calendar::Month;

/// Whether the table has partitions at all: a database of an earlier version has not.
pub(super) async fn is_partitioned(connection: &mut PgConnection, table: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_class WHERE oid = to_regclass($1) AND relkind = 'p')")
        .bind(table)
        .fetch_one(connection)
        .await
}

/// The months that have a partition. Others, made by hand under other names, are nobody's business here.
pub(super) async fn existing(connection: &mut PgConnection, table: &str) -> Result<Vec<Month>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT child.relname::text FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid \
         WHERE inhparent = to_regclass($1) ORDER BY child.relname",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let month = |name: &String| Month::parse(name.strip_prefix(table)?.strip_prefix('_')?);
    Ok(names.iter().filter_map(month).collect())
}

/// Constraints of this name on the default partition.
pub(super) async fn leftovers(
    connection: &mut PgConnection,
    table: &str,
    constraint: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT conname::text FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2")
        .bind(format!("{table}_default"))
        .bind(constraint)
        .fetch_all(connection)
        .await
}
