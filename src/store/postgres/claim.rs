//! Ownership: members, claims and releases; and creation, which needs no owner.

use onya_actors::ports::{Claim, Fence, Member, NewConversation, Opening, Owned, StoreError, TailLimit};
use onya_core::conversation::Event;
use onya_core::{ConversationId, Incarnation, Timestamp};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Postgres, Transaction};
use uuid::Uuid;

use super::database::Database;
use super::error::{of_read, of_write};
use super::members::try_to_end_sessions;
use super::planted;
use super::read;
use crate::store::Take;
use crate::store::chain;
use crate::store::clock::{CRASH_WINDOW_MS, now_ms};
use crate::store::replay::{CHUNK_ENTRIES, Replay};
use crate::store::stored::{self, Chain, StoredEntry, StoredHead, Unstorable};

/// Attempts where another process may be in the way.
const ATTEMPTS: u32 = 5;

/// Accusations of members that are older count for nobody, whatever is configured.
const FORGET_AFTER_MS: i64 = 600_000;

/// The columns `epoch, last_seq, link, snapshot`.
type Taken = (i64, i64, Option<Vec<u8>>, Option<String>);

pub(super) async fn register(database: &Database, member: &Member) -> Result<(), StoreError> {
    for _ in 1..ATTEMPTS {
        match register_once(database, member).await {
            Err(StoreError::Refused(_)) => {}
            outcome => return outcome,
        }
    }
    register_once(database, member).await
}

/// Fails on the unique name of the living if a namesake registers at the same time.
async fn register_once(database: &Database, member: &Member) -> Result<(), StoreError> {
    let mut checkout = database.connection().await?;
    let connection = checkout.get();
    database
        .write(async move {
            let mut transaction = connection.begin().await.map_err(of_read)?;
            let buried = register_within(&mut transaction, member).await.map_err(of_read)?;
            transaction.commit().await.map_err(of_write)?;
            for namesake in buried {
                try_to_end_sessions(connection, namesake).await;
            }
            Ok(())
        })
        .await?;
    checkout.done();
    Ok(())
}

/// Which namesakes are dead by it.
async fn register_within(connection: &mut PgConnection, member: &Member) -> Result<Vec<Uuid>, sqlx::Error> {
    let buried = sqlx::query_scalar(include_str!("../queries/bury_namesakes.sql"))
        .bind(&member.name)
        .bind(member.incarnation)
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query(include_str!("queries/members/register.sql"))
        .bind(member.incarnation)
        .bind(&member.name)
        .bind(member.started_at.0)
        .bind(&member.address)
        .bind(member.role.as_str())
        .bind(&member.release)
        .execute(&mut *connection)
        .await?;
    sqlx::query(include_str!("queries/members/forget.sql")).bind(FORGET_AFTER_MS).execute(connection).await?;
    Ok(buried)
}

pub(super) async fn open(database: &Database, new: &NewConversation) -> Result<Opening, StoreError> {
    let refused = |error: Unstorable| StoreError::Refused(error.to_string());
    let Event::Opened { customer, language, .. } = &new.opening.event else {
        return Err(StoreError::Refused("the first entry is no opening".to_owned()));
    };
    let mut chain = Chain { conversation: new.id.0, epoch: 0, link: chain::GENESIS };
    let entry = StoredEntry::new(&new.opening, &mut chain).map_err(refused)?;
    let head = StoredHead::new(&new.head, new.opening.at).map_err(refused)?;
    let mut checkout = database.connection().await?;
    for _ in 0..ATTEMPTS {
        let create = sqlx::query_scalar::<_, Uuid>(include_str!("queries/create.sql"))
            .bind(new.id.0)
            .bind(customer.0)
            .bind(language)
            .bind(entry.at)
            .bind(&*head.control)
            .bind(head.control_version)
            .bind(head.next_deadline)
            .bind(entry.kind)
            .bind(&entry.body)
            .bind(entry.salt)
            .bind(entry.body_commitment)
            .bind(entry.link)
            .fetch_optional(checkout.get());
        let created = database.write(async { create.await.map_err(of_write) }).await?;
        if created.is_some() {
            checkout.done();
            return Ok(Opening::Created(new.id));
        }
        let existing = sqlx::query_as::<_, (Uuid, bool)>(include_str!("../queries/existing.sql"))
            .bind(customer.0)
            .bind(new.id.0)
            .fetch_optional(checkout.get());
        if let Some(existing) = database.read(async { existing.await.map_err(of_read) }).await? {
            checkout.done();
            return stored::existing(existing);
        }
    }
    Err(StoreError::Unavailable("the customer's conversation is closed as often as one is created".to_owned()))
}

