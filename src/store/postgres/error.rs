//! What an error of Postgres means: whether anything can have happened, and whether a repetition helps.
//!
//! | SQLSTATE | meaning |
//! |---|---|
//! | 22, 23, 54 | the data itself is refused; nothing happened |
//! | 55P03, 40001, 40P01 | somebody was in the way; nothing happened, again |
//! | 08, 25, 40003, 57, 58, XX, or none because the connection is gone or silent | unknown |
//! | 53 and the rest | nothing happened; later |

use onya_actors::ports::StoreError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// The meaning of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The database refuses the data.
    Data,
    /// A conflict with another transaction.
    Conflict,
    /// It may have happened.
    Unknown,
    /// It did not happen.
    Unavailable,
    /// A row does not fit what this version expects.
    Corrupt,
}

/// What an error means for a statement that was sent.
pub(super) fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => fault_of_state(error.code(), error.severity()),
            None => Fault::Unknown,
        },
        sqlx::Error::Encode(_) => Fault::Data,
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => Fault::Corrupt,
        sqlx::Error::PoolTimedOut | sqlx::Error::Configuration(_) => Fault::Unavailable,
        _ => Fault::Unknown,
    }
}

fn fault_of_state(state: &str, severity: PgSeverity) -> Fault {
    if matches!(severity, PgSeverity::Fatal | PgSeverity::Panic) {
        return Fault::Unknown;
    }
    match (state.get(..2), state) {
        (_, "55P03" | "40001" | "40P01") => Fault::Conflict,
        (_, "40003") | (Some("08" | "25" | "57" | "58" | "XX"), _) => Fault::Unknown,
        (Some("22" | "23" | "54"), _) => Fault::Data,
        _ => Fault::Unavailable,
    }
}

/// The SQLSTATE, of an error that the server reported.
pub(super) fn state(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::code)
}

/// The error of a statement that may have written.
pub(super) fn of_write(error: sqlx::Error) -> StoreError {
    let text = describe(&error);
    match fault(&error) {
        Fault::Data => StoreError::Refused(text),
        Fault::Conflict | Fault::Unavailable => StoreError::Unavailable(text),
        Fault::Unknown => StoreError::Unknown(text),
        Fault::Corrupt => StoreError::Corrupt(text),
    }
}

/// The error of a statement that only reads, or whose transaction was not committed.
pub(super) fn of_read(error: sqlx::Error) -> StoreError {
    match of_write(error) {
        StoreError::Unknown(text) => StoreError::Unavailable(text),
        other => other,
    }
}

/// The SQLSTATE, and what the server says unless that may quote data.
pub(super) fn describe(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(database) = error else { return error.to_string() };
    let state = database.code().unwrap_or_default().into_owned();
    match (fault(error), database.constraint()) {
        (Fault::Data, Some(constraint)) => format!("SQLSTATE {state}, constraint {constraint}"),
        (Fault::Data, None) => format!("SQLSTATE {state}"),
        _ => format!("SQLSTATE {state}: {}", database.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_errors_has_its_meaning() {
        for (state, meaning) in [
            ("22021", Fault::Data),
            ("23505", Fault::Data),
            ("54000", Fault::Data),
            ("55P03", Fault::Conflict),
            ("40001", Fault::Conflict),
            ("40P01", Fault::Conflict),
            ("40003", Fault::Unknown),
            ("08006", Fault::Unknown),
            ("25006", Fault::Unknown),
            ("57014", Fault::Unknown),
            ("58030", Fault::Unknown),
            ("XX000", Fault::Unknown),
            ("53100", Fault::Unavailable),
            ("53200", Fault::Unavailable),
            ("42P01", Fault::Unavailable),
        ] {
            assert_eq!(fault_of_state(state, PgSeverity::Error), meaning, "{state}");
        }
        assert_eq!(fault_of_state("53300", PgSeverity::Fatal), Fault::Unknown);
        assert_eq!(fault(&sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())), Fault::Unknown);
        assert_eq!(fault(&sqlx::Error::PoolTimedOut), Fault::Unavailable);
    }
}
