//! Erasure: every copy goes, the log stays in its place; holds; the end of a retention.

use onya_actors::ports::{Append, AppendOutcome, Closed, HOLD_POSTPONES_MS, LegalHold, NewConversation, StoreError};
use onya_core::conversation::{
    Action, Actor, Command, Context, Entry, Event, Policy, ReplyEnding, Request, Role, Score, Signal, State,
};
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Timestamp};
use uuid::Uuid;

use super::anchored::Notary;
use super::duties::due;
use super::fixture::{Node, Talk, new_conversation};
use super::{Backend, RawEntry};
use crate::store::chain::{self, GENESIS, Sealed};

/// Stands in every place where somebody's words can go.
const WORDS: &str = "zqcanary7fa1";

fn supervisor() -> Actor {
    Actor { id: ParticipantId(Uuid::from_u128(21)), role: Role::Supervisor, name: Some("Grace".to_owned()) }
}

fn erase(talk: &Talk, id: &str) -> Append {
    talk.request(supervisor(), id, Action::Erase)
}

async fn erased(talk: &mut Talk, append: Append) -> AppendOutcome {
    let outcome = talk.log.erase(append.clone()).await.unwrap();
    if let AppendOutcome::Accepted(link) = outcome {
        talk.apply(&append, link);
    }
    outcome
}

/// A conversation in which everything was said that can be: by the customer under a name, by the assistant, in a comment,
/// in a summary; with a snapshot that holds the summary, a dead letter and a crash.
async fn full_of_words(node: &Node) -> Talk {
    let mut talk = node.talk().await;
    let customer = Actor { name: Some(format!("{WORDS} name")), ..talk.customer() };
    let say = Action::Say { text: format!("{WORDS} said"), overlap: onya_core::conversation::Overlap::Queue };
    let say = talk.request(customer.clone(), "m1", say);
    talk.must_store(say).await;
    let ending = ReplyEnding::Complete { text: format!("{WORDS} reply") };
    let reply = talk.signal(Signal::FinishReply { turn: 3, attempt: 1, ending });
    talk.must_store(reply).await;
    let rate = Action::Rate { reply: Some(4), score: Score::Down, comment: Some(format!("{WORDS} comment")) };
    let rate = talk.request(customer.clone(), "r1", rate);
    talk.must_store(rate).await;
    let escalate = Action::Escalate { summary: Some(format!("{WORDS} summary")) };
    let mut escalate = talk.request(customer, "e1", escalate);
    let mut after = talk.state.clone();
    escalate.entries.iter().for_each(|entry| after.apply(entry));
    escalate.snapshot = Some(Box::new(after.snapshot()));
    talk.must_store(escalate).await;
    let mut poisoned = talk.say("m2", &format!("{WORDS} unstorable"));
    let broken: Vec<Entry> =
        poisoned.entries.iter().map(|entry| Entry { customer_prev: u64::MAX, ..entry.clone() }).collect();
    poisoned.entries = broken.into();
    assert_eq!(talk.store(poisoned).await, AppendOutcome::Poisoned);
    node.log.record_crash(talk.id(), Timestamp(5), 1_000).await.unwrap();
    while node.log.index_texts().await.unwrap() > 0 {}
    talk
}

/// Panics unless the chain goes through all rows, each body with a salt is the one committed to, and the end is `link`.
fn verify(conversation: ConversationId, rows: &[RawEntry], link: [u8; 32]) {
    let mut previous = GENESIS;
    for (row, expected) in rows.iter().zip(1..) {
        let (
            seq,
            customer_prev,
            customer_sees,
            at,
            epoch,
            kind,
            body,
            participant,
            client_msg_id,
            commitment,
            salt,
            body_commitment,
            stored,
            _,
        ) = row;
        assert_eq!(*seq, expected);
        if let Some(salt) = salt {
            assert_eq!(&chain::body_commitment(salt, body)[..], body_commitment);
        }
        let sealed = Sealed {
            conversation: conversation.0,
            seq: *seq,
            customer_prev: *customer_prev,
            customer_sees: *customer_sees,
            at: *at,
            epoch: *epoch,
            kind,
            participant: *participant,
            client_msg_id: client_msg_id.as_deref(),
            commitment: commitment.as_deref(),
            body_commitment,
        };
        previous = sealed.link(&previous);
        assert_eq!(&previous[..], stored, "the link of {seq}");
    }
    assert_eq!(previous, link);
}

