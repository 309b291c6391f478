//! The fenced batch as the lanes send it, and nothing around it: what measurements hold the server's way against.
//!
//! Not part of the server. The rows, the statement, the session and the way they are sent are the store's own, so that
//! the two cannot drift apart; what is left out is everything before: actors, queues, making rows of events.

use onya_actors::ports::{Append, Link, StoreError};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::append::{APPEND, in_order, send};
use super::columns::Columns;
use super::error::{describe, of_write};
use super::session;
use crate::store::stored::StoredAppend;
use crate::store::{ConnectError, Settings};

/// A batch as rows, in the order in which the statement expects them.
pub struct Batch(Vec<StoredAppend>);

impl Batch {
    /// Makes the rows; also where the chain of each conversation ends after it, in the order of the appends.
    ///
    /// # Errors
    /// When an append has no stored form, or its conversation stands in the batch twice.
    pub fn prepare(appends: &[Append]) -> Result<(Self, Vec<Link>), StoreError> {
        let (numbers, twice) = in_order(appends);
        if !twice.is_empty() {
            return Err(StoreError::Refused("a conversation stands in a batch twice".to_owned()));
        }
        let (mut rows, mut links) = (Vec::with_capacity(numbers.len()), vec![Link::default(); numbers.len()]);
        for number in numbers {
            let row = StoredAppend::new(&appends[number]).map_err(|error| StoreError::Refused(error.to_string()))?;
            links[number] = Link(row.link);
            rows.push(row);
        }
        Ok((Self(rows), links))
    }
}

/// A connection that is set up as a lane's.
pub struct Lane {
    connection: PgConnection,
    columns: Columns,
}

impl Lane {
    /// Connects.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn connect(settings: &Settings) -> Result<Self, ConnectError> {
        let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
        let mut connection = session::options(settings, Some(Uuid::now_v7()))?.connect().await.map_err(failed)?;
        session::prepare(&mut connection).await.map_err(failed)?;
        Ok(Self { connection, columns: Columns::default() })
    }

    /// Sends a batch.
    ///
    /// # Errors
    /// When the statement fails, or an append is not accepted; the others are stored then.
    pub async fn send(&mut self, batch: &Batch) -> Result<(), StoreError> {
        batch.0.iter().for_each(|row| self.columns.push(row));
        let rows = send(&mut self.connection, APPEND, &mut self.columns).await.map_err(of_write)?;
        let mut others = rows.iter().map(|(outcome, ..)| outcome).filter(|outcome| *outcome != "accepted");
        let Some(first) = others.next() else { return Ok(()) };
        Err(StoreError::Refused(format!("{} of {} are {first}", others.count() + 1, rows.len())))
    }
}
