//! A process that was started here and is ended here, by its own id.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// Longest time that a process gets to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(50);

/// A process of ours. It is killed when this is dropped.
pub(crate) struct Kin {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    input: Option<ChildStdin>,
}

impl Kin {
    /// Starts it, with pipes to and from it.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let (out, input) = (child.stdout.take().map(BufReader::new), child.stdin.take());
        Ok(Self { child, out, input })
    }

    /// This program, with other arguments.
    pub(crate) fn own(arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::start(command)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints. Not cancel safe.
    pub(crate) async fn line(&mut self) -> Result<String> {
        let mut out = self.out.take().context("its output was lost")?;
        let (out, line) = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            let read = out.read_line(&mut line);
            (out, read.map(|_| line))
        })
        .await?;
        self.out = Some(out);
        let line = line?;
        anyhow::ensure!(!line.is_empty(), "it ended without a word");
        Ok(line.trim_end().to_owned())
    }

    /// Writes a line to it.
    pub(crate) async fn tell(&mut self, mut line: String) -> Result<()> {
        let mut input = self.input.take().context("its input is closed")?;
        line.push('\n');
        let told = tokio::task::spawn_blocking(move || input.write_all(line.as_bytes()).map(|()| input));
        self.input = Some(told.await??);
        Ok(())
    }

    /// Closes its input, which tells our own kind to finish.
    pub(crate) fn finish(&mut self) {
        self.input = None;
    }

    /// Asks it to stop and waits until it has; kills it if it does not.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        self.ended().await.map(drop)
    }

    /// Sends it a signal, unless it has ended.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.child.try_wait()?.is_none()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            kill_process(pid, signal)?;
        }
        Ok(())
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            anyhow::ensure!(start.elapsed() < PATIENCE, "process {} does not end", self.child.id());
            sleep(GLANCE).await;
        }
    }
}

impl Drop for Kin {
    fn drop(&mut self) {
        // It has ended already, or there is nothing more to be done about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
