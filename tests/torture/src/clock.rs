//! Wall clocks that can be set while a process runs: a library that is loaded before all others (`clock/clock.c`) adds to
//! the wall clock of its process what stands in a file. The clocks that measure how long something takes are left alone,
//! as they are where an operator, or a machine that comes back from a pause, sets the clock.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustix::process::Pid;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const SOURCE: &str = include_str!("../clock/clock.c");
const INSTALL: &str = "clocks that jump need a C compiler: apt-get install gcc libc6-dev";

/// What makes clocks in a campaign's folder.
pub(crate) struct Clocks {
    folder: PathBuf,
    library: PathBuf,
}

/// The wall clock of the processes that are started with its variables. It is right until it is set.
#[derive(Clone)]
pub(crate) struct Clock {
    library: PathBuf,
    path: PathBuf,
    file: Arc<File>,
}

impl Clocks {
    /// Compiles the library.
    pub(crate) async fn compile(folder: &Path) -> Result<Self> {
        let library = folder.join("clock.so");
        let mut command = Command::new("cc");
        command.args(["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-x", "c", "-", "-o"]).arg(&library);
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut compiler = command.spawn().context(INSTALL)?;
        // A compiler that does not read says why.
        let _ = compiler.stdin.take().context("it has no input")?.write_all(SOURCE.as_bytes()).await;
        let output = compiler.wait_with_output().await?;
        anyhow::ensure!(output.status.success(), "{INSTALL}\n{}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { folder: folder.to_owned(), library })
    }

    /// A clock of this name.
    pub(crate) fn clock(&self, name: &str) -> Result<Clock> {
        let path = self.folder.join(format!("{name}.clock"));
        let file = Arc::new(File::create_new(&path)?);
        let clock = Clock { library: self.library.clone(), path, file };
        clock.set(0)?;
        Ok(clock)
    }
}

impl Clock {
    /// The environment of a process that has this clock.
    pub(crate) fn variables(&self) -> [(String, String); 2] {
        [("LD_PRELOAD", &self.library), ("TORTURE_CLOCK", &self.path)]
            .map(|(name, path)| (name.to_owned(), path.display().to_string()))
    }

    /// From now on it is ahead of the machine's by so many seconds, or behind.
    pub(crate) fn set(&self, ahead_s: i64) -> Result<()> {
        Ok(self.file.write_all_at(&ahead_s.to_ne_bytes(), 0)?)
    }

    /// What makes it right again.
    pub(crate) fn right_again(&self) -> impl FnOnce() + Send + use<> {
        let clock = self.clone();
        move || {
            // The file is open, and as long as it will be.
            let _ = clock.set(0);
        }
    }

    /// Whether a running process has this clock.
    pub(crate) fn is_of(&self, process: Pid) -> Result<bool> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.as_raw_nonzero()))?;
        Ok([&self.library, &self.path].iter().all(|path| maps.contains(&*path.display().to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prints what each clock says, in seconds.
    const ASKS: &str = r#"
        #include <stdio.h>
        #include <sys/time.h>
        #include <time.h>
        int main(void) {
            struct timespec precise, coarse, forward;
            struct timeval old;
            clock_gettime(CLOCK_REALTIME, &precise);
            clock_gettime(CLOCK_REALTIME_COARSE, &coarse);
            clock_gettime(CLOCK_MONOTONIC, &forward);
            gettimeofday(&old, NULL);
            printf("%ld %ld %ld %ld %ld", precise.tv_sec, coarse.tv_sec, old.tv_sec, time(NULL), forward.tv_sec);
        }"#;

    async fn asked(program: &Path, clock: &Clock) -> Vec<i64> {
        let output = Command::new(program).envs(clock.variables()).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        printed.split(' ').map(|number| number.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn every_wall_clock_of_a_process_is_off_and_no_other_one() {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("asks.c"), folder.path().join("asks"));
        std::fs::write(&source, ASKS).unwrap();
        assert!(Command::new("cc").arg(&source).arg("-o").arg(&program).status().await.unwrap().success());
        let clock = Clocks::compile(folder.path()).await.unwrap().clock("one").unwrap();
        let right = asked(&program, &clock).await;
        for jump in [-3_600, 3_600] {
            clock.set(jump).unwrap();
            let jumped = asked(&program, &clock).await;
            let off: Vec<i64> =
                right.iter().zip(&jumped).map(|(right, jumped)| (jumped - right + 30).div_euclid(60)).collect();
            assert_eq!(off, [jump / 60, jump / 60, jump / 60, jump / 60, 0]);
        }
    }
}
