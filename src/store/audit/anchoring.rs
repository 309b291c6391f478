//! Making an anchor: collect the heads that moved, sign their root, add the line.
//!
//! The database comes first, the file second. Whatever is interrupted between the two leaves heads of an anchor that
//! has no line; the next run takes them away and does it again. The other order would leave a signature over heads that
//! nobody can show.

use async_trait::async_trait;
use onya_actors::ports::StoreError;

use super::anchor::{Anchor, AnchorKey, Statement};
use super::file::AnchorLock;
use super::source::Source;
use super::verify::tree_of;
use crate::store::ConnectError;
use crate::store::clock::now_ms;

/// A transaction that sees one snapshot and may write the heads of an anchor.
#[async_trait]
pub(in crate::store) trait Collect: Source {
    /// Takes away what is left of anchors from this number on, then writes the heads that have moved since `cursor`
    /// (empty: all) as those of this anchor. What to give as the cursor next time.
    async fn collect(&mut self, anchor: i64, cursor: &str) -> Result<String, StoreError>;

    /// Commits.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Why there is no anchor.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The database cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file did not take it.
    #[error("the file of anchors cannot be used: {0}")]
    File(#[from] std::io::Error),
    /// The database has heads of later anchors than the file: it is not the file that belongs to it.
    #[error(
        "the database has heads of anchors up to {database}, the file ends with {file}: this is not the file that \
         belongs to it. To begin a new file beside the old one, use --start-over"
    )]
    OtherFile {
        /// The newest in the database.
        database: i64,
        /// The newest in the file; 0 if it is empty.
        file: i64,
    },
    /// The file is to be a new one, and is not.
    #[error("a new file was asked for, and there are anchors in this one")]
    NotNew,
}

/// Adds an anchor over all heads that have moved since the newest one; `None` if none has.
pub(in crate::store) async fn anchor(
    mut heads: Box<dyn Collect>,
    (file, start_over): (&mut AnchorLock, bool),
    key: &AnchorKey,
) -> Result<Option<Anchor>, AnchorError> {
    let (number, cursor) = next(heads.anchors().await?.map_or(0, |(_, newest)| newest), file.last(), start_over)?;
    let cursor = heads.collect(number, &cursor).await?;
    let tree = tree_of(&mut *heads, number).await?;
    if tree.leaves() == 0 {
        return Ok(None);
    }
    heads.commit().await?;
    let statement = Statement { number, at: now_ms(), cursor, leaves: tree.leaves(), root: tree.root() };
    let anchor = Anchor::sign(statement, file.last(), key);
    file.add(anchor.clone())?;
    Ok(Some(anchor))
}

/// The number of the next anchor, and where it begins to look. If the database was restored to before the newest anchor
/// it begins at the beginning: what the cursor counts in has gone back with it.
fn next(database: i64, last: Option<&Anchor>, start_over: bool) -> Result<(i64, String), AnchorError> {
    let file = last.map_or(0, |anchor| anchor.number);
    match (start_over, last) {
        (true, None) => Ok((database + 1, String::new())),
        (true, Some(_)) => Err(AnchorError::NotNew),
        (false, _) if database > file + 1 => Err(AnchorError::OtherFile { database, file }),
        (false, Some(last)) if database >= file => Ok((file + 1, last.cursor.clone())),
        (false, _) => Ok((file + 1, String::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_follows_the_newest_line_and_never_takes_away_heads_that_are_signed() {
        let key = AnchorKey::generate();
        let statement = Statement { number: 5, at: 1, cursor: "c".to_owned(), leaves: 0, root: [0; 32] };
        let fifth = Anchor::sign(statement, None, &key);
        let next = |database, last, start_over| next(database, last, start_over).map_err(|error| error.to_string());
        assert_eq!(next(0, None, false), Ok((1, String::new())));
        assert_eq!(next(5, Some(&fifth), false), Ok((6, "c".to_owned())));
        assert_eq!(next(6, Some(&fifth), false), Ok((6, "c".to_owned())), "it was interrupted before the line");
        assert_eq!(next(1, None, false), Ok((1, String::new())), "so was the first");
        assert_eq!(next(4, Some(&fifth), false), Ok((6, String::new())), "the database was restored");
        assert!(next(7, Some(&fifth), false).unwrap_err().contains("up to 7, the file ends with 5"));
        assert!(next(7, None, false).is_err());
        assert_eq!(next(7, None, true), Ok((8, String::new())));
        assert!(next(7, Some(&fifth), true).is_err());
    }
}
