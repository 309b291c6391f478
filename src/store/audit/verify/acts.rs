//! The chains of acts.

use onya_actors::ports::StoreError;
use serde::Deserialize;
use uuid::Uuid;

use super::paging::{Rows, leaves};
use super::{Removed, Signed, SinceProof};
use crate::store::audit::act::REMOVAL;
use crate::store::audit::report::{Fault, Place, Report};
use crate::store::audit::source::{ActRow, Kind, LeafRow, Source};
use crate::store::chain::{GENESIS, Hash};

/// The detail of a removal that names no single conversation.
#[derive(Deserialize)]
struct Range {
    from: Uuid,
    to: Uuid,
}

/// Checks every chain of acts; what they say was removed.
pub(super) async fn check(source: &mut dyn Source, signed: Signed, report: &mut Report) -> Result<Removed, StoreError> {
    let mut removed = Removed::default();
    let mut acts: Rows<ActRow> = Rows::new((Uuid::nil(), i64::MIN));
    let mut leaves = leaves(Kind::Audit);
    loop {
        let next = [acts.next_chain(source).await?, leaves.next_chain(source).await?];
        let Some(chain) = next.into_iter().flatten().min() else { return Ok(removed) };
        let mut walk = Walk::default();
        while let Some(act) = acts.take_if(source, chain, |_| true).await? {
            walk.act(&act);
            if act.action == REMOVAL && act.conversation.is_none() {
                let range = serde_json::from_str(&act.detail);
                removed.0.extend(range.map(|Range { from, to }| (from, to)));
            }
            while let Some(leaf) = leaves.take_if(source, chain, |leaf| leaf.position <= act.n).await? {
                walk.leaf(&leaf, signed);
            }
        }
        while let Some(leaf) = leaves.take_if(source, chain, |_| true).await? {
            walk.leaf(&leaf, signed);
        }
        walk.end(chain, report);
    }
}

/// One chain, as far as it was read.
#[derive(Default)]
struct Walk {
    acts: i64,
    link: Hash,
    since_proof: SinceProof,
    fault: Option<(i64, Fault)>,
    /// Whether an anchor names the chain.
    anchored: bool,
}

impl Walk {
    fn act(&mut self, act: &ActRow) {
        if self.fault.is_some() {
            return;
        }
        let expected = self.acts + 1;
        self.link = if self.acts == 0 { act.link_after(&GENESIS) } else { act.link_after(&self.link) };
        if act.n != expected {
            self.fault = Some((expected, Fault::Missing));
        } else if act.link != self.link {
            self.fault = Some((expected, Fault::Changed));
        }
        self.acts = expected;
        self.since_proof.row(act.at);
    }

    fn leaf(&mut self, leaf: &LeafRow, signed: Signed) {
        if !signed.covers(leaf) {
            return;
        }
        self.anchored = true;
        if self.fault.is_some() {
            return;
        }
        if leaf.position > self.acts {
            self.fault = Some((self.acts + 1, Fault::TailCut));
        } else if leaf.position != self.acts || leaf.link != self.link {
            self.fault = Some((leaf.position, Fault::NotAsAnchored));
        }
        self.since_proof = SinceProof::default();
    }

    fn end(self, chain: Uuid, report: &mut Report) {
        if self.acts == 0 && !self.anchored {
            return;
        }
        report.checked.audit_chains += 1;
        report.checked.acts += self.acts.unsigned_abs();
        let fault = if self.acts == 0 { Some((1, Fault::ChainGone)) } else { self.fault };
        match fault {
            Some((position, fault)) => report.add(Place::Chain { kind: Kind::Audit, chain, position }, fault),
            None => {
                report.unproven.acts += self.since_proof.rows;
                report.unproven.note(self.since_proof.oldest_at);
            }
        }
    }
}
