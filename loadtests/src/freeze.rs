//! A server of somebody's that stands still for a while, with all of its processes.

use anyhow::{Context as _, Result, ensure};
use onya_servers::process::children;
use rustix::process::{Pid, Signal, kill_process};

/// Processes that stand still until this is dropped.
pub(crate) struct Frozen(Vec<Pid>);

impl Frozen {
    /// Stops a process and its children.
    pub(crate) fn stop(pid: u32) -> Result<Self> {
        let main = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no such process")?;
        // The parent first, so that it starts no more of them.
        let frozen = Self(std::iter::once(main).chain(children(main)?).collect());
        for (number, pid) in frozen.0.iter().enumerate() {
            let stopped = kill_process(*pid, Signal::STOP).is_ok();
            // A child may end at any time.
            ensure!(
                stopped || number > 0,
                "process {} cannot be stopped: is it running, and yours?",
                pid.as_raw_nonzero()
            );
        }
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            // What has ended meanwhile needs no waking.
            let _ = kill_process(*pid, Signal::CONT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_there_is_said_not_to_be() {
        assert!(Frozen::stop(u32::MAX).is_err());
    }
}
