//! The servers of a report: Onya, the scripted model and the bare relay, each a process of its own on a free port.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::child::Kin;
use crate::database::Database;
use crate::output::progress;
use crate::target::{Target, TargetArgs};
use crate::upstream::ScriptArgs;

/// Settings by the name of their variable.
pub(crate) type Settings<'a> = &'a [(&'a str, String)];

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
pub(crate) struct Onya {
    bin: PathBuf,
    folder: TempDir,
    database: Option<Database>,
    variables: Vec<(String, String)>,
    running: Option<Kin>,
}

/// The scripted model.
pub(crate) struct Model {
    process: Kin,
    url: String,
}

/// The bare relay.
pub(crate) struct Relay {
    process: Kin,
    pub target: Arc<Target>,
}

impl Onya {
    /// Prepares one; `server` is a Postgres whose role may create databases, without one SQLite is used.
    pub(crate) async fn prepare(bin: PathBuf, server: Option<&str>, settings: Settings<'_>) -> Result<Self> {
        let database = match server {
            Some(server) => Some(Database::create(server).await?),
            None => None,
        };
        let own = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
        let variables = settings.iter().map(own).collect();
        Ok(Self { bin, folder: tempfile::tempdir()?, database, variables, running: None })
    }

    /// Starts it, again if it was stopped, and gives how to reach it.
    pub(crate) async fn start(&mut self) -> Result<Arc<Target>> {
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
    pub(crate) fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(Database::url)
    }

    /// Stops it; its data stays.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        match self.running.take() {
            Some(process) => process.stop().await.context("onya"),
            None => Ok(()),
        }
    }

    /// Stops it and removes its data, after showing what it warned of.
    pub(crate) async fn end(mut self) -> Result<()> {
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
    pub(crate) async fn start(script: ScriptArgs) -> Result<Self> {
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
    pub(crate) fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("LLM_PROVIDER", "openai".to_owned()),
            ("OPENAI_BASE_URL", self.url.clone()),
            ("ONYA_LLM__MAX_CONCURRENCY", "10000".to_owned()),
        ]
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.process.stop().await.context("the scripted model")
    }
}

impl Relay {
    pub(crate) async fn start(model: &Model) -> Result<Self> {
        let mut process = Kin::own(&["relay".to_owned(), "--upstream".to_owned(), model.url.clone()])?;
        let line = process.line().await.context("the bare relay did not start")?;
        let url = line.strip_prefix("relay: ").context("the bare relay has no address")?;
        let target = target(url, None, (&process, true)).await?;
        Ok(Self { process, target })
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.process.stop().await.context("the bare relay")
    }
}

pub(crate) async fn target(url: &str, metrics: Option<&str>, (process, bare): (&Kin, bool)) -> Result<Arc<Target>> {
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
pub(crate) fn announced(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("onya: ")?.strip_suffix(')')?.split_once(" (metrics: ")
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
}
