//! The command line of a private Redis.

use std::ffi::OsString;
use std::path::Path;

/// The arguments of a server that keeps nothing, at a port of 127.0.0.1 only; its log is `redis.log` in `folder`.
#[must_use]
pub fn arguments(folder: &Path, port: u16) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        ["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"].map(Into::into).into();
    arguments.extend(["--dir".into(), folder.into(), "--logfile".into(), folder.join("redis.log").into()]);
    arguments
}
