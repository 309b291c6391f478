//! Chains, anchors and what a verification makes of them.

use onya_core::Timestamp;
use tempfile::TempDir;
use uuid::Uuid;

use super::Backend;
use super::fixture::Node;
use crate::store::audit::act::Erased;
use crate::store::audit::source::ActRow;
use crate::store::audit::verify::verify;
use crate::store::audit::{Anchor, AnchorKey, Anchoring, Anchors, Fault, Kind, Place, Report};

/// A file of anchors, and the key for it.
pub(super) struct Notary {
    folder: TempDir,
    key: String,
}

impl Notary {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), key: AnchorKey::generate().secret() }
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("anchors.jsonl")
    }

    fn key(&self) -> AnchorKey {
        AnchorKey::parse(&self.key).unwrap()
    }

    pub(super) async fn anchor(&self, backend: &impl Backend) -> Option<Anchor> {
        let mut file = Anchoring::open(&self.path(), self.key()).unwrap();
        file.anchor_heads(backend.heads().await, false).await.unwrap()
    }

    pub(super) fn anchors(&self) -> Anchors {
        Anchors { file: Some(self.path()), keys: vec![self.key().public()] }
    }

    pub(super) async fn verify(&self, backend: &impl Backend) -> Report {
        verify(&mut *backend.source().await, &self.anchors()).await.unwrap()
    }
}

/// The first fault of the only chain that has one.
fn the_fault(report: &Report) -> (Uuid, i64, Fault) {
    let [broken] = &report.broken[..] else { panic!("{:?}", report.broken) };
    let Place::Chain { kind: Kind::Conversation, chain, position } = broken.place else { panic!("{broken}") };
    (chain, position, broken.fault)
}

pub(super) async fn what_is_stored_verifies_and_what_no_anchor_covers_is_told(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let (mut one, mut two) = (node.talk().await, node.talk().await);
    one.chatter(3).await;
    let notary = Notary::new();
    let first = notary.anchor(backend).await.unwrap();
    assert_eq!((first.number, first.leaves), (1, 2));
    assert_eq!(notary.anchor(backend).await, None, "nothing has moved");
    let report = notary.verify(backend).await;
    assert!(report.is_intact(), "{:?}", report.broken);
    assert_eq!((report.checked.conversations, report.checked.anchors, report.unproven.entries), (2, 1, 0));
    two.chatter(1).await;
    let open = node.open().await;
    let report = notary.verify(backend).await;
    assert_eq!((report.unproven.conversations, report.unproven.entries), (2, 3), "one is new: {open}");
    assert_eq!(report.unproven.oldest_at, Some(1_000));
    assert_eq!(notary.anchor(backend).await.map(|anchor| anchor.leaves), Some(2), "only those that moved");
    one.chatter(2).await;
    notary.anchor(backend).await.unwrap();
    let report = notary.verify(backend).await;
    assert!(report.is_intact(), "{:?}", report.broken);
    assert_eq!((report.checked.anchors, report.unproven.entries, report.notes.len()), (3, 0, 0));
    assert_eq!(report.checked.entries as i64, backend.number("SELECT count(*) FROM entries").await);
}

pub(super) async fn a_commit_that_an_anchor_could_not_see_is_in_the_next_one(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talks = Vec::new();
    for _ in 0..6 {
        talks.push(node.talk().await);
    }
    let notary = Notary::new();
    let writing = async {
        for number in 0..40 {
            for talk in &mut talks {
                let say = talk.say(&format!("m{number}"), "hello");
                let outcome = talk.store(say).await;
                assert!(outcome.is_accepted(), "{outcome:?}");
            }
        }
    };
    let anchoring = async {
        for _ in 0..15 {
            notary.anchor(backend).await;
        }
    };
    tokio::join!(writing, anchoring);
    notary.anchor(backend).await;
    let report = notary.verify(backend).await;
    assert!(report.is_intact(), "{:?}", report.broken);
    assert_eq!(report.unproven.entries, 0, "an anchor passed over a commit");
}

