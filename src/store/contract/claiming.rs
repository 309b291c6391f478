//! Claims: who may own, and what an owner is given.

use onya_actors::ports::{AppendOutcome, Claim, StoreError};
use onya_core::{ConversationId, Timestamp};
use uuid::Uuid;

use super::Backend;
use super::fixture::{Node, TAIL};

pub(super) async fn a_live_owner_is_not_robbed(backend: &impl Backend) {
    let (a, b) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let mut talk = a.talk().await;
    let claim = b.log.claim(talk.id(), TAIL).await.unwrap();
    assert!(matches!(claim, Claim::OwnedByOther(owner) if owner.0 == a.incarnation));
    talk.chatter(1).await;
}

pub(super) async fn a_new_start_under_a_name_makes_the_old_one_dead(backend: &impl Backend) {
    let (old, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let mut talk = old.talk().await;
    let mut elsewhere = other.talk().await;
    talk.chatter(1).await;
    let new = Node::start(backend, "a").await;
    talk.chatter(1).await;
    let mut taken = new.claim(talk.id()).await;
    assert_eq!((&taken.state, taken.fence.epoch), (&talk.state, talk.fence.epoch + 1));
    let late = talk.say("late", "too late");
    assert_eq!(talk.store(late).await, AppendOutcome::Fenced);
    taken.chatter(1).await;
    elsewhere.chatter(1).await;
    assert!(matches!(new.log.claim(elsewhere.id(), TAIL).await.unwrap(), Claim::OwnedByOther(_)));
    assert!(matches!(old.log.claim(talk.id(), TAIL).await, Err(StoreError::Refused(_))));
}

pub(super) async fn a_release_lets_anybody_claim_and_ends_the_old_fence(backend: &impl Backend) {
    let (a, b) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (mut given, mut kept) = (a.talk().await, a.talk().await);
    let stale = kept.fence;
    kept = a.claim(kept.id()).await;
    a.log.release(&[(given.id(), given.fence), (kept.id(), stale)]).await.unwrap();
    let late = given.say("m1", "late");
    assert_eq!(given.store(late).await, AppendOutcome::Fenced);
    kept.chatter(1).await;
    b.claim(given.id()).await.chatter(1).await;
    assert!(matches!(b.log.claim(kept.id(), TAIL).await.unwrap(), Claim::OwnedByOther(_)));
}

pub(super) async fn who_owns_nothing_of_it_reclaims_nothing(backend: &impl Backend) {
    let (a, b) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let free = a.open().await;
    assert!(matches!(a.log.reclaim(free, TAIL).await.unwrap(), Claim::Free));
    let talk = a.talk().await;
    assert!(
        matches!(b.log.reclaim(talk.id(), TAIL).await.unwrap(), Claim::OwnedByOther(owner) if owner.0 == a.incarnation)
    );
    let Claim::Owned(owned) = a.log.reclaim(talk.id(), TAIL).await.unwrap() else { panic!("not its own") };
    assert_eq!(owned.fence.epoch, talk.fence.epoch + 1);
    assert!(matches!(a.log.reclaim(ConversationId(Uuid::now_v7()), TAIL).await.unwrap(), Claim::NotFound));
}

pub(super) async fn what_is_given_up_idle_is_free_and_only_its_owner_gives_it_up(backend: &impl Backend) {
    let (a, b) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let talk = a.talk().await;
    b.log.release_idle(talk.id()).await.unwrap();
    assert_eq!(owner(&a, talk.id()).await, Some(a.incarnation));
    a.log.release_idle(talk.id()).await.unwrap();
    assert_eq!(owner(&a, talk.id()).await, None);
    b.claim(talk.id()).await.chatter(1).await;
    assert_eq!(owner(&a, talk.id()).await, Some(b.incarnation));
    a.log.release_idle(ConversationId(Uuid::now_v7())).await.unwrap();
}

async fn owner(node: &Node, id: ConversationId) -> Option<Uuid> {
    node.log.summary(id).await.unwrap().unwrap().owner.map(|owner| owner.0)
}

pub(super) async fn a_claim_by_the_owner_itself_ends_its_earlier_fence(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut old = node.talk().await;
    let mut new = node.claim(old.id()).await;
    assert_eq!(new.fence.epoch, 2);
    let late = old.say("m1", "late");
    assert_eq!(old.store(late).await, AppendOutcome::Fenced);
    new.chatter(1).await;
}

pub(super) async fn only_a_live_member_claims(backend: &impl Backend) {
    let id = Node::start(backend, "a").await.open().await;
    let stranger = backend.log(Uuid::now_v7()).await;
    assert!(matches!(stranger.claim(id, TAIL).await, Err(StoreError::Refused(_))));
}

pub(super) async fn snapshot_and_rest_are_the_whole_log(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    for number in 0..120 {
        let mut append = talk.say(&format!("m{number}"), "text");
        if number % 16 == 5 {
            let mut after = talk.clone();
            after.apply(&append, talk.link);
            append.snapshot = Some(Box::new(after.state.snapshot()));
        }
        talk.must_store(append).await;
        if number % 7 == 0 {
            let short = onya_actors::ports::TailLimit { entries: 3, bytes: 1_000 };
            let owned = node.owned(talk.id(), short).await;
            assert_eq!((&owned.state, owned.link), (&talk.state, talk.link));
            assert!(owned.tail.len() <= 3 && owned.tail.last().unwrap().seq == talk.state.seq);
            talk.fence = owned.fence;
        }
    }
    let with_snapshot = node.claim(talk.id()).await.state;
    backend.execute("UPDATE conversations SET snapshot = NULL, snapshot_seq = NULL").await;
    assert_eq!(node.claim(talk.id()).await.state, with_snapshot);
}

pub(super) async fn a_snapshot_of_an_unknown_version_is_ignored(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(4).await;
    for sql in [
        r#"UPDATE conversations SET snapshot = '{"version":999,"state":{}}', snapshot_seq = 3"#,
        "UPDATE conversations SET snapshot = 'no JSON', snapshot_seq = 3",
    ] {
        backend.execute(sql).await;
        let tail = onya_actors::ports::TailLimit { entries: 1, bytes: 0 };
        assert_eq!(node.owned(talk.id(), tail).await.state, talk.state);
    }
    backend.execute("DELETE FROM entries WHERE seq = 3").await;
    assert!(matches!(node.log.claim(talk.id(), TAIL).await, Err(StoreError::Corrupt(_))));
}

pub(super) async fn crashes_are_counted_within_their_window(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let (talk, other) = (node.talk().await, node.talk().await);
    let now = crate::store::clock::now_ms();
    let crash =
        async |at: i64, window_ms: u64| node.log.record_crash(talk.id(), Timestamp(at), window_ms).await.unwrap();
    assert_eq!(crash(now - 700_000, 600_000).await, 1);
    assert_eq!(crash(now - 300_000, 600_000).await, 2);
    assert_eq!(crash(now, 600_000).await, 2);
    assert_eq!(node.owned(talk.id(), TAIL).await.recent_crashes, 2);
    assert_eq!(node.owned(other.id(), TAIL).await.recent_crashes, 0);
}

/// The row as it was before the last append, as after a restore.
pub(super) async fn an_owner_whose_claim_stands_with_a_shorter_log_renews_the_history(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (mut talk, mut early) = (node.talk().await, node.talk().await);
    talk.chatter(2).await;
    let epoch = node.log.history_epoch().await.unwrap();
    backend.execute("DELETE FROM entries WHERE seq > 1").await;
    backend.execute("UPDATE conversations SET last_seq = 1").await;
    assert_eq!(talk.store(talk.say("m1", "hello")).await, AppendOutcome::Fenced);
    let renewed = other.log.history_epoch().await.unwrap();
    assert_ne!(renewed, epoch);
    assert_eq!(talk.store(talk.say("m1", "hello")).await, AppendOutcome::Fenced);
    assert_eq!(other.log.history_epoch().await.unwrap(), renewed, "it is renewed once");
    backend.execute("UPDATE conversations SET epoch = 0, nonce = NULL, owner = NULL").await;
    assert_eq!(early.store(early.say("m1", "hello")).await, AppendOutcome::Fenced);
    assert_eq!(other.log.history_epoch().await.unwrap(), renewed, "one history is left once");
}

pub(super) async fn an_owner_that_was_robbed_or_has_released_renews_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let (mut robbed, mut released, mut gone) = (node.talk().await, node.talk().await, node.talk().await);
    let epoch = node.log.history_epoch().await.unwrap();
    node.claim(robbed.id()).await.chatter(1).await;
    node.log.release(&[(released.id(), released.fence)]).await.unwrap();
    backend
        .execute("DELETE FROM conversations WHERE id = (SELECT id FROM conversations ORDER BY id DESC LIMIT 1)")
        .await;
    for talk in [&mut robbed, &mut released, &mut gone] {
        assert_eq!(talk.store(talk.say("m1", "hello")).await, AppendOutcome::Fenced);
    }
    assert_eq!(node.log.history_epoch().await.unwrap(), epoch);
}
