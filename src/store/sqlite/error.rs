//! What an error of SQLite means: whether anything can have happened.

use onya_actors::ports::StoreError;

/// Primary result codes, from <https://www.sqlite.org/rescode.html>.
const CORRUPT: i32 = 11;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const NOTADB: i32 = 26;
const BUSY: i32 = 5;
const FULL: i32 = 13;

/// How far a write had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the commit: dropping the transaction undoes it.
    Before,
    /// In the commit.
    Commit,
}

/// Whether the database refused the data itself, so that a repetition is pointless.
pub(super) fn refuses_data(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Encode(_)) || matches!(code(error), Some(CONSTRAINT | TOOBIG | MISMATCH))
}

/// The error for the caller.
pub(super) fn store_error(error: &sqlx::Error, stage: Stage) -> StoreError {
    let text = describe(error);
    match (error, code(error), stage) {
        (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_), _, Stage::Before) => StoreError::Corrupt(text),
        (_, Some(CORRUPT | NOTADB), _) => StoreError::Corrupt(text),
        (_, _, Stage::Before) if refuses_data(error) => StoreError::Refused(text),
        (_, _, Stage::Before) | (_, Some(BUSY | FULL), Stage::Commit) => StoreError::Unavailable(text),
        (_, _, Stage::Commit) => StoreError::Unknown(text),
    }
}

/// The error of a read, or of a statement before its commit.
pub(super) fn before(error: sqlx::Error) -> StoreError {
    store_error(&error, Stage::Before)
}

/// The code and SQLite's fixed text for it. Constraints name columns, never values.
pub(super) fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            format!("SQLite {}: {}", error.code().unwrap_or_default(), error.message())
        }
        other => other.to_string(),
    }
}

/// The primary result code: the low byte of the extended one.
fn code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}
