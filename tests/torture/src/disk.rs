//! A small disk in memory, that can be filled.
//!
//! It is mounted in a mount namespace that this program enters at its start, and that ends with it: nothing is left
//! behind, and nobody else sees it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// Set for the program inside: `root`, or `user` for a namespace whose root is an ordinary user outside.
const INSIDE: &str = "TORTURE_NAMESPACE";

/// Starts this program again in a mount namespace of its own; returns if it is in one.
pub(crate) fn enter_namespace() -> Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    if !root {
        command.arg("--map-root-user");
    }
    command.arg(std::env::current_exe()?).args(std::env::args_os().skip(1));
    command.env(INSIDE, if root { "root" } else { "user" });
    Err(command.exec()).context("no mount namespace for small disks: apt-get install util-linux")
}

/// Whether this is root, also outside of the namespace: PostgreSQL is then started as somebody else.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root() && std::env::var(INSIDE).as_deref() != Ok("user")
}

/// A folder that is a disk of its own.
pub(crate) struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts it on a new folder `disk` below `folder`.
    pub(crate) fn mount(folder: &Path, mib: usize) -> Result<Self> {
        let path = folder.join("disk");
        std::fs::create_dir_all(&path)?;
        let options = format!("size={mib}m,mode=755");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "a small disk cannot be mounted ({}): that needs root; or leave it out with --without disk-full",
            said.trim()
        );
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fills it to the last block.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut file = File::create(self.ballast())?;
        for block in [1 << 20, 4096] {
            let block = vec![0; block];
            while file.write_all(&block).is_ok() {}
        }
        Ok(())
    }

    /// Frees what was filled.
    pub(crate) fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still uses it ends with this program.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
