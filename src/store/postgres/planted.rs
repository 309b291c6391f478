//! The statements of a batch and of a claim, and what becomes of them if a fault is planted.
//!
//! The variants are the obvious ways to write it, and wrong. They are compiled for tests and with the feature `planted`
//! only; the tests of the race between claims and appends, and the fault campaigns, must find each.

use std::borrow::Cow;

use onya_actors::ports::{Append, StoreError};
use sqlx::postgres::PgConnection;

use super::append::APPEND;

const TAKE: &str = include_str!("../queries/take.sql");

/// The conversations that need an owner.
const DUE: &str = include_str!("../queries/due.sql");

/// The statement in force.
#[cfg(not(feature = "planted"))]
pub(super) const fn append() -> &'static str {
    APPEND
}

/// The statement in force.
#[cfg(feature = "planted")]
pub(super) fn append() -> &'static str {
    use onya_actors::planted::{Fault, is};

    if is(Fault::ExistsFence) {
        exists_fence()
    } else if is(Fault::OnConflict) {
        on_conflict()
    } else {
        APPEND
    }
}

/// The statement that takes ownership, for claims.
#[cfg(not(feature = "planted"))]
pub(super) const fn take() -> &'static str {
    TAKE
}

/// The statement that takes ownership, for claims.
#[cfg(feature = "planted")]
pub(super) fn take() -> &'static str {
    use onya_actors::planted::{Fault, is};

    /// From anybody.
    const ROB: &str = "UPDATE conversations SET owner = $2, epoch = epoch + 1, nonce = $3 WHERE id = $1 \
                       RETURNING epoch, last_seq, link, snapshot";
    if is(Fault::LiveOwnerRobbed) { ROB } else { TAKE }
}

/// The conversations that need an owner.
#[cfg(not(feature = "planted"))]
pub(super) const fn due() -> &'static str {
    DUE
}

/// The conversations that need an owner.
#[cfg(feature = "planted")]
pub(super) fn due() -> &'static str {
    use std::sync::LazyLock;

    use onya_actors::planted::{Fault, is};

    /// Whoever owns them.
    static ALL: LazyLock<&str> = LazyLock::new(|| {
        let lives = "m.incarnation = owner AND m.state = 'live'";
        variant(DUE, &[(lives, "false"), (lives, "false")])
    });
    if is(Fault::LiveOwnerRobbed) { *ALL } else { DUE }
}

/// The batch as it is.
#[cfg(not(feature = "planted"))]
#[expect(clippy::unused_async, reason = "with the fault planted it reads the links")]
pub(super) async fn linked<'a>(_: &mut PgConnection, batch: &'a [Append]) -> Result<Cow<'a, [Append]>, StoreError> {
    Ok(Cow::Borrowed(batch))
}

/// An owner that takes its entries for stored when it has sent them does not know their links, which are made here. It is
/// told them, so that nothing is wrong until something that it sent gets lost.
#[cfg(feature = "planted")]
pub(super) async fn linked<'a>(
    connection: &mut PgConnection,
    batch: &'a [Append],
) -> Result<Cow<'a, [Append]>, StoreError> {
    use onya_actors::planted::{Fault, is};
    use onya_actors::ports::Link;

    if !is(Fault::AckBeforeCommit) {
        return Ok(Cow::Borrowed(batch));
    }
    let ids: Vec<uuid::Uuid> = batch.iter().map(|append| append.conversation.0).collect();
    let links: Vec<(uuid::Uuid, Vec<u8>)> =
        sqlx::query_as("SELECT id, link FROM conversations WHERE id = ANY ($1) AND link IS NOT NULL")
            .bind(ids)
            .fetch_all(connection)
            .await
            .map_err(super::error::of_read)?;
    let mut batch = batch.to_vec();
    for append in &mut batch {
        let stored = links.iter().find(|(id, _)| *id == append.conversation.0);
        if let Some(Ok(link)) = stored.map(|(_, link)| <[u8; 32]>::try_from(link.as_slice())) {
            append.previous = Link(link);
        }
    }
    Ok(Cow::Owned(batch))
}

/// The fence is looked at as of the statement's snapshot, and the row is not locked.
#[cfg(any(test, feature = "planted"))]
pub(super) fn exists_fence() -> &'static str {
    variant(APPEND, &[("FOR UPDATE SKIP LOCKED", "")])
}

/// Repeats are left to the unique keys, which drop the one entry and keep its neighbours.
#[cfg(any(test, feature = "planted"))]
pub(super) fn on_conflict() -> &'static str {
    let entries = "FROM entry AS e\n    JOIN accepted AS a ON a.n = e.n\n";
    let dropped = "FROM entry AS e\n    JOIN accepted AS a ON a.n = e.n\n    ON CONFLICT DO NOTHING\n";
    variant(APPEND, &[("EXCEPT SELECT n FROM repeated", ""), (entries, dropped)])
}

/// A statement with parts of it replaced. Leaks, since statements are kept by their address.
#[cfg(any(test, feature = "planted"))]
#[expect(clippy::panic, reason = "a variant that is none would find nothing; never in a release build")]
pub(super) fn variant(statement: &str, parts: &[(&str, &str)]) -> &'static str {
    let mut changed = statement.to_owned();
    for (from, to) in parts {
        if !changed.contains(from) {
            panic!("the statement has changed: {from}");
        }
        changed = changed.replacen(from, to, 1);
    }
    changed.leak()
}
