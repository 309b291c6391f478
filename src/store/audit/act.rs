//! An act: a row of `audit_log`, and the link that ties it to the act before it in the same process.

use onya_actors::ports::{Act, StoreError};
use onya_core::{ConversationId, Timestamp};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::source::ActRow;
use crate::store::chain::{GENESIS, Hash, Parts, hex};

/// The body of an entry and its salt were erased. The conversation is named; `digest` in the detail is that of all
/// entries of the conversation that are erased by then, as [`Erased`] makes it.
pub(in crate::store) const ERASURE: &str = "erasure";
/// What was stored is gone as a whole: the conversation that the row names, or all from `from` to `to` in the detail.
pub(in crate::store) const REMOVAL: &str = "removal";

impl ActRow {
    /// The row of an act that follows another in its chain.
    pub(in crate::store) fn next(act: &Act, chain: Uuid, (n, previous): (i64, &Hash)) -> Self {
        let mut row = Self {
            chain,
            n: n + 1,
            at: act.at.0,
            actor: act.actor.clone(),
            actor_role: act.actor_role.clone(),
            action: act.action.to_owned(),
            conversation: act.conversation.map(|conversation| conversation.0),
            detail: act.detail.clone(),
            link: Vec::new(),
        };
        row.link = row.link_after(previous).to_vec();
        row
    }

    /// The row of an act that is a chain of its own: for whoever records one thing, in the transaction that does it.
    pub(in crate::store) fn alone(act: &Act) -> Self {
        Self::next(act, Uuid::now_v7(), (0, &GENESIS))
    }

    /// The link of this act, given that of the act before it.
    pub(in crate::store) fn link_after(&self, previous: &Hash) -> Hash {
        let digest = Parts::new("onya.act.1")
            .bytes(self.chain.as_bytes())
            .integer(self.n)
            .integer(self.at)
            .bytes(self.actor.as_bytes())
            .bytes(self.actor_role.as_bytes())
            .bytes(self.action.as_bytes())
            .optional(self.conversation.as_ref().map(|id: &Uuid| &id.as_bytes()[..]))
            .bytes(self.detail.as_bytes())
            .hash();
        Parts::new("onya.link.1").bytes(previous).bytes(&digest).hash()
    }
}

/// The chain of this start of the process.
pub(in crate::store) struct Acts {
    pub(in crate::store) chain: Uuid,
    /// Its end, as far as it is known: not after an outcome that is not.
    pub(in crate::store) head: Mutex<Option<(i64, Hash)>>,
}

impl Acts {
    pub(in crate::store) fn new(incarnation: Uuid) -> Self {
        Self { chain: incarnation, head: Mutex::new(Some((0, GENESIS))) }
    }

    /// Goes on with a chain whose end is not known.
    #[cfg(test)]
    pub(in crate::store) fn resumed(incarnation: Uuid) -> Self {
        Self { chain: incarnation, head: Mutex::new(None) }
    }
}

/// The rows of acts after the end of a chain, and the end after them.
pub(in crate::store) fn rows_after(acts: &[Act], chain: Uuid, mut head: (i64, Hash)) -> (Vec<ActRow>, (i64, Hash)) {
    let mut rows = Vec::with_capacity(acts.len());
    for act in acts {
        let row = ActRow::next(act, chain, (head.0, &head.1));
        head = (row.n, row.link_after(&head.1));
        rows.push(row);
    }
    (rows, head)
}

/// The end of a chain, read from its last row.
pub(in crate::store) fn head_of(last: Option<(i64, Vec<u8>)>) -> Result<(i64, Hash), StoreError> {
    let Some((n, link)) = last else { return Ok((0, GENESIS)) };
    Ok((n, link.try_into().map_err(|_| StoreError::Corrupt("a link is malformed".to_owned()))?))
}

/// The last row of a chain.
pub(in crate::store) const LAST: &str = "SELECT n, link FROM audit_log WHERE chain = $1 ORDER BY n DESC LIMIT 1";

/// What is left of the erased entries of one conversation, in the order of their positions: what an erasure puts on
/// record, so that nobody can put words where a body was, or call a deletion of their own an erasure.
pub(in crate::store) struct Erased {
    parts: Parts,
    entries: u64,
}

impl Default for Erased {
    fn default() -> Self {
        Self { parts: Parts::new("onya.erased.1"), entries: 0 }
    }
}

impl Erased {
    /// Adds an entry whose salt is gone, with the body that stands in its place.
    pub(in crate::store) fn add(&mut self, seq: i64, body: &str) {
        let parts = std::mem::replace(&mut self.parts, Parts::new(""));
        self.parts = parts.integer(seq).bytes(body.as_bytes());
        self.entries += 1;
    }

    pub(in crate::store) const fn entries(&self) -> u64 {
        self.entries
    }

    /// The act that puts on record what is left; who erased it says so in the transaction that did.
    pub(in crate::store) fn act(self, conversation: ConversationId, (actor, role): (&str, &str), at: Timestamp) -> Act {
        let entries = self.entries;
        Act {
            at,
            actor: actor.to_owned(),
            actor_role: role.to_owned(),
            action: ERASURE,
            conversation: Some(conversation),
            detail: format!(r#"{{"entries":{entries},"digest":"{}"}}"#, hex(&self.digest())),
        }
    }

    /// The digest, as it stands in the detail of an erasure.
    pub(in crate::store) fn digest(self) -> Hash {
        self.parts.hash()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act() -> ActRow {
        ActRow {
            chain: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002),
            n: 1,
            at: 1_700_000_000_123,
            actor: "0190".to_owned(),
            actor_role: "agent".to_owned(),
            action: "read".to_owned(),
            conversation: Some(Uuid::from_u128(7)),
            detail: r#"{"what":"entries"}"#.to_owned(),
            link: Vec::new(),
        }
    }

    /// Stored links were made like this. If this fails, the code is wrong: never change the examples.
    #[test]
    fn the_form_of_the_links_of_acts_and_of_erasures_is_frozen() {
        let first = act().link_after(&GENESIS);
        assert_eq!(hex(&first), "56517921a79625befdc8324de8e81a8d697118468f7c54e827fe70c1347ba0f6");
        let second = ActRow { n: 2, conversation: None, ..act() };
        assert_eq!(hex(&second.link_after(&first)), "4db2bd1374ede3c8a6a6c775598eff36782e29141cb706ff7c6d299ea148381a");
        let mut erased = Erased::default();
        erased.add(2, "{}");
        erased.add(5, "{}");
        assert_eq!(hex(&erased.digest()), "2e81471c543b36ba5f0877db2e391b19f88ed13733edbb9b2b16e0efa552ac22");
    }

    #[test]
    fn every_column_of_an_act_changes_its_link() {
        let changed = [
            ActRow { chain: Uuid::from_u128(1), ..act() },
            ActRow { n: 2, ..act() },
            ActRow { at: 0, ..act() },
            ActRow { actor: "0191".to_owned(), ..act() },
            ActRow { actor_role: "admin".to_owned(), ..act() },
            ActRow { action: "reads".to_owned(), ..act() },
            ActRow { conversation: None, ..act() },
            ActRow { detail: "{}".to_owned(), ..act() },
            // The same bytes, cut elsewhere.
            ActRow { actor_role: "agentr".to_owned(), action: "ead".to_owned(), ..act() },
        ];
        let links: std::collections::BTreeSet<Hash> =
            changed.iter().chain([&act()]).map(|act| act.link_after(&GENESIS)).collect();
        assert_eq!(links.len(), changed.len() + 1);
    }
}
