//! Search, and the step that makes texts searchable.

use onya_actors::ports::{Hit, Place, Search, StoreError};
use sqlx::SqliteConnection;

use super::database::{Database, commit};
use super::error::before;
use crate::store::search::{BehindRow, HitRow, INDEX_STEP, Indexed, Looked, STEP_TEXTS, TextRow, advance};
use crate::store::stored;

pub(super) async fn search(database: &Database, search: &Search) -> Result<Vec<Hit>, StoreError> {
    let looked = Looked::new(search)?;
    let mut reader = database.readers().acquire().await.map_err(before)?;
    let below = match search.before {
        Some(place) => identifier(&mut reader, place).await?,
        None => i64::MAX,
    };
    let rows: Vec<HitRow> = sqlx::query_as(include_str!("queries/search.sql"))
        .bind(looked.fts5())
        .bind(below)
        .bind(stored::saturated(search.limit))
        .fetch_all(&mut *reader)
        .await
        .map_err(before)?;
    looked.hits(rows)
}

/// The place in the index. If what stood there is gone, the end of its millisecond: better something twice than missed.
async fn identifier(connection: &mut SqliteConnection, place: Place) -> Result<i64, StoreError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT id FROM search WHERE conversation = $1 AND seq = $2")
        .bind(place.conversation.0)
        .bind(stored::saturated(place.seq))
        .fetch_optional(connection)
        .await
        .map_err(before)?;
    Ok(found.unwrap_or_else(|| place.at.0.saturating_add(1).saturating_mul(1 << 20)))
}

/// One transaction: nobody else writes meanwhile.
pub(super) async fn index_texts(database: &Database) -> Result<usize, StoreError> {
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    let query = sqlx::query_as(include_str!("queries/unsearched.sql")).bind(stored::saturated(INDEX_STEP));
    let rows: Vec<BehindRow> = query.fetch_all(&mut *transaction).await.map_err(before)?;
    let (mut done, mut texts) = (0, Vec::new());
    for row in rows {
        let query = sqlx::query_as(include_str!("queries/unsearched_texts.sql"));
        let query = query.bind(row.0).bind(row.1).bind(row.2).bind(STEP_TEXTS);
        let said: Vec<TextRow> = query.fetch_all(&mut *transaction).await.map_err(before)?;
        let (advance, indexed) = advance(row, said)?;
        sqlx::query("UPDATE conversations SET searched_seq = $2 WHERE id = $1")
            .bind(advance.conversation)
            .bind(advance.reached)
            .execute(&mut *transaction)
            .await
            .map_err(before)?;
        texts.extend(indexed);
        done += 1;
    }
    // The full-text index takes what comes in its own order without a detour.
    texts.sort_unstable();
    for text in &texts {
        index(&mut transaction, text).await.map_err(before)?;
    }
    commit(transaction).await?;
    writer.done();
    Ok(done)
}

async fn index(connection: &mut SqliteConnection, text: &Indexed) -> Result<(), sqlx::Error> {
    let id: Option<i64> = sqlx::query_scalar(include_str!("queries/index_text.sql"))
        .bind(text.at)
        .bind(text.conversation)
        .bind(text.seq)
        .fetch_optional(&mut *connection)
        .await?;
    // It is there already.
    let Some(id) = id else { return Ok(()) };
    let insert = sqlx::query("INSERT INTO search_words (rowid, words) VALUES ($1, $2)").bind(id);
    insert.bind(&text.words).execute(connection).await.map(|_| ())
}
