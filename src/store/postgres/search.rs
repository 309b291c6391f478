//! Search, and the step that makes texts searchable.

use std::future::Future;

use onya_actors::ports::{Hit, Place, Search, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, SqlSafeStr as _};
use uuid::Uuid;

use super::database::Database;
use super::error::{Fault, fault, of_read, of_write};
use crate::store::search::{BehindRow, HitRow, INDEX_STEP, Looked, STEP_TEXTS, Step, TextRow, advance};
use crate::store::stored;

/// How many of the newest texts are looked at one by one before the index of words is asked.
const NEWEST: i64 = 2_000;

/// The server gives up a search before we do, so that it does not go on for nobody. The index of words has a plan of its
/// own kind, which all other queries do without.
pub(super) const BEGIN_SEARCH: &str = "BEGIN READ ONLY; SET LOCAL enable_bitmapscan = on; SET LOCAL statement_timeout = '5s'; SET LOCAL work_mem = '16MB'";

/// What a step writes could be made again from the log. It must not keep an append waiting, and does not wait for one.
const BEGIN_STEP: &str = "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = '50ms'";

/// One server takes a step at a time; the number is "words" in ASCII.
const STEP_LOCK: i64 = 0x77_6f72_6473;

pub(super) async fn search(database: &Database, search: &Search) -> Result<Vec<Hit>, StoreError> {
    let looked = Looked::new(search)?;
    let before = search.before.map_or((i64::MAX, Uuid::max(), i64::MAX), columns);
    let limit = stored::saturated(search.limit);
    let mut checkout = database.connection().await?;
    let connection = checkout.get();
    let hits = database
        .read(async move {
            let mut transaction = connection.begin_with(BEGIN_SEARCH.into_sql_str()).await.map_err(of_read)?;
            let mut rows = newest(&mut transaction, &looked, before, limit).await.map_err(of_read)?;
            if rows.len() < search.limit {
                rows = all(&mut transaction, &looked, before, limit).await.map_err(of_read)?;
            }
            transaction.commit().await.map_err(of_read)?;
            looked.hits(rows)
        })
        .await?;
    checkout.done();
    Ok(hits)
}

fn columns(place: Place) -> (i64, Uuid, i64) {
    (place.at.0, place.conversation.0, stored::saturated(place.seq))
}

pub(super) fn newest<'a>(
    connection: &'a mut PgConnection,
    looked: &Looked,
    (at, conversation, seq): (i64, Uuid, i64),
    limit: i64,
) -> impl Future<Output = Result<Vec<HitRow>, sqlx::Error>> + use<'a> {
    let query = sqlx::query_as(include_str!("queries/search_newest.sql")).bind(looked.tsquery());
    query.bind(at).bind(conversation).bind(seq).bind(NEWEST).bind(limit).fetch_all(connection)
}

pub(super) fn all<'a>(
    connection: &'a mut PgConnection,
    looked: &Looked,
    (at, conversation, seq): (i64, Uuid, i64),
    limit: i64,
) -> impl Future<Output = Result<Vec<HitRow>, sqlx::Error>> + use<'a> {
    let query = sqlx::query_as(include_str!("queries/search_all.sql")).bind(looked.tsquery());
    query.bind(at).bind(conversation).bind(seq).bind(limit).fetch_all(connection)
}

/// All of a step or, if somebody is in the way of one conversation, each conversation by itself.
pub(super) async fn index_texts(database: &Database) -> Result<usize, StoreError> {
    let mut checkout = database.connection().await?;
    let connection = checkout.get();
    let done = database
        .write(async move {
            let mut steps = Vec::new();
            for (row, texts) in behind(connection).await.map_err(of_read)? {
                steps.push(advance(row, texts)?);
                // Long texts take their time, and others wait for this thread.
                tokio::task::yield_now().await;
            }
            if steps.is_empty() || write(connection, &steps).await? {
                return Ok(steps.len());
            }
            let mut done = 0;
            for step in &steps {
                done += usize::from(write(connection, std::slice::from_ref(step)).await?);
            }
            Ok(done)
        })
        .await?;
    checkout.done();
    Ok(done)
}

/// What there is to do.
async fn behind(connection: &mut PgConnection) -> Result<Vec<(BehindRow, Vec<TextRow>)>, sqlx::Error> {
    type Row = (Uuid, i64, i64, Option<i64>, Option<i64>, Option<String>);
    let query =
        sqlx::query_as(include_str!("queries/unsearched.sql")).bind(stored::saturated(INDEX_STEP)).bind(STEP_TEXTS);
    let rows: Vec<Row> = query.fetch_all(connection).await?;
    let mut behind: Vec<(BehindRow, Vec<TextRow>)> = Vec::new();
    for (id, searched_seq, last_seq, seq, at, body) in rows {
        if behind.last().is_none_or(|((last, ..), _)| *last != id) {
            behind.push(((id, searched_seq, last_seq), Vec::new()));
        }
        if let (Some((_, texts)), Some(seq), Some(at), Some(body)) = (behind.last_mut(), seq, at, body) {
            texts.push((seq, at, body));
        }
    }
    Ok(behind)
}

/// Writes a step in one transaction; `false` if nothing was written, because somebody is in the way or was here since.
///
/// The words come first: it is the conversations' rows that an append needs, and they are held for a moment only.
pub(super) async fn write(connection: &mut PgConnection, steps: &[Step]) -> Result<bool, StoreError> {
    let mut transaction = connection.begin_with(BEGIN_STEP.into_sql_str()).await.map_err(of_read)?;
    let written = match write_within(&mut transaction, steps).await {
        Err(error) if fault(&error) == Fault::Conflict => false,
        written => written.map_err(of_read)?,
    };
    if !written {
        return transaction.rollback().await.map(|()| false).map_err(of_read);
    }
    transaction.commit().await.map(|()| true).map_err(of_write)
}

async fn write_within(connection: &mut PgConnection, steps: &[Step]) -> Result<bool, sqlx::Error> {
    let alone: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(STEP_LOCK).fetch_one(&mut *connection).await?;
    if !alone {
        return Ok(false);
    }
    let texts = || steps.iter().flat_map(|(_, texts)| texts);
    if texts().next().is_some() {
        sqlx::query(include_str!("queries/index_texts.sql"))
            .bind(texts().map(|text| text.conversation).collect::<Vec<_>>())
            .bind(texts().map(|text| text.seq).collect::<Vec<_>>())
            .bind(texts().map(|text| text.at).collect::<Vec<_>>())
            .bind(texts().map(|text| text.words.as_str()).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    let advances = || steps.iter().map(|(advance, _)| advance);
    let moved = sqlx::query(include_str!("queries/indexed.sql"))
        .bind(advances().map(|advance| advance.conversation).collect::<Vec<_>>())
        .bind(advances().map(|advance| advance.before).collect::<Vec<_>>())
        .bind(advances().map(|advance| advance.reached).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(moved.rows_affected() == steps.len() as u64)
}
