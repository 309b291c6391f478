//! Memory that the machine really has, right before CPU time is measured.
//!
//! A virtual machine may hand memory that it does not use back to its host, within seconds. Whoever touches such a page next
//! pays for the host's work: twenty times what a page costs otherwise, and more than all the rest of a handshake. Whom it
//! hits is chance, or worse: a server that is started right after another has ended finds that one's memory still there.
//! So a process of ours touches some first, and ends: all servers then find the same.

use std::hint::black_box;

use anyhow::{Result, ensure};

use crate::child::Kin;

/// The command line of the other process.
pub(crate) const TOUCH: &str = "touch";
/// What the server and this client may need in one phase, and some more.
const BYTES: usize = 256 * 1024 * 1024;

/// Has another process touch memory, and waits until it has ended.
pub(crate) async fn have_at_hand() -> Result<()> {
    let touched = Kin::own(&[TOUCH.to_owned()])?.ended().await?;
    ensure!(touched.success(), "no {} MiB of memory can be had", BYTES / 1024 / 1024);
    Ok(())
}

/// The other process. Its end frees the memory at once, which an allocator would not.
pub(crate) fn touch() {
    black_box(vec![1_u8; BYTES]);
}