pub(super) async fn an_erasure_leaves_no_word_anywhere_and_the_log_as_it_was(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let (mut talk, mut neighbour) = (full_of_words(&node).await, node.talk().await);
    neighbour.chatter(1).await;
    let before = backend.rows(talk.id().0).await;
    let places = backend.places_of(WORDS).await;
    for table in ["conversations", "dead_letters", "entries", "queue_entries"] {
        assert!(places.iter().any(|place| place == table), "{table} holds no word: {places:?}");
    }
    let append = erase(&talk, "x1");
    assert!(erased(&mut talk, append.clone()).await.is_accepted());
    assert_eq!(backend.places_of(WORDS).await, Vec::<String>::new());
    let after = backend.rows(talk.id().0).await;
    verify(talk.id(), &after, talk.link.0);
    assert_eq!(after.len(), before.len() + append.entries.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            (before.0, before.3, &before.5, &before.11, &before.12),
            (after.0, after.3, &after.5, &after.11, &after.12)
        );
        assert_eq!((&after.10, after.13), (&None, true), "the salt is gone");
    }
    let notary = Notary::new();
    notary.anchor(backend).await.unwrap();
    let report = notary.verify(backend).await;
    assert!(report.is_intact(), "{:?}", report.broken);
    assert_eq!(report.gone.erased_entries + 1, after.len() as u64);
    let stored = node.entries(talk.id()).await;
    let (earlier, own) = stored.split_at(before.len());
    assert!(earlier.iter().all(|entry| entry.erased && entry.event == entry.event.redacted()));
    assert_eq!(own, &append.entries[..]);
    assert_eq!(node.claim(talk.id()).await.state, talk.state, "from the log alone");
    assert_eq!(backend.number("SELECT count(*) FROM dead_letters").await, 0);
    assert_eq!(backend.number("SELECT count(*) FROM crashes").await, 0);
    assert_eq!(node.log.waiting().await.unwrap(), []);
    assert_eq!(backend.number("SELECT count(*) FROM conversations WHERE erased_at IS NOT NULL").await, 1);
    assert!(node.entries(neighbour.id()).await.iter().all(|entry| !entry.erased));
    neighbour.chatter(1).await;
}

pub(super) async fn an_erasure_needs_the_fence_like_any_append(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut old = full_of_words(&node).await;
    let mut new = node.claim(old.id()).await;
    let late = erase(&old, "x1");
    assert_eq!(erased(&mut old, late).await, AppendOutcome::Fenced);
    let behind = erase(&new, "x1");
    new.chatter(1).await;
    assert_eq!(erased(&mut new.clone(), behind).await, AppendOutcome::Fenced);
    let rows = backend.rows(new.id().0).await;
    assert!(rows.iter().all(|row| row.10.is_some() && !row.13), "nothing is erased");
    verify(new.id(), &rows, new.link.0);
    let append = erase(&new, "x1");
    assert!(erased(&mut new, append).await.is_accepted());
}

pub(super) async fn an_erasure_that_is_stored_already_is_a_repeat(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = full_of_words(&node).await;
    let forgetful = talk.clone();
    let first = erase(&talk, "x1");
    assert!(erased(&mut talk, first.clone()).await.is_accepted());
    assert_eq!(erased(&mut forgetful.clone(), first).await, AppendOutcome::Fenced, "the log is longer");
    let at = talk.state.seq;
    let known = node.log.known_keys(talk.id(), supervisor().id, &[ClientMsgId::new("x1").unwrap()]).await.unwrap();
    assert_eq!(known.iter().map(|known| known.seq).collect::<Vec<_>>(), [at]);
    let state = node.claim(talk.id()).await.state;
    let policy = Policy::default();
    let context = Context { now: Timestamp(9), policy: &policy, reply: None, known: &[] };
    let request = Request {
        by: supervisor(),
        client_msg_id: ClientMsgId::new("x1").unwrap(),
        after: None,
        action: Action::Erase,
    };
    let again = state.decide(&context, &Command::Request(request)).unwrap();
    assert_eq!(again.ack.map(|ack| (ack.seq, ack.repeated)), Some((at, true)));
}

