//! What the kernel says about a process on this machine: CPU time and memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The unit of `/proc/PID/stat`, fixed for user space on Linux: 100 a second.
const NS_PER_TICK: u64 = 10_000_000;
const KIB: u64 = 1024;

/// A process that is watched from outside, or several that are measured as one.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    folders: Vec<PathBuf>,
}

/// CPU time used up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// Exact, in ns, by thread; threads that have ended are missing.
    by_thread_ns: BTreeMap<u32, u64>,
    /// Of all threads that ever were, in ticks of 10 ms.
    ticks: u64,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Pages in memory.
    pub rss: u64,
    /// The same, shared pages divided by who shares them.
    pub pss: u64,
    /// Those that belong to no file: heap and stacks.
    pub anonymous: u64,
}

impl Process {
    /// Fails if there is no such process, or it is somebody else's.
    pub(crate) fn watch(pid: u32) -> Result<Self> {
        let process = Self { folders: vec![PathBuf::from(format!("/proc/{pid}"))] };
        process.memory().with_context(|| format!("process {pid} cannot be watched: is it running, and yours?"))?;
        Ok(process)
    }

    /// The two together: what they use is the sum.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.folders.extend(other.folders);
        self
    }

    pub(crate) fn cpu(&self) -> Result<CpuTime> {
        let mut used = CpuTime::default();
        for folder in &self.folders {
            used.read(folder)?;
        }
        Ok(used)
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        let mut sum = Memory::default();
        for folder in &self.folders {
            let text = fs::read_to_string(folder.join("smaps_rollup"))?;
            let memory = rollup(&text).context("smaps_rollup has another form")?;
            sum.rss += memory.rss;
            sum.pss += memory.pss;
            sum.anonymous += memory.anonymous;
        }
        Ok(sum)
    }
}

impl CpuTime {
    /// Adds what the process of this folder has used.
    fn read(&mut self, folder: &Path) -> Result<()> {
        for thread in fs::read_dir(folder.join("task"))? {
            let thread = thread?;
            let Some(id) = thread.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A thread may end between being listed and being read.
            let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            self.by_thread_ns.insert(id, run_time_ns(&text).context("schedstat has another form")?);
        }
        self.ticks += ticks(&fs::read_to_string(folder.join("stat"))?).context("stat has another form")?;
        Ok(())
    }

    /// CPU time used since an earlier reading, in ns: exact unless a thread has ended in between, else to 10 ms.
    pub(crate) fn since(&self, earlier: &Self) -> u64 {
        let all_live = earlier.by_thread_ns.keys().all(|thread| self.by_thread_ns.contains_key(thread));
        if !all_live || self.by_thread_ns.is_empty() {
            return (self.ticks - earlier.ticks) * NS_PER_TICK;
        }
        let used = |(thread, now): (&u32, &u64)| now - earlier.by_thread_ns.get(thread).unwrap_or(&0);
        self.by_thread_ns.iter().map(used).sum()
    }
}

/// Share of the machine's CPU time that was used between two readings of [`machine_ticks`], 0 to 1.
pub(crate) fn busy_share(earlier: (u64, u64), now: (u64, u64)) -> f64 {
    let (busy, all) = (now.0 - earlier.0, now.1 - earlier.1);
    if all == 0 { 0.0 } else { busy as f64 / all as f64 }
}

/// Ticks that the machine's processors worked, and all ticks.
pub(crate) fn machine_ticks() -> Result<(u64, u64)> {
    machine(&fs::read_to_string("/proc/stat")?).context("/proc/stat has another form")
}

/// What the kernel holds for sockets on this machine: data in flight, and its own structures of every kind.
pub(crate) fn kernel_bytes() -> Option<u64> {
    let pages = socket_pages(&fs::read_to_string("/proc/net/sockstat").ok()?)?;
    Some(pages * 4 * KIB + slab(&fs::read_to_string("/proc/meminfo").ok()?)?)
}

/// First field of `schedstat`.
fn run_time_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

/// User and system time of `stat`, fields 14 and 15. The name in field 2 may hold spaces and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

fn rollup(text: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * KIB)
    };
    Some(Memory { rss: bytes("Rss")?, pss: bytes("Pss")?, anonymous: bytes("Anonymous")? })
}

/// `cpu  user nice system idle iowait irq softirq steal …`
fn machine(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields = line.split_ascii_whitespace().take(8).map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
    let all: u64 = fields.iter().sum();
    Some((all - fields.get(3)? - fields.get(4)?, all))
}

fn socket_pages(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    line.split_ascii_whitespace().skip_while(|word| *word != "mem").nth(1)?.parse().ok()
}

fn slab(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("Slab:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * KIB)
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
