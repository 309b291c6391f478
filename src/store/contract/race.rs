//! Takeovers that race with appends: what an owner was told is stored stays, once, in its place.

use std::collections::BTreeMap;

use onya_actors::ports::{Append, AppendOutcome};
use onya_core::ConversationId;
use onya_core::conversation::Entry;

use super::Backend;
use super::fixture::{Node, Talk};
use crate::store::audit::Anchors;
use crate::store::audit::verify::verify;

const CONVERSATIONS: usize = 6;
const TAKEOVERS: usize = 12;
/// Appends by the old owner, per conversation, while the new one takes over.
const APPENDS: usize = 20;

/// The entries that an owner was told are stored.
type Acknowledged = BTreeMap<(ConversationId, u64), Entry>;

/// One owner dies again and again while it still writes. The claim must see each entry that the dead one was told is
/// stored, and the dead one must be refused from then on.
pub(super) async fn takeovers_during_appends_lose_nothing_and_double_nothing(backend: &impl Backend) {
    let mut acknowledged = Acknowledged::new();
    let mut owner = Node::start(backend, "a").await;
    let mut talks = Vec::new();
    for _ in 0..CONVERSATIONS {
        talks.push(owner.talk().await);
    }
    let mut fenced = 0;
    for generation in 0..TAKEOVERS {
        let next = Node::start(backend, "a").await;
        let (left, right) = talks.split_at(CONVERSATIONS / 2);
        let (one, two, taken) = tokio::join!(
            write_on(&owner, left.to_vec(), generation),
            write_on(&owner, right.to_vec(), generation),
            take_over(&next, &talks),
        );
        for (entries, refused) in [one, two] {
            fenced += refused;
            acknowledged.extend(entries);
        }
        (owner, talks) = (next, taken);
    }
    assert!(fenced > 0, "no owner was ever refused: nothing raced");
    let mut stored = Acknowledged::new();
    for talk in &talks {
        let entries = owner.entries(talk.id()).await;
        assert!(entries.iter().zip(1..).all(|(entry, seq)| entry.seq == seq), "a gap");
        let head = owner.log.summary(talk.id()).await.unwrap().unwrap().last_seq;
        assert_eq!(entries.len() as u64, head);
        stored.extend(entries.into_iter().skip(1).map(|entry| ((talk.id(), entry.seq), entry)));
    }
    assert_eq!(stored, acknowledged);
    let report = verify(&mut *backend.source().await, &Anchors::default()).await.unwrap();
    assert!(report.is_intact(), "{:?}", report.broken);
    assert_eq!(report.checked.entries as usize, stored.len() + CONVERSATIONS);
}

/// Appends in batches until every conversation is refused or the count is reached; what was accepted, and how many
/// conversations were refused.
async fn write_on(owner: &Node, mut talks: Vec<Talk>, generation: usize) -> (Acknowledged, usize) {
    let (mut acknowledged, mut fenced) = (Acknowledged::new(), 0);
    for number in 0..APPENDS {
        let batch: Vec<Append> = talks.iter().map(|talk| talk.say(&format!("g{generation}n{number}"), "x")).collect();
        let outcomes = owner.log.append(&batch).await.unwrap();
        let mut kept = Vec::new();
        for ((mut talk, append), outcome) in talks.into_iter().zip(batch).zip(outcomes) {
            match outcome {
                AppendOutcome::Accepted(link) => {
                    talk.apply(&append, link);
                    let entries = append.entries.iter().cloned();
                    acknowledged.extend(entries.map(|entry| ((append.conversation, entry.seq), entry)));
                    kept.push(talk);
                }
                AppendOutcome::Locked => kept.push(talk),
                AppendOutcome::Fenced => fenced += 1,
                other => panic!("{other:?}"),
            }
        }
        talks = kept;
    }
    (acknowledged, fenced)
}

async fn take_over(next: &Node, talks: &[Talk]) -> Vec<Talk> {
    let mut taken = Vec::new();
    for talk in talks {
        taken.push(next.claim(talk.id()).await);
    }
    taken
}
