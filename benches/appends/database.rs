//! A database for one run, on the server that is given.

use std::str::FromStr as _;

use anyhow::{Context as _, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use uuid::Uuid;

/// It has a name of its own, so that a run that was killed disturbs no other.
pub(crate) struct Database {
    server: PgConnectOptions,
    name: String,
}

impl Database {
    pub(crate) async fn create(url: &str) -> Result<Self> {
        let server = PgConnectOptions::from_str(url).context("--database-url is no postgres:// URL")?;
        let database = Self {
            server: server.disable_statement_logging(),
            name: format!("onya_bench_{}", Uuid::now_v7().simple()),
        };
        database.execute(format!("CREATE DATABASE {} TEMPLATE template0", database.name)).await?;
        Ok(database)
    }

    pub(crate) fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().to_string()
    }

    pub(crate) async fn remove(self) -> Result<()> {
        self.execute(format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }

    async fn execute(&self, statement: String) -> Result<()> {
        let mut connection = self.server.connect().await.context("the database cannot be reached")?;
        let verb = statement.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        connection.execute(AssertSqlSafe(statement)).await.with_context(|| format!("{verb} failed"))?;
        Ok(connection.close().await?)
    }
}

/// One line on what the figures were measured on.
pub(crate) async fn describe(url: &str) -> Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    let (version, fsync, commit): (String, String, String) = sqlx::query_as(
        "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    Ok(format!("PostgreSQL {version}, fsync {fsync}, synchronous_commit {commit}"))
}