pub(super) async fn claim(
    database: &Database,
    incarnation: Uuid,
    (id, take): (ConversationId, Take),
    limit: TailLimit,
) -> Result<Claim, StoreError> {
    let mut checkout = database.connection().await?;
    let connection = checkout.get();
    let claim = database
        .write(async move {
            let mut transaction = connection.begin().await.map_err(of_read)?;
            let claim = claim_within(&mut transaction, incarnation, (id, take), limit).await?;
            transaction.commit().await.map_err(of_write)?;
            Ok(claim)
        })
        .await?;
    checkout.done();
    Ok(claim)
}

pub(super) async fn claim_within(
    transaction: &mut Transaction<'_, Postgres>,
    incarnation: Uuid,
    (id, take): (ConversationId, Take),
    limit: TailLimit,
) -> Result<Claim, StoreError> {
    let locked: Option<Option<Uuid>> = sqlx::query_scalar(include_str!("queries/lock.sql"))
        .bind(id.0)
        .fetch_optional(&mut **transaction)
        .await
        .map_err(of_read)?;
    let Some(owner) = locked else { return Ok(Claim::NotFound) };
    let live: bool = sqlx::query_scalar(include_str!("../queries/is_live.sql"))
        .bind(incarnation)
        .fetch_one(&mut **transaction)
        .await
        .map_err(of_read)?;
    if !live {
        return Err(StoreError::Refused("this incarnation is not a live member".to_owned()));
    }
    if take == Take::OnlyOwn && owner != Some(incarnation) {
        return Ok(owner.map_or(Claim::Free, |owner| Claim::OwnedByOther(Incarnation(owner))));
    }
    let nonce = Uuid::now_v7();
    let taken: Option<Taken> = sqlx::query_as(planted::take())
        .bind(id.0)
        .bind(incarnation)
        .bind(nonce)
        .fetch_optional(&mut **transaction)
        .await
        .map_err(of_read)?;
    match (taken, owner) {
        (Some(taken), _) => {
            let owned = load(transaction, id, limit, (nonce, taken)).await?;
            Ok(Claim::Owned(Box::new(owned)))
        }
        (None, Some(owner)) => Ok(Claim::OwnedByOther(Incarnation(owner))),
        (None, None) => Err(StoreError::Unavailable("the claim had no effect".to_owned())),
    }
}

async fn load(
    connection: &mut PgConnection,
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
    let recent_crashes: i64 = sqlx::query_scalar(include_str!("../queries/crash_count.sql"))
        .bind(id.0)
        .bind(now_ms().saturating_sub(CRASH_WINDOW_MS))
        .fetch_one(connection)
        .await
        .map_err(of_read)?;
    let state = replay.finish(stored::position(last_seq)?)?;
    Ok(Owned { fence, state, tail, link, recent_crashes: u32::try_from(recent_crashes).unwrap_or(u32::MAX) })
}

pub(super) async fn retire(database: &Database, incarnation: Uuid) -> Result<(), StoreError> {
    let mut checkout = database.connection().await?;
    let query = sqlx::query(include_str!("../queries/retire.sql")).bind(incarnation);
    let run = query.execute(checkout.get());
    database.write(async { run.await.map_err(of_write) }).await?;
    checkout.done();
    Ok(())
}

pub(super) async fn release_idle(database: &Database, incarnation: Uuid, id: ConversationId) -> Result<(), StoreError> {
    let mut checkout = database.connection().await?;
    let query = sqlx::query(include_str!("../queries/release_idle.sql")).bind(id.0).bind(incarnation);
    let run = query.execute(checkout.get());
    database.write(async { run.await.map_err(of_write) }).await?;
    checkout.done();
    Ok(())
}

pub(super) async fn release(database: &Database, held: &[(ConversationId, Fence)]) -> Result<(), StoreError> {
    let (mut ids, mut epochs, mut nonces) = (Vec::new(), Vec::new(), Vec::new());
    for (id, fence) in held {
        let Some((epoch, nonce)) = stored::fence_columns(*fence) else { continue };
        ids.push(id.0);
        epochs.push(epoch);
        nonces.push(nonce);
    }
    let mut checkout = database.connection().await?;
    let query = sqlx::query(include_str!("queries/release.sql")).bind(ids).bind(epochs).bind(nonces);
    let run = query.execute(checkout.get());
    database.write(async { run.await.map_err(of_write) }).await?;
    checkout.done();
    Ok(())
}

pub(super) async fn record_crash(
    database: &Database,
    id: ConversationId,
    now: Timestamp,
    window_ms: u64,
) -> Result<u32, StoreError> {
    let mut checkout = database.connection().await?;
    let run = sqlx::query_scalar::<_, i64>(include_str!("queries/record_crash.sql"))
        .bind(id.0)
        .bind(Uuid::now_v7())
        .bind(now.0)
        .bind(now.0.saturating_sub_unsigned(window_ms))
        .fetch_one(checkout.get());
    let count = database.write(async { run.await.map_err(of_write) }).await?;
    checkout.done();
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
