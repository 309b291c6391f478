//! Ownership: members, claims and releases, each one transaction; and creation, which needs no owner.

use onya_actors::ports::{Claim, Fence, Member, NewConversation, Opening, Owned, StoreError, TailLimit};
use onya_core::conversation::Event;
use onya_core::{ConversationId, Incarnation, Timestamp};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;

use super::append::write_entry;
use super::database::{Database, commit};
use super::error::before;
use super::read;
use crate::store::Take;
use crate::store::chain;
use crate::store::clock::{CRASH_WINDOW_MS, now_ms};
use crate::store::replay::{CHUNK_ENTRIES, Replay};
use crate::store::stored::{self, Chain, StoredEntry, StoredHead, Unstorable};

/// The columns `epoch, last_seq, link, snapshot`.
type Taken = (i64, i64, Option<Vec<u8>>, Option<String>);

pub(super) async fn register(database: &Database, member: &Member) -> Result<(), StoreError> {
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    sqlx::query(include_str!("../queries/bury_namesakes.sql"))
        .bind(&member.name)
        .bind(member.incarnation)
        .execute(&mut *transaction)
        .await
        .map_err(before)?;
    sqlx::query(include_str!("queries/register.sql"))
        .bind(member.incarnation)
        .bind(&member.name)
        .bind(member.started_at.0)
        .bind(&member.address)
        .bind(member.role.as_str())
        .bind(&member.release)
        .execute(&mut *transaction)
        .await
        .map_err(before)?;
    commit(transaction).await?;
    writer.done();
    Ok(())
}

