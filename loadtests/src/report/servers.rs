//! The servers of a report: Onya, the scripted model and the bare relay, each a process of its own on a free port.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::child::Kin;
use crate::output::progress;
use crate::target::{Target, TargetArgs};
use crate::upstream::ScriptArgs;

/// Settings by the name of their variable.
pub(super) type Settings<'a> = &'a [(&'a str, String)];

/// What each measurement wants of Onya: room for all sockets, and an end without ceremony.
const ALWAYS: [(&str, &str); 10] = [
    ("PORT", "0"),
    ("ONYA_METRICS__PORT", "0"),
    ("ONYA_CLUSTER__PORT", "0"),
    ("ONYA_NODE__NAME", "load"),
    ("LOG_LEVEL", "warn"),
    ("ONYA_SERVER__MAX_SOCKETS", "19500"),
    ("ONYA_SERVER__ACCEPTS_PER_SECOND", "1000000"),
    ("ONYA_SOCKET__HELLO_TIMEOUT_MS", "60000"),
    ("ONYA_DRAIN__REPLY_LIMIT_MS", "0"),
    ("ONYA_DRAIN__SOCKETS_WINDOW_MS", "0"),
];

/// What it says on standard error, in its folder.
const LOG: &str = "onya.log";

/// An Onya with data of its own.
pub(super) struct Onya {
    bin: PathBuf,
    folder: TempDir,
    database: Option<Database>,
    variables: Vec<(String, String)>,
    running: Option<Kin>,
}

/// A Postgres database that exists for one measurement.
struct Database {
    server: String,
    name: String,
}

/// The scripted model.
pub(super) struct Model {
    process: Kin,
    url: String,
}

/// The bare relay.
pub(super) struct Relay {
    process: Kin,
    pub target: Arc<Target>,
}

impl Onya {
    /// Prepares one; `server` is a Postgres whose role may create databases, without one SQLite is used.
    pub(super) async fn prepare(bin: PathBuf, server: Option<&str>, settings: Settings<'_>) -> Result<Self> {
        let database = match server {
            Some(server) => Some(Database::create(server).await?),
            None => None,
        };
        let own = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
        let variables = settings.iter().map(own).collect();
        Ok(Self { bin, folder: tempfile::tempdir()?, database, variables, running: None })
    }

    /// Starts it, again if it was stopped, and gives how to reach it.
    pub(super) async fn start(&mut self) -> Result<Arc<Target>> {
        let log = self.folder.path().join(LOG);
        let mut command = Command::new(&self.bin);
        // Nothing that happens to be exported here may steer what is measured.
        command.arg("serve").env_clear().envs(ALWAYS).current_dir(self.folder.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.envs(self.database_url().map(|url| ("DATABASE_URL", url)));
        command.stderr(Stdio::from(std::fs::File::options().create(true).append(true).open(&log)?));
        let mut process = Kin::start(command)?;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let line = process.line().await.with_context(|| format!("onya did not start: {}", said()))?;
        let (server, metrics) = announced(&line).with_context(|| format!("onya announced itself as {line:?}"))?;
        let target = target(server, Some(metrics), (&process, false)).await?;
        self.running = Some(process);
        Ok(target)
    }

    /// The database that it uses, if it is a Postgres.
    pub(super) fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(Database::url)
    }

    /// Stops it; its data stays.
    pub(super) async fn stop(&mut self) -> Result<()> {
        match self.running.take() {
            Some(process) => process.stop().await.context("onya"),
            None => Ok(()),
        }
    }

    /// Stops it and removes its data, after showing what it warned of.
    pub(super) async fn end(mut self) -> Result<()> {
        self.stop().await?;
        let log = std::fs::read_to_string(self.folder.path().join(LOG))?;
        if let Some(last) = log.lines().last() {
            progress(&format!("onya has logged {} lines, the last one: {last}", log.lines().count()));
        }
        match self.database.take() {
            Some(database) => database.drop().await,
            None => Ok(()),
        }
    }
}

impl Model {
    pub(super) async fn start(script: ScriptArgs) -> Result<Self> {
        let arguments = [
            ("--tokens", script.tokens.to_string()),
            ("--tokens-per-second", script.tokens_per_second.to_string()),
            ("--first-token-ms", script.first_token_ms.to_string()),
        ];
        let arguments = arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        let mut process = Kin::own(&std::iter::once("upstream".to_owned()).chain(arguments).collect::<Vec<_>>())?;
        let line = process.line().await.context("the scripted model did not start")?;
        let url = line.strip_prefix("upstream: ").context("the scripted model has no address")?.to_owned();
        Ok(Self { process, url })
    }

    /// What Onya is told, so that it asks this model and as many times at once as it likes.
    pub(super) fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("LLM_PROVIDER", "openai".to_owned()),
            ("OPENAI_BASE_URL", self.url.clone()),
            ("ONYA_LLM__MAX_CONCURRENCY", "10000".to_owned()),
        ]
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.process.stop().await.context("the scripted model")
    }
}

