//! A Postgres database of a measurement's own.

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// A Postgres database that exists for one measurement.
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    pub(crate) async fn create(server: &str) -> Result<Self> {
        let name = format!("onya_load_{}_{}", std::process::id(), crate::clock::monotonic_ns());
        execute(server, format!("CREATE DATABASE {name}")).await.context("no database of our own on --database-url")?;
        Ok(Self { server: server.to_owned(), name })
    }

    pub(crate) fn url(&self) -> String {
        let (address, parameters) = self.server.split_once('?').map_or((&*self.server, ""), |(url, rest)| (url, rest));
        let start = address.find("://").map_or(0, |at| at + 3);
        let end = address[start..].find('/').map_or(address.len(), |at| start + at);
        let mark = if parameters.is_empty() { "" } else { "?" };
        format!("{}/{}{mark}{parameters}", &address[..end], self.name)
    }

    pub(crate) async fn drop(self) -> Result<()> {
        execute(&self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }
}

async fn execute(server: &str, statement: String) -> Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_its_own_is_on_the_same_server() {
        let url = |server: &str| Database { server: server.to_owned(), name: "load".to_owned() }.url();
        assert_eq!(url("postgres://onya@127.0.0.1:5432/postgres"), "postgres://onya@127.0.0.1:5432/load");
        assert_eq!(url("postgres://onya@127.0.0.1:5432"), "postgres://onya@127.0.0.1:5432/load");
        assert_eq!(url("postgres://h/a?sslmode=disable"), "postgres://h/load?sslmode=disable");
    }
}
