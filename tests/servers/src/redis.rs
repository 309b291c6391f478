//! The command line of a private Redis, and what its sentinels read.

use std::ffi::OsString;
use std::path::Path;

/// The name under which sentinels know a Redis of ours.
pub const SERVICE: &str = "onya";

/// The arguments of a server that keeps nothing, at a port of 127.0.0.1 only; its log is `redis.log` in `folder`. Replicas of it
/// need not wait for others.
#[must_use]
pub fn arguments(folder: &Path, port: u16) -> Vec<OsString> {
    let mut arguments = place(folder, port);
    arguments.extend(["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"].map(Into::into));
    arguments
}

/// The arguments of a sentinel, likewise; it reads its `file`, and writes into it.
#[must_use]
pub fn sentinel_arguments(file: &Path, folder: &Path, port: u16) -> Vec<OsString> {
    // The file comes first.
    let mut arguments = vec![file.into(), "--sentinel".into()];
    arguments.append(&mut place(folder, port));
    arguments
}

/// The file of a sentinel: the master is at a port of 127.0.0.1, and is taken for gone when it has said nothing for so many
/// milliseconds to so many sentinels.
#[must_use]
pub fn sentinel_file(master: u16, quorum: usize, down_after_ms: u64) -> String {
    format!(
        "sentinel monitor {SERVICE} 127.0.0.1 {master} {quorum}\n\
         sentinel down-after-milliseconds {SERVICE} {down_after_ms}\n\
         sentinel failover-timeout {SERVICE} 3000\n"
    )
}

fn place(folder: &Path, port: u16) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["--bind", "127.0.0.1", "--port", &port.to_string()].map(Into::into).into();
    arguments.extend(["--dir".into(), folder.into(), "--logfile".into(), folder.join("redis.log").into()]);
    arguments
}
