//! Processes that are started here and ended here, by their own ids.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Longest wait for a process to say something, or to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process of ours. It is killed when this is dropped, and by the kernel when this program is.
pub(crate) struct Kin {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// A command whose process ends with this program.
pub(crate) fn mortal(signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]);
    command
}

impl Kin {
    /// Starts it; what it says on standard error goes to the end of `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
        let out = BufReader::new(child.stdout.take().context("it has no output")?);
        Ok(Self { child, out })
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw)
    }

    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        timeout(PATIENCE, self.out.read_line(&mut line)).await.context("it says nothing")??;
        anyhow::ensure!(!line.is_empty(), "it ended without a word");
        Ok(line.trim_end().to_owned())
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The exit code once it has ended; a signal has none.
    pub(crate) fn exit_code(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().ok().flatten().map(|status| status.code())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        timeout(PATIENCE, self.child.wait()).await.context("it does not end")??;
        Ok(())
    }

    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL);
        self.ended().await
    }
}