pub(super) async fn an_erasure_that_cannot_be_stored_erases_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = full_of_words(&node).await;
    let mut append = erase(&talk, "x1");
    let broken: Vec<Entry> =
        append.entries.iter().map(|entry| Entry { customer_prev: entry.seq, ..entry.clone() }).collect();
    append.entries = broken.into();
    assert_eq!(erased(&mut talk, append).await, AppendOutcome::Poisoned);
    let rows = backend.rows(talk.id().0).await;
    assert!(rows.iter().all(|row| row.10.is_some() && !row.13));
    backend.execute("UPDATE entries SET body = '{\"type\":\"unheard_of\"}' WHERE seq = 3").await;
    let append = erase(&talk, "x2");
    let outcome = node.log.erase(append).await;
    assert!(matches!(outcome, Err(StoreError::Corrupt(_))), "{outcome:?}");
    assert_eq!(backend.number("SELECT count(*) FROM entries WHERE erased").await, 0);
    assert_eq!(node.log.summary(talk.id()).await.unwrap().unwrap().last_seq, talk.state.seq);
}

fn hold(talk: &Talk, reason: &str) -> LegalHold {
    LegalHold {
        customer: talk.state.customer,
        reason: reason.to_owned(),
        placed_by: supervisor().id,
        placed_at: Timestamp(7),
    }
}

pub(super) async fn nothing_of_a_held_customer_is_erased(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let (mut held, mut free) = (full_of_words(&node).await, full_of_words(&node).await);
    node.log.place_hold(hold(&held, "a case")).await.unwrap();
    let (of_held, of_free) = (erase(&held, "x1"), erase(&free, "x1"));
    let before = backend.rows(held.id().0).await;
    let deadline = backend.number("SELECT min(next_deadline) FROM conversations").await;
    assert_eq!(erased(&mut held, of_held.clone()).await, AppendOutcome::OnHold);
    let after = backend.rows(held.id().0).await;
    let kept = |rows: &[RawEntry]| rows.iter().map(|row| (row.6.clone(), row.10.clone(), row.13)).collect::<Vec<_>>();
    assert_eq!(kept(&after), kept(&before));
    assert_eq!(backend.number("SELECT min(next_deadline) FROM conversations").await, deadline, "it is not closed");
    assert!(erased(&mut free, of_free).await.is_accepted());
    node.log.lift_hold(held.state.customer).await.unwrap();
    assert!(erased(&mut held, of_held).await.is_accepted());
}