pub(super) async fn an_erasure_on_record_verifies_and_one_without_does_not(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(3).await;
    let notary = Notary::new();
    notary.anchor(backend).await.unwrap();
    backend.execute("UPDATE entries SET salt = NULL, body = '{}' WHERE seq IN (2, 4)").await;
    assert_eq!(the_fault(&notary.verify(backend).await), (talk.id().0, 2, Fault::ErasedWithoutRecord));
    let mut erased = Erased::default();
    for entry in backend.source().await.entries((talk.id().0, 0), 100).await.unwrap() {
        if entry.salt.is_none() {
            erased.add(entry.seq, &entry.body);
        }
    }
    let act = erased.act(talk.id(), ("dpo", "operator"), Timestamp(2_000));
    backend.record(&ActRow::alone(&act)).await;
    let report = notary.verify(backend).await;
    assert!(report.is_intact(), "{:?}", report.broken);
    assert_eq!(report.gone.erased_entries, 2);
    backend.execute("UPDATE entries SET body = '{\"forged\":1}' WHERE seq = 4").await;
    assert_eq!(the_fault(&notary.verify(backend).await), (talk.id().0, 2, Fault::ErasedWithoutRecord));
}

pub(super) async fn a_chain_that_starts_late_says_so(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(1).await;
    let before = talk.state.seq;
    backend.execute("UPDATE entries SET salt = NULL, body_commitment = NULL, link = NULL").await;
    backend.execute("UPDATE conversations SET link = NULL, moved = NULL").await;
    talk = node.claim(talk.id()).await;
    talk.chatter(2).await;
    let notary = Notary::new();
    notary.anchor(backend).await.unwrap();
    let report = notary.verify(backend).await;
    assert!(report.is_intact(), "{:?}", report.broken);
    assert_eq!((report.before_chain.conversations, report.before_chain.entries), (1, before));
    // A hole in the chain is no beginning.
    backend.execute("UPDATE entries SET salt = NULL, body_commitment = NULL, link = NULL WHERE seq = 5").await;
    assert_eq!(the_fault(&notary.verify(backend).await), (talk.id().0, 5, Fault::Unlinked));
}

pub(super) async fn an_interrupted_anchor_is_done_again(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    let notary = Notary::new();
    notary.anchor(backend).await.unwrap();
    talk.chatter(1).await;
    // Into another file, as if the process had ended before its line was written.
    let lost = Notary { folder: tempfile::tempdir().unwrap(), key: notary.key.clone() };
    std::fs::copy(notary.path(), lost.path()).unwrap();
    lost.anchor(backend).await.unwrap();
    let report = notary.verify(backend).await;
    assert!(report.is_intact() && report.notes.len() == 1, "{report:?}");
    talk.chatter(1).await;
    assert_eq!(notary.anchor(backend).await.map(|anchor| anchor.number), Some(2));
    let report = notary.verify(backend).await;
    assert!(report.is_intact() && report.notes.is_empty() && report.unproven.entries == 0, "{report:?}");
    // The lost file's second anchor was replaced, so that file no longer belongs to this database.
    assert!(!lost.verify(backend).await.is_intact());
}

pub(super) async fn a_restored_database_is_found_out(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(1).await;
    let notary = Notary::new();
    notary.anchor(backend).await.unwrap();
    talk.chatter(1).await;
    notary.anchor(backend).await.unwrap();
    // What a restore from before the second anchor leaves.
    backend.execute("DELETE FROM audit_anchor_heads WHERE anchor = 2").await;
    let report = notary.verify(backend).await;
    assert_eq!(report.broken.iter().map(|broken| broken.place).collect::<Vec<_>>(), [Place::Anchor { anchor: 2 }]);
    // The next anchor looks at everything again.
    let third = notary.anchor(backend).await.unwrap();
    assert_eq!((third.number, third.leaves), (3, 1));
    assert_eq!(notary.verify(backend).await.broken_total, 1);
    let fresh = Notary::new();
    let mut file = Anchoring::open(&fresh.path(), fresh.key()).unwrap();
    let refused = file.anchor_heads(backend.heads().await, false).await;
    assert!(matches!(refused, Err(crate::store::audit::AnchorError::OtherFile { database: 3, file: 0 })));
    file.anchor_heads(backend.heads().await, true).await.unwrap().unwrap();
    assert!(fresh.verify(backend).await.is_intact());
}
