//! The chains of entries, and the heads that name their ends.

use onya_actors::ports::StoreError;
use serde::Deserialize;
use uuid::Uuid;

use super::paging::{Rows, leaves};
use super::{Removed, Signed, SinceProof};
use crate::store::audit::act::{ERASURE, Erased, REMOVAL};
use crate::store::audit::report::{Fault, Place, Report};
use crate::store::audit::source::{EntryRow, HeadRow, Kind, LeafRow, Source};
use crate::store::chain::{GENESIS, Hash, Sealed, body_commitment, hex};

/// The detail of an erasure, as far as it is of use here.
#[derive(Deserialize)]
struct ErasureDetail {
    digest: String,
}

/// Checks every conversation.
pub(super) async fn check(
    source: &mut dyn Source,
    (signed, removed): (Signed, &Removed),
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut heads: Rows<HeadRow> = Rows::new(Uuid::nil());
    let mut entries: Rows<EntryRow> = Rows::new((Uuid::nil(), i64::MIN));
    let mut leaves = leaves(Kind::Conversation);
    loop {
        let next =
            [heads.next_chain(source).await?, entries.next_chain(source).await?, leaves.next_chain(source).await?];
        let Some(conversation) = next.into_iter().flatten().min() else { return Ok(()) };
        let head = heads.take_if(source, conversation, |_| true).await?;
        let mut walk = Walk::default();
        while let Some(entry) = entries.take_if(source, conversation, |_| true).await? {
            walk.entry(&entry);
            while let Some(leaf) = leaves.take_if(source, conversation, |leaf| leaf.position <= entry.seq).await? {
                walk.leaf(&leaf, signed);
            }
        }
        while let Some(leaf) = leaves.take_if(source, conversation, |_| true).await? {
            walk.leaf(&leaf, signed);
        }
        walk.end(source, (conversation, head, removed), report).await?;
    }
}

/// One conversation, as far as it was read.
#[derive(Default)]
struct Walk {
    /// The position reached.
    seq: i64,
    /// The link there; `None` while no entry has one.
    link: Option<Hash>,
    /// Entries from before the chain.
    unlinked: u64,
    erased: Erased,
    /// The first entry that is erased.
    first_erased: i64,
    since_proof: SinceProof,
    fault: Option<(i64, Fault)>,
    /// Whether an anchor names the conversation.
    anchored: bool,
}

impl Walk {
    fn entry(&mut self, entry: &EntryRow) {
        if self.fault.is_some() {
            return;
        }
        let expected = self.seq + 1;
        if entry.seq != expected {
            self.fault = Some((expected, Fault::Missing));
            return;
        }
        self.seq = expected;
        let fault = match (&entry.link, &entry.body_commitment) {
            (Some(link), Some(commitment)) => self.linked(entry, link, commitment),
            (None, None) if self.link.is_none() && entry.salt.is_none() => {
                self.unlinked += 1;
                return;
            }
            _ => Some(Fault::Unlinked),
        };
        self.fault = fault.map(|fault| (expected, fault));
        self.since_proof.row(entry.at);
    }

    fn linked(&mut self, entry: &EntryRow, link: &[u8], commitment: &[u8]) -> Option<Fault> {
        let sealed = Sealed {
            conversation: entry.conversation,
            seq: entry.seq,
            customer_prev: entry.customer_prev,
            customer_sees: entry.customer_sees,
            at: entry.at,
            epoch: entry.epoch,
            kind: &entry.kind,
            participant: entry.participant,
            client_msg_id: entry.client_msg_id.as_deref(),
            commitment: entry.commitment.as_deref(),
            body_commitment: commitment,
        };
        let made = sealed.link(&self.link.unwrap_or(GENESIS));
        self.link = Some(made);
        if made != link {
            return Some(Fault::Changed);
        }
        match &entry.salt {
            Some(salt) if body_commitment(salt, &entry.body) != commitment => Some(Fault::BodyChanged),
            Some(_) => None,
            None => {
                if self.erased.entries() == 0 {
                    self.first_erased = entry.seq;
                }
                self.erased.add(entry.seq, &entry.body);
                None
            }
        }
    }

    fn leaf(&mut self, leaf: &LeafRow, signed: Signed) {
        if !signed.covers(leaf) {
            return;
        }
        self.anchored = true;
        if self.fault.is_some() {
            return;
        }
        if leaf.position > self.seq {
            self.fault = Some((self.seq + 1, Fault::TailCut));
        } else if leaf.position != self.seq || self.link.is_none_or(|link| leaf.link != link) {
            self.fault = Some((leaf.position, Fault::NotAsAnchored));
        }
        self.since_proof = SinceProof::default();
    }

    async fn end(
        mut self,
        source: &mut dyn Source,
        (conversation, head, removed): (Uuid, Option<HeadRow>, &Removed),
        report: &mut Report,
    ) -> Result<(), StoreError> {
        if self.seq == 0 && head.is_none() {
            return self.gone(source, (conversation, removed), report).await;
        }
        report.checked.conversations += 1;
        report.checked.entries += self.seq.unsigned_abs();
        if self.fault.is_none() {
            self.fault = self.fault_of_head(head.as_ref());
        }
        if self.fault.is_none() && self.erased.entries() > 0 {
            let (erased, first) = (std::mem::take(&mut self.erased), self.first_erased);
            let entries = erased.entries();
            if is_on_record(source, conversation, erased).await? {
                report.gone.erased_entries += entries;
            } else {
                self.fault = Some((first, Fault::ErasedWithoutRecord));
            }
        }
        if self.unlinked > 0 {
            report.before_chain.conversations += 1;
            report.before_chain.entries += self.unlinked;
        }
        match self.fault {
            Some((position, fault)) => {
                report.add(Place::Chain { kind: Kind::Conversation, chain: conversation, position }, fault);
            }
            None => {
                report.unproven.conversations += u64::from(self.since_proof.rows > 0);
                report.unproven.entries += self.since_proof.rows;
                report.unproven.note(self.since_proof.oldest_at);
            }
        }
        Ok(())
    }

    fn fault_of_head(&self, head: Option<&HeadRow>) -> Option<(i64, Fault)> {
        let Some(head) = head else { return Some((1, Fault::HeadGone)) };
        if head.last_seq > self.seq {
            return Some((self.seq + 1, Fault::TailCut));
        }
        let same = head.last_seq == self.seq && head.link.as_deref() == self.link.as_ref().map(|link| &link[..]);
        (!same).then_some((self.seq, Fault::HeadDiffers))
    }

    async fn gone(
        self,
        source: &mut dyn Source,
        (conversation, removed): (Uuid, &Removed),
        report: &mut Report,
    ) -> Result<(), StoreError> {
        if !self.anchored {
            return Ok(());
        }
        if removed.covers(conversation) || !source.acts_on(conversation, REMOVAL).await?.is_empty() {
            report.gone.removed_conversations += 1;
        } else {
            let place = Place::Chain { kind: Kind::Conversation, chain: conversation, position: 1 };
            report.add(place, Fault::ChainGone);
        }
        Ok(())
    }
}

/// Whether an erasure says that just this is left.
async fn is_on_record(source: &mut dyn Source, conversation: Uuid, erased: Erased) -> Result<bool, StoreError> {
    let digest = hex(&erased.digest());
    let details = source.acts_on(conversation, ERASURE).await?;
    let mut digests = details.iter().filter_map(|detail| serde_json::from_str::<ErasureDetail>(detail).ok());
    Ok(digests.any(|detail| detail.digest == digest))
}