pub(super) async fn open(database: &Database, new: &NewConversation) -> Result<Opening, StoreError> {
    let refused = |error: Unstorable| StoreError::Refused(error.to_string());
    let Event::Opened { customer, language, .. } = &new.opening.event else {
        return Err(StoreError::Refused("the first entry is no opening".to_owned()));
    };
    let mut chain = Chain { conversation: new.id.0, epoch: 0, link: chain::GENESIS };
    let entry = StoredEntry::new(&new.opening, &mut chain).map_err(refused)?;
    let head = StoredHead::new(&new.head, new.opening.at).map_err(refused)?;
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    let created = sqlx::query(include_str!("queries/create.sql"))
        .bind(new.id.0)
        .bind(customer.0)
        .bind(language)
        .bind(entry.at)
        .bind(&*head.control)
        .bind(head.control_version)
        .bind(head.next_deadline)
        .bind(entry.link.as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(before)?;
    let opening = if created.rows_affected() == 1 {
        write_entry(&mut transaction, (new.id.0, 0), &entry).await.map_err(before)?;
        Opening::Created(new.id)
    } else {
        let existing = sqlx::query_as(include_str!("../queries/existing.sql")).bind(customer.0).bind(new.id.0);
        stored::existing(existing.fetch_one(&mut *transaction).await.map_err(before)?)?
    };
    commit(transaction).await?;
    writer.done();
    Ok(opening)
}

pub(super) async fn claim(
    database: &Database,
    incarnation: Uuid,
    (id, take): (ConversationId, Take),
    limit: TailLimit,
) -> Result<Claim, StoreError> {
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    let claim = claim_within(&mut transaction, incarnation, (id, take), limit).await?;
    commit(transaction).await?;
    writer.done();
    Ok(claim)
}

async fn claim_within(
    transaction: &mut Transaction<'_, Sqlite>,
    incarnation: Uuid,
    (id, take): (ConversationId, Take),
    limit: TailLimit,
) -> Result<Claim, StoreError> {
    let live: bool = sqlx::query_scalar(include_str!("../queries/is_live.sql"))
        .bind(incarnation)
        .fetch_one(&mut **transaction)
        .await
        .map_err(before)?;
    if !live {
        return Err(StoreError::Refused("this incarnation is not a live member".to_owned()));
    }
    let owner: Option<Option<Uuid>> = sqlx::query_scalar("SELECT owner FROM conversations WHERE id = $1")
        .bind(id.0)
        .fetch_optional(&mut **transaction)
        .await
        .map_err(before)?;
    let Some(owner) = owner else { return Ok(Claim::NotFound) };
    let other = || owner.map_or(Claim::Free, |owner| Claim::OwnedByOther(Incarnation(owner)));
    if take == Take::OnlyOwn && owner != Some(incarnation) {
        return Ok(other());
    }
    let nonce = Uuid::now_v7();
    let taken: Option<Taken> = sqlx::query_as(include_str!("../queries/take.sql"))
        .bind(id.0)
        .bind(incarnation)
        .bind(nonce)
        .fetch_optional(&mut **transaction)
        .await
        .map_err(before)?;
    let Some(taken) = taken else { return Ok(other()) };
    load(transaction, id, limit, (nonce, taken)).await.map(|owned| Claim::Owned(Box::new(owned)))
}

async fn load(
    connection: &mut SqliteConnection,
    id: ConversationId,
    limit: TailLimit,
    (nonce, taken): (Uuid, Taken),
) -> Result<Owned, StoreError> {
    let (epoch, last_seq, link, snapshot) = taken;
    let (fence, link) = (Fence { epoch: stored::position(epoch)?, nonce }, stored::link(link)?);
    let tail = read::tail_entries(&mut *connection, id, last_seq, limit).await?;
    let mut replay = Replay::new(id, snapshot.as_deref());
    while tail.first().is_some_and(|first| first.seq > replay.seq() + 1) {
        let after = stored::integer(replay.seq()).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let chunk = read::entries_after(&mut *connection, id, after, (true, CHUNK_ENTRIES)).await?;
        if chunk.is_empty() {
            break;
        }
        replay.apply(&chunk)?;
    }
    replay.apply(&tail)?;
    let recent_crashes = count_crashes(connection, id, now_ms().saturating_sub(CRASH_WINDOW_MS)).await?;
    let state = replay.finish(stored::position(last_seq)?)?;
    Ok(Owned { fence, state, tail, link, recent_crashes })
}

pub(super) async fn retire(database: &Database, incarnation: Uuid) -> Result<(), StoreError> {
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    let query = sqlx::query(include_str!("../queries/retire.sql")).bind(incarnation);
    query.execute(&mut *transaction).await.map_err(before)?;
    commit(transaction).await?;
    writer.done();
    Ok(())
}

pub(super) async fn release_idle(database: &Database, incarnation: Uuid, id: ConversationId) -> Result<(), StoreError> {
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    let query = sqlx::query(include_str!("../queries/release_idle.sql")).bind(id.0).bind(incarnation);
    query.execute(&mut *transaction).await.map_err(before)?;
    commit(transaction).await?;
    writer.done();
    Ok(())
}

pub(super) async fn release(database: &Database, held: &[(ConversationId, Fence)]) -> Result<(), StoreError> {
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    for (id, fence) in held {
        let Some((epoch, nonce)) = stored::fence_columns(*fence) else { continue };
        sqlx::query(include_str!("queries/release.sql"))
            .bind(id.0)
            .bind(epoch)
            .bind(nonce)
            .execute(&mut *transaction)
            .await
            .map_err(before)?;
    }
    commit(transaction).await?;
    writer.done();
    Ok(())
}

pub(super) async fn record_crash(
    database: &Database,
    id: ConversationId,
    now: Timestamp,
    window_ms: u64,
) -> Result<u32, StoreError> {
    let since = now.0.saturating_sub_unsigned(window_ms);
    let mut writer = database.writer().await?;
    let mut transaction = writer.begin().await?;
    sqlx::query(include_str!("queries/prune_crashes.sql"))
        .bind(id.0)
        .bind(since)
        .execute(&mut *transaction)
        .await
        .map_err(before)?;
    sqlx::query(include_str!("queries/insert_crash.sql"))
        .bind(id.0)
        .bind(Uuid::now_v7())
        .bind(now.0)
        .execute(&mut *transaction)
        .await
        .map_err(before)?;
    let crashes = count_crashes(&mut transaction, id, since).await?;
    commit(transaction).await?;
    writer.done();
    Ok(crashes)
}

async fn count_crashes(connection: &mut SqliteConnection, id: ConversationId, since: i64) -> Result<u32, StoreError> {
    let count: i64 = sqlx::query_scalar(include_str!("../queries/crash_count.sql"))
        .bind(id.0)
        .bind(since)
        .fetch_one(connection)
        .await
        .map_err(before)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
