//! Processes that are started here and ended here, by their own ids.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Longest wait for a process to say something, or to end.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A process of ours. It is killed when this is dropped, and by the kernel when this program is.
pub struct Kin {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// A command whose process gets `signal` (a name such as `KILL`) when the thread that started it ends.
#[must_use]
pub fn mortal(signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]);
    command
}

impl Kin {
    /// Starts it; what it says on standard error goes to the end of `log`.
    ///
    /// # Errors
    /// It cannot be started, or `log` not be written.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
        let out = BufReader::new(child.stdout.take().context("it has no output")?);
        Ok(Self { child, out })
    }

    /// Its id, until it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw)
    }

    /// The next line that it prints.
    ///
    /// # Errors
    /// It has ended, or prints nothing within [`PATIENCE`].
    pub async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        timeout(PATIENCE, self.out.read_line(&mut line)).await.context("it says nothing")??;
        anyhow::ensure!(!line.is_empty(), "it ended without a word");
        Ok(line.trim_end().to_owned())
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// How it has ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends it a signal, if it has not ended.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// It does not within [`PATIENCE`].
    pub async fn ended(&mut self) -> Result<()> {
        timeout(PATIENCE, self.child.wait()).await.context("it does not end")??;
        Ok(())
    }

    /// Ends it without a warning.
    ///
    /// # Errors
    /// It does not end within [`PATIENCE`].
    pub async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL);
        self.ended().await
    }
}

/// The built program beside this one; `how` says how to build it.
///
/// # Errors
/// There is none.
pub fn built(name: &str, how: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2).map(Path::to_owned);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.exists());
    found.with_context(|| format!("{name} is missing beside {}: {how}", own.display()))
}

/// The processes whose parent is this one, as far as they have not ended by then.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn children(parent: Pid) -> Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else { continue };
        if parent_of(&stat) == Some(parent.as_raw_nonzero().get()) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// The fourth field of `stat`; the second may hold spaces and brackets.
fn parent_of(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_past_a_name_with_brackets() {
        assert_eq!(parent_of("12 (a) b (c)) S 7 12 12 0"), Some(7));
    }
}
