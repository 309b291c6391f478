//! One bare commit on the server's Postgres: what no acknowledgement can be faster than.

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::time::Instant;

use crate::samples::Samples;

/// Commits that are measured at a time.
const COMMITS: usize = 200;

/// Times of bare commits.
#[derive(Default)]
pub(super) struct Probe(Samples);

impl Probe {
    /// Measures on a database, in a table of its own that is dropped; nothing without a database.
    pub(super) async fn measure(database: Option<&str>) -> Result<Self> {
        let mut probe = Self::default();
        let Some(database) = database else { return Ok(probe) };
        let mut connection = PgConnection::connect(database).await.context("no connection for --commit-probe")?;
        connection.execute("CREATE TABLE IF NOT EXISTS onya_commit_probe (number bigint)").await?;
        for number in 0..COMMITS {
            let start = Instant::now();
            let insert = sqlx::query("INSERT INTO onya_commit_probe VALUES ($1)").bind(i64::try_from(number)?);
            insert.execute(&mut connection).await?;
            probe.0.add(i64::try_from(start.elapsed().as_nanos())?);
        }
        connection.execute("DROP TABLE onya_commit_probe").await?;
        connection.close().await?;
        Ok(probe)
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    /// The median, if there was a database.
    pub(super) fn median_ms(self) -> Option<f64> {
        (self.0.len() > 0).then(|| self.0.summary().p50_ms)
    }
}
