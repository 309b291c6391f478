//! A small disk in memory, that can be filled. It lies in a mount namespace of its own, which a process of ours holds
//! open: nothing is left behind when that ends, however it ends.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::kin::{Kin, mortal};

/// A folder that is a disk of its own for whoever is started with [`Disk::command`].
pub(crate) struct Disk {
    holder: Kin,
    path: PathBuf,
}

/// Whether this is root, who may mount and start PostgreSQL as somebody else.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Disk {
    /// Mounts it on a new folder `disk` below `folder`.
    pub(crate) async fn mount(folder: &Path, mib: usize) -> Result<Self> {
        let path = folder.join("disk");
        std::fs::create_dir_all(&path)?;
        let mut command = mortal("KILL");
        command.arg("unshare").arg("--mount");
        if !is_root() {
            command.arg("--map-root-user");
        }
        let script =
            format!("mount -t tmpfs -o size={mib}m,mode=755 tmpfs \"$0\" && echo mounted && exec sleep infinity");
        command.args(["sh", "-c", &script]).arg(&path);
        let mut holder = Kin::start(command, &folder.join("disk.log"))?;
        let said = holder.line().await.context(
            "a small disk cannot be mounted: that needs root, or user namespaces (sysctl kernel.unprivileged_userns_clone=1)",
        )?;
        anyhow::ensure!(said == "mounted", "the small disk says {said}");
        Ok(Self { holder, path })
    }

    /// A command that sees the disk.
    pub(crate) fn command(&self, signal: &str) -> Result<Command> {
        let holder = self.holder.pid().context("the disk is gone")?;
        let mut command = mortal(signal);
        command.args(["nsenter", "--mount", "--target", &holder.as_raw_nonzero().to_string()]);
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--");
        Ok(command)
    }

    /// The disk's path for those who see it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The disk's path for this program, which does not.
    pub(crate) fn seen(&self) -> Result<PathBuf> {
        let holder = self.holder.pid().context("the disk is gone")?;
        Ok(PathBuf::from(format!("/proc/{}/root{}", holder.as_raw_nonzero(), self.path.display())))
    }

    /// Fills it to the last block.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut file = File::create(self.ballast()?)?;
        for block in [1 << 20, 4096] {
            let block = vec![0; block];
            while file.write_all(&block).is_ok() {}
        }
        Ok(())
    }

    /// Frees what was filled.
    pub(crate) fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.ballast()?)?)
    }

    fn ballast(&self) -> Result<PathBuf> {
        Ok(self.seen()?.join("ballast"))
    }
}
