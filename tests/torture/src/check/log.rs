//! Positions, epochs, claims and owners.

use std::collections::BTreeMap;

use super::Check;
use crate::history::Event;
use crate::tables::Taking;

impl Check<'_> {
    /// Positions are 1 to n, and epochs never go down.
    pub(super) fn log(&mut self) {
        for (conversation, last_seq) in &self.tables.last_seqs {
            let mut expected = (1, 0);
            for entry in self.entries(*conversation).to_vec() {
                if entry.seq != expected.0 {
                    self.report(3, format!("{conversation}: {} follows {}", entry.seq, expected.0 - 1));
                }
                if entry.epoch < expected.1 {
                    let text = format!("{conversation}: {} of epoch {} after {}", entry.seq, entry.epoch, expected.1);
                    self.report(5, text);
                }
                expected = (entry.seq + 1, entry.epoch);
            }
            if expected.0 != last_seq + 1 {
                self.report(3, format!("{conversation} ends with {}, not with {last_seq}", expected.0 - 1));
            }
        }
    }

    /// A claim has read exactly what is stored under earlier epochs, and no epoch is claimed twice.
    pub(super) fn claims(&mut self) {
        let mut claimed = BTreeMap::new();
        for event in self.history {
            let Event::Claimed { conversation, epoch, seq } = event else { continue };
            if claimed.insert((*conversation, *epoch), *seq).is_some() {
                self.report(5, format!("{conversation}: epoch {epoch} was claimed twice"));
            }
            let newest = self.entries(*conversation).iter().filter(|entry| entry.epoch < *epoch).map(|entry| entry.seq);
            let newest = newest.max().unwrap_or_default();
            if newest != *seq {
                let text = format!("{conversation}: the claim of epoch {epoch} had read {seq} entries of {newest}");
                self.report(6, text);
            }
        }
    }
    /// Who owned a conversation let it go or was dead before somebody else took it, and an epoch has one owner.
    pub(super) fn owners(&mut self) {
        let mut epochs = BTreeMap::new();
        for taking in self.tables.takings.clone() {
            let Taking { conversation, epoch, owner, previous, robbed, .. } = taking;
            if robbed {
                let previous = previous.unwrap_or_default();
                self.report(
                    13,
                    format!("{conversation}: {owner} took it as epoch {epoch} from {previous}, which lived"),
                );
            }
            if let Some(other) = epochs.insert((conversation, epoch), owner.clone()) {
                self.report(13, format!("{conversation}: epoch {epoch} was {other}'s and is {owner}'s"));
            }
        }
    }
}
