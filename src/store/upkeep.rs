//! What a database needs every now and then, and what was done about it.
//!
//! On PostgreSQL `entries` and `turns` are partitioned by the month in which the conversation was created, which its
//! identifier tells; there should be partitions for months to come. SQLite has none. Its file is written anew: rows that
//! it moves from page to page leave copies where no row is any more, which no deletion reaches.

use std::fmt;

use super::calendar::Month;
use super::{Backend, ConnectError, Settings, postgres, sqlite};

/// What to keep up.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    /// Months after the current one that should have partitions.
    pub months_ahead: u32,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// A partition of one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub(super) table: &'static str,
    pub(super) month: Month,
}

impl Partition {
    /// Its name: `entries_2026_09`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}_{}", self.table, self.month)
    }

    /// The table that it is a part of.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        self.table
    }

    /// The month in which its conversations were created, in UTC: `2026-09`.
    #[must_use]
    pub fn month(&self) -> String {
        self.month.to_string().replace('_', "-")
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// What was done, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Partitions for months to come.
    pub made: Vec<Partition>,
    /// Partitions of past months that held nothing any more.
    pub dropped: Vec<Partition>,
    /// The file of the embedded database was written anew.
    pub rewritten: bool,
    /// What could not be done, and what should be known; each says why.
    pub notices: Vec<String>,
}

/// Makes partitions for the coming months and drops those of past months that hold nothing any more, or writes the
/// embedded database's file anew. May run again and again, and many times at once, while servers work.
pub async fn keep_up(settings: &Settings, upkeep: Upkeep) -> Result<Outcome, ConnectError> {
    match settings.backend()? {
        Backend::Postgres => postgres::keep_up(settings, upkeep).await,
        Backend::Sqlite(file) => sqlite::keep_up(settings, &file, upkeep.dry_run).await,
    }
}
