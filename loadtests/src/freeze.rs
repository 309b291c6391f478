//! A server of somebody's that stands still for a while, with all of its processes.

use anyhow::{Context as _, Result, ensure};
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

/// The processes whose parent is this one.
fn children(parent: Pid) -> Result<Vec<Pid>> {
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

    #[test]
    fn a_process_that_is_not_there_is_said_not_to_be() {
        assert!(Frozen::stop(u32::MAX).is_err());
    }
}