pub(super) async fn a_hold_waits_for_an_erasure_and_an_erasure_sees_the_hold(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    for round in 0..12 {
        let mut talk = node.talk().await;
        talk.chatter(3).await;
        let append = erase(&talk, "x1");
        let placing = node.log.place_hold(hold(&talk, "a case"));
        let erasing = node.log.erase(append);
        let (placed, outcome) = if round % 2 == 0 {
            tokio::join!(placing, erasing)
        } else {
            let (outcome, placed) = tokio::join!(erasing, placing);
            (placed, outcome)
        };
        placed.unwrap();
        let is_erased = node.entries(talk.id()).await.iter().any(|entry| entry.erased);
        match outcome.unwrap() {
            AppendOutcome::Accepted(_) => assert!(is_erased),
            AppendOutcome::OnHold | AppendOutcome::Locked => assert!(!is_erased),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) async fn a_hold_is_found_changed_and_lifted(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let talk = node.talk().await;
    let customer = talk.state.customer;
    assert_eq!(node.log.hold(customer).await.unwrap(), None);
    assert!(!node.log.lift_hold(customer).await.unwrap());
    for reason in ["a case", "another case"] {
        node.log.place_hold(hold(&talk, reason)).await.unwrap();
        assert_eq!(node.log.hold(customer).await.unwrap(), Some(hold(&talk, reason)));
    }
    assert!(node.log.lift_hold(customer).await.unwrap());
    assert_eq!(node.log.hold(customer).await.unwrap(), None);
}

pub(super) async fn the_conversations_of_a_customer_are_found_open_closed_and_erased(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let customer = ParticipantId(Uuid::now_v7());
    let mut talks = Vec::new();
    for number in 0..4 {
        let id = node.log.open(new_conversation(customer, "en")).await.unwrap().id();
        let mut talk = node.claim(id).await;
        if number < 3 {
            let close = talk.request(talk.customer(), "c1", Action::Close { control_version: None });
            talk.must_store(close).await;
        }
        talks.push(talk);
    }
    node.open().await;
    let append = erase(&talks[1], "x1");
    assert!(erased(&mut talks[1], append).await.is_accepted());
    let found = node.log.conversations_of(customer, None, 9).await.unwrap();
    let shown: Vec<_> = found.iter().map(|found| (found.conversation, found.last_seq, found.erased)).collect();
    let expected = [(2, false), (3, true), (2, false), (1, false)];
    assert_eq!(
        shown,
        talks.iter().zip(expected).map(|(talk, (seq, erased))| (talk.id(), seq, erased)).collect::<Vec<_>>()
    );
    let rest = node.log.conversations_of(customer, Some(talks[1].id()), 1).await.unwrap();
    assert_eq!(rest.iter().map(|found| found.conversation).collect::<Vec<_>>(), [talks[2].id()]);
    assert_eq!(node.log.conversations_of(ParticipantId(Uuid::now_v7()), None, 9).await.unwrap(), []);
}

/// A conversation that was closed at this time, without an owner.
async fn closed_at(node: &Node, at: i64) -> Talk {
    let opening = State::opening(ParticipantId(Uuid::now_v7()), "en".to_owned(), [7; 16], Timestamp(at - 1_000));
    let id = ConversationId(Uuid::now_v7());
    let head = State::open(id, &opening).unwrap().head(&Policy::default());
    node.log.open(NewConversation { id, opening, head }).await.unwrap();
    let mut talk = node.claim(id).await;
    let close = talk.request(talk.customer(), "c1", Action::Close { control_version: None });
    talk.must_store(close).await;
    node.log.release(&[(id, talk.fence)]).await.unwrap();
    talk
}

pub(super) async fn closed_conversations_get_the_deadline_of_the_setting_in_force(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let open = node.open().await;
    let (first, second, third) =
        (closed_at(&node, 5_000).await, closed_at(&node, 6_000).await, closed_at(&node, 7_000).await);
    let mut gone = closed_at(&node, 5_500).await;
    gone = node.claim(gone.id()).await;
    let append = erase(&gone, "x1");
    assert!(erased(&mut gone, append).await.is_accepted());
    assert_eq!(due(&node, 50_000, 9).await, []);
    let place = |talk: &Talk, at| Closed { at: Timestamp(at), conversation: talk.id() };
    let reached = node.log.schedule_retention(Some(2_000), None, 2).await.unwrap();
    assert_eq!(reached, Some(place(&second, 6_000)));
    let reached = node.log.schedule_retention(Some(2_000), reached, 2).await.unwrap();
    assert_eq!(reached, Some(place(&third, 7_000)));
    assert_eq!(node.log.schedule_retention(Some(2_000), reached, 2).await.unwrap(), None);
    assert_eq!(due(&node, 6_999, 9).await, []);
    assert_eq!(due(&node, 8_000, 9).await, [first.id(), second.id()]);
    node.log.place_hold(hold(&first, "a case")).await.unwrap();
    let mut held = node.claim(first.id()).await;
    let policy = Policy { retention_ms: Some(2_000), ..Policy::default() };
    let context = Context { now: Timestamp(8_000), policy: &policy, reply: None, known: &[] };
    let decision = held.state.decide(&context, &Command::Signal(Signal::DeadlineReached)).unwrap();
    assert!(matches!(decision.entries[..], [Entry { event: Event::Erased { by: None }, .. }]));
    let mut append = erase(&held, "unused");
    append.entries = decision.entries.into();
    assert_eq!(erased(&mut held, append).await, AppendOutcome::OnHold);
    assert_eq!(due(&node, 8_000, 9).await, [second.id()]);
    let put_off = Timestamp(8_000).plus_ms(HOLD_POSTPONES_MS);
    assert_eq!(due(&node, put_off.0, 1).await, [second.id()]);
    assert!(due(&node, put_off.0, 9).await.contains(&first.id()));
    while let Some(reached) = node.log.schedule_retention(None, None, 9).await.unwrap() {
        if reached == place(&third, 7_000) {
            break;
        }
    }
    assert_eq!(due(&node, i64::MAX, 9).await, [open]);
}

pub(super) async fn a_long_log_is_erased_to_its_last_entry(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(700).await;
    let append = erase(&talk, "x1");
    assert!(erased(&mut talk, append).await.is_accepted());
    let rows = backend.rows(talk.id().0).await;
    assert_eq!(rows.iter().filter(|row| row.13).count(), rows.len() - 1);
    assert_eq!(rows.len() as u64, talk.state.seq);
    assert!(backend.places_of("text 6").await.is_empty());
    verify(talk.id(), &rows, talk.link.0);
}
