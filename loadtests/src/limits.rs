//! How many files this process may open.

use anyhow::{Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open besides sockets: the runtime's own, standard streams, HTTP connections to the server.
const BESIDES: usize = 200;

/// Raises the limit as far as one may without being root, and gives it. Children inherit it.
pub(crate) fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // If it may not be raised, what is allowed now counts.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    usize::try_from(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
}

/// Fails with what to do if so many sockets cannot be opened here.
pub(crate) fn require(sockets: usize) -> Result<()> {
    let limit = raise();
    ensure!(
        sockets.saturating_add(BESIDES) <= limit,
        "{sockets} sockets need {} open files, {limit} are allowed: raise the hard limit (`ulimit -Hn`) or ask for fewer",
        sockets + BESIDES,
    );
    Ok(())
}
