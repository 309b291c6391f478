//! Verification: reads every chain once, in order, and the anchors beside them. Its memory does not grow with the data.

mod acts;
mod anchors;
mod conversations;
mod paging;

use std::path::PathBuf;

use onya_actors::ports::StoreError;
use uuid::Uuid;

pub(super) use anchors::tree_of;

use super::anchor::PublicKey;
use super::file;
use super::report::Report;
use super::source::{LeafRow, Source};

/// The anchors to compare with.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    /// The file; without one, chains are only compared with themselves.
    pub file: Option<PathBuf>,
    /// The keys that may have signed; without one, signatures are not checked.
    pub keys: Vec<PublicKey>,
}

/// Checks everything. `Err` means that something could not be read, not that something is wrong.
pub(in crate::store) async fn verify(source: &mut dyn Source, anchors: &Anchors) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let signed = match &anchors.file {
        None => {
            report.notes.push("no file of anchors was given: chains are compared with themselves only".to_owned());
            Signed::NONE
        }
        Some(path) => {
            let unreadable =
                |error: std::io::Error| StoreError::Unavailable(format!("{} cannot be read: {error}", path.display()));
            let lines = file::lines(path).map_err(unreadable)?.map(|line| line.map_err(unreadable));
            anchors::check(source, Box::new(lines), &anchors.keys, &mut report).await?
        }
    };
    let removed = acts::check(source, signed, &mut report).await?;
    conversations::check(source, (signed, &removed), &mut report).await?;
    Ok(report)
}

/// The anchors that the file holds: their leaves are proof, those of others are not.
#[derive(Clone, Copy, Debug)]
struct Signed {
    first: i64,
    last: i64,
}

impl Signed {
    const NONE: Self = Self { first: 1, last: 0 };

    const fn covers(self, leaf: &LeafRow) -> bool {
        self.first <= leaf.anchor && leaf.anchor <= self.last
    }
}

/// Conversations that were removed on record, as ranges of their identifiers, both ends included.
#[derive(Debug, Default)]
struct Removed(Vec<(Uuid, Uuid)>);

impl Removed {
    fn covers(&self, conversation: Uuid) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&conversation))
    }
}

/// What no anchor covers, while a chain is read.
#[derive(Debug, Default)]
struct SinceProof {
    rows: u64,
    oldest_at: Option<i64>,
}

impl SinceProof {
    fn row(&mut self, at: i64) {
        self.rows += 1;
        self.oldest_at = [self.oldest_at, Some(at)].into_iter().flatten().min();
    }
}
