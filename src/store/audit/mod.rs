//! Finding what was changed behind the company's back: chains that are checked, heads that are anchored.
//!
//! Two kinds of chains: the entries of each conversation ([`super::chain`]), and the rows of `audit_log`, one chain per
//! start of a process ([`act`]). Every so often an anchor signs the ends of all chains that have moved ([`anchoring`])
//! and goes to a file that the serving role cannot write. [`verify()`] reads the database and that file, nothing else.
//!
//! Not here: which acts are recorded (whoever does them says so, through [`onya_actors::ports::AuditLog`]), what may be
//! erased. docs/AUDIT.md says what all this shows, and what it does not.

pub(super) mod act;
mod anchor;
pub(super) mod anchoring;
mod file;
pub mod key_file;
mod merkle;
mod report;
pub mod settings;
pub(super) mod source;
pub(super) mod verify;

use std::path::Path;

pub use anchor::{Anchor, AnchorKey, PublicKey};
pub use anchoring::AnchorError;
pub use report::{Broken, Fault, Place, Report};
pub use source::Kind;
pub use verify::Anchors;

use onya_actors::ports::StoreError;

use self::anchoring::Collect;
use self::file::AnchorLock;
use super::{Backend, ConnectError, Settings, postgres, sqlite};

/// Nothing is known: something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database, or the file of anchors, cannot be read.
    #[error(transparent)]
    Read(#[from] StoreError),
}

/// Checks every chain of this store against itself and against the anchors. Servers may run meanwhile.
///
/// # Errors
/// When something cannot be read. What is wrong is no error: the report says so.
pub async fn verify(settings: &Settings, anchors: &Anchors) -> Result<Report, VerifyError> {
    let mut source = match settings.backend()? {
        Backend::Postgres => postgres::audit::snapshot(settings).await?,
        Backend::Sqlite(file) => sqlite::audit::snapshot(&file).await?,
    };
    Ok(verify::verify(&mut *source, anchors).await?)
}

/// The file of anchors, open, and the key for it.
pub struct Anchoring {
    file: AnchorLock,
    key: AnchorKey,
}

impl Anchoring {
    /// Opens the file of anchors, or makes it; nobody else can add to it until this is dropped.
    ///
    /// # Errors
    /// When the file cannot be opened, or another process adds to it (`WouldBlock`).
    pub fn open(file: &Path, key: AnchorKey) -> std::io::Result<Self> {
        Ok(Self { file: AnchorLock::open(file)?, key })
    }

    /// Adds an anchor over all chains that have moved since the newest one; `None` if none has. `start_over`: the file
    /// is a new one beside an older one.
    ///
    /// # Errors
    /// When the database or the file does not take it, or the file does not belong to the database.
    pub async fn anchor(&mut self, settings: &Settings, start_over: bool) -> Result<Option<Anchor>, AnchorError> {
        let heads = match settings.backend()? {
            Backend::Postgres => postgres::audit::heads(settings).await?,
            Backend::Sqlite(file) => sqlite::audit::heads(&file).await?,
        };
        self.anchor_heads(heads, start_over).await
    }

    pub(super) async fn anchor_heads(
        &mut self,
        heads: Box<dyn Collect>,
        start_over: bool,
    ) -> Result<Option<Anchor>, AnchorError> {
        anchoring::anchor(heads, (&mut self.file, start_over), &self.key).await
    }
}