impl Relay {
    pub(super) async fn start(model: &Model) -> Result<Self> {
        let mut process = Kin::own(&["relay".to_owned(), "--upstream".to_owned(), model.url.clone()])?;
        let line = process.line().await.context("the bare relay did not start")?;
        let url = line.strip_prefix("relay: ").context("the bare relay has no address")?;
        let target = target(url, None, (&process, true)).await?;
        Ok(Self { process, target })
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.process.stop().await.context("the bare relay")
    }
}

async fn target(url: &str, metrics: Option<&str>, (process, bare): (&Kin, bool)) -> Result<Arc<Target>> {
    let metrics_url = metrics.map(str::parse).transpose()?;
    let args = TargetArgs {
        url: url.parse()?,
        token: None,
        pid: Some(process.pid()),
        metrics_url,
        bare,
        i_own_this_host: false,
    };
    args.resolve().await.map(Arc::new)
}

/// Reads `onya: http://ADDRESS (metrics: http://ADDRESS/metrics)`.
fn announced(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("onya: ")?.strip_suffix(')')?.split_once(" (metrics: ")
}

impl Database {
    async fn create(server: &str) -> Result<Self> {
        let name = format!("onya_load_{}_{}", std::process::id(), crate::clock::monotonic_ns());
        execute(server, format!("CREATE DATABASE {name}")).await.context("no database of our own on --database-url")?;
        Ok(Self { server: server.to_owned(), name })
    }

    fn url(&self) -> String {
        let (address, parameters) = self.server.split_once('?').map_or((&*self.server, ""), |(url, rest)| (url, rest));
        let start = address.find("://").map_or(0, |at| at + 3);
        let end = address[start..].find('/').map_or(address.len(), |at| start + at);
        let mark = if parameters.is_empty() { "" } else { "?" };
        format!("{}/{}{mark}{parameters}", &address[..end], self.name)
    }

    async fn drop(self) -> Result<()> {
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
    fn onya_says_where_it_listens() {
        let line = "onya: http://127.0.0.1:1 (metrics: http://127.0.0.1:2/metrics)";
        assert_eq!(announced(line), Some(("http://127.0.0.1:1", "http://127.0.0.1:2/metrics")));
        assert_eq!(announced("panicked"), None);
    }

    #[test]
    fn a_database_of_its_own_is_on_the_same_server() {
        let url = |server: &str| Database { server: server.to_owned(), name: "load".to_owned() }.url();
        assert_eq!(url("postgres://onya@127.0.0.1:5432/postgres"), "postgres://onya@127.0.0.1:5432/load");
        assert_eq!(url("postgres://onya@127.0.0.1:5432"), "postgres://onya@127.0.0.1:5432/load");
        assert_eq!(url("postgres://h/a?sslmode=disable"), "postgres://h/load?sslmode=disable");
    }
}
