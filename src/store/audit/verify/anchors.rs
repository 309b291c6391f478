//! The anchors themselves: do they follow each other, are they signed, are their leaves those in the database?

use onya_actors::ports::StoreError;
use uuid::Uuid;

use super::Signed;
use crate::store::audit::anchor::{Anchor, PublicKey};
use crate::store::audit::merkle::Tree;
use crate::store::audit::report::{Fault, Place, Report};
use crate::store::audit::source::{Kind, Source};
use crate::store::chain::GENESIS;

/// Leaves that are read at a time.
const PAGE: usize = 1_000;

type Lines<'a> = Box<dyn Iterator<Item = Result<String, StoreError>> + Send + 'a>;

pub(super) async fn check(
    source: &mut dyn Source,
    lines: Lines<'_>,
    keys: &[PublicKey],
    report: &mut Report,
) -> Result<Signed, StoreError> {
    if keys.is_empty() {
        report.notes.push("no public key was given: the anchors' signatures are not checked".to_owned());
    }
    let mut walk = Walk { keys, last: None, first: None, unreadable: false };
    for line in lines {
        let line = line?;
        if !line.is_empty() {
            walk.line(&line, source, report).await?;
        }
    }
    walk.end(source, report).await
}

struct Walk<'a> {
    keys: &'a [PublicKey],
    first: Option<i64>,
    last: Option<Anchor>,
    /// Whether the line before was no anchor.
    unreadable: bool,
}

impl Walk<'_> {
    async fn line(&mut self, line: &str, source: &mut dyn Source, report: &mut Report) -> Result<(), StoreError> {
        let expected = self.next_number();
        let Some(anchor) = Anchor::from_line(line) else {
            self.unreadable = true;
            return Ok(());
        };
        report.checked.anchors += 1;
        report.checked.last_anchor_at = Some(anchor.at);
        let follows = anchor.number == expected.unwrap_or(anchor.number)
            && anchor.previous == self.last.as_ref().map_or(GENESIS, Anchor::seal);
        let fault = if !follows {
            Some(Fault::AnchorOrder)
        } else if !self.keys.is_empty() && !anchor.is_signed_by(self.keys) {
            Some(Fault::AnchorSignature)
        } else if !has_its_leaves(source, &anchor).await? {
            Some(Fault::AnchorHeads)
        } else {
            None
        };
        if let Some(fault) = fault {
            report.add(Place::Anchor { anchor: anchor.number }, fault);
        }
        if std::mem::take(&mut self.unreadable) && follows {
            // What follows names the anchor before as its own, so nothing is missing between them.
            let note = format!("before anchor {} there is a line that is none: a write was interrupted", anchor.number);
            report.notes.push(note);
        }
        self.first.get_or_insert(anchor.number);
        self.last = Some(anchor);
        Ok(())
    }

    async fn end(self, source: &mut dyn Source, report: &mut Report) -> Result<Signed, StoreError> {
        if self.unreadable {
            report.add(Place::Anchor { anchor: self.next_number().unwrap_or(1) }, Fault::AnchorUnreadable);
        }
        let last = self.last.as_ref().map_or(0, |anchor| anchor.number);
        let newest = source.anchors().await?.map_or(0, |(_, newest)| newest);
        if newest > last + 1 {
            // The database is written first, one anchor ahead of the file.
            report.add(Place::Anchor { anchor: last + 1 }, Fault::Missing);
        } else if newest > last {
            let note = format!(
                "anchor {newest} has heads in the database and no line in the file: it is being made now, was interrupted, or is cut off"
            );
            report.notes.push(note);
        }
        Ok(Signed { first: self.first.unwrap_or(1), last })
    }

    fn next_number(&self) -> Option<i64> {
        self.last.as_ref().map(|anchor| anchor.number.saturating_add(1))
    }
}

async fn has_its_leaves(source: &mut dyn Source, anchor: &Anchor) -> Result<bool, StoreError> {
    let tree = tree_of(source, anchor.number).await?;
    Ok((tree.root(), tree.leaves()) == (anchor.root, anchor.leaves))
}

/// The tree over the leaves that the database has for this anchor.
pub(in crate::store::audit) async fn tree_of(source: &mut dyn Source, anchor: i64) -> Result<Tree, StoreError> {
    let mut tree = Tree::default();
    for kind in Kind::ALL {
        let mut after = Uuid::nil();
        loop {
            let page = source.leaves_of(anchor, kind, after, PAGE as i64).await?;
            let Some(last) = page.last() else { break };
            after = last.chain;
            page.iter().for_each(|leaf| tree.add(kind, leaf));
            if page.len() < PAGE {
                break;
            }
        }
    }
    Ok(tree)
}
