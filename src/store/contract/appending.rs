//! The fenced batch: all of a conversation's entries or none, and each conversation for itself.

use std::sync::Arc;

use onya_actors::ports::{Append, AppendOutcome, Fence, Link};
use onya_core::conversation::{Action, Entry, Event, Failure, Outcome, ReplyEnding, Signal};
use uuid::Uuid;

use super::Backend;
use super::fixture::Node;

pub(super) async fn what_is_accepted_is_read_back_exactly(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    let mut expected = node.entries(talk.id()).await;
    let say = talk.say("m1", "hello");
    expected.extend(say.entries.iter().cloned());
    talk.must_store(say).await;
    let reply = Signal::FinishReply {
        turn: talk.state.turn.unwrap().turn,
        attempt: 1,
        ending: ReplyEnding::Failed { failure: Failure::ReplyCut, text: "Hi th".to_owned() },
    };
    let reply = talk.signal(reply);
    expected.extend(reply.entries.iter().cloned());
    talk.must_store(reply).await;
    assert_eq!(node.entries(talk.id()).await, expected);
    assert_eq!(expected.len(), 5);
    assert_eq!(node.claim(talk.id()).await.state, talk.state);
}

pub(super) async fn each_append_of_a_batch_has_its_own_outcome_in_order(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talks = Vec::new();
    for _ in 0..5 {
        talks.push(node.talk().await);
    }
    let known = talks[2].say("m1", "before");
    talks[2].must_store(known.clone()).await;
    node.claim(talks[1].id()).await;
    let mut batch: Vec<Append> = talks.iter().map(|talk| talk.say("m2", "now")).collect();
    batch[2] = repeat(&talks[2], &known);
    batch[4] = Append { conversation: onya_core::ConversationId(Uuid::now_v7()), ..batch[4].clone() };
    batch.reverse();
    let mut outcomes = node.log.append(&batch).await.unwrap();
    outcomes.reverse();
    assert!(outcomes[0].is_accepted());
    assert_eq!(outcomes[1], AppendOutcome::Fenced);
    assert!(matches!(&outcomes[2], AppendOutcome::Repeated(known) if known.seq == 2));
    assert!(outcomes[3].is_accepted());
    assert_eq!(outcomes[4], AppendOutcome::Fenced, "a conversation that does not exist");
    for (talk, length) in talks.iter().zip([3, 1, 3, 3, 1]) {
        assert_eq!(node.entries(talk.id()).await.len(), length);
    }
    assert_eq!(node.log.append(&[]).await.unwrap(), []);
}

pub(super) async fn a_fence_that_differs_in_any_part_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(2).await;
    let good = talk.say("m9", "now");
    let fence = talk.fence;
    let wrong = [
        Append { fence: Fence { epoch: fence.epoch + 1, ..fence }, ..good.clone() },
        Append { fence: Fence { epoch: fence.epoch - 1, ..fence }, ..good.clone() },
        Append { fence: Fence { nonce: Uuid::now_v7(), ..fence }, ..good.clone() },
        Append { previous: Link([7; 32]), ..good.clone() },
        Append { previous: Link::default(), ..good.clone() },
        shifted(&good, 1),
        shifted(&good, -1),
    ];
    let before = node.entries(talk.id()).await;
    for append in wrong {
        assert_eq!(node.log.append(&[append]).await.unwrap(), [AppendOutcome::Fenced]);
    }
    assert_eq!(node.entries(talk.id()).await, before);
    talk.must_store(good).await;
}

pub(super) async fn a_repeated_command_is_refused_whole_and_names_the_place_of_the_first(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    let first = talk.say("m1", "hello");
    talk.must_store(first.clone()).await;
    talk.chatter(1).await;
    let before = node.entries(talk.id()).await;
    let again = repeat(&talk, &first);
    let AppendOutcome::Repeated(known) = talk.store(again).await else { panic!("not recognised") };
    assert_eq!((Some(known.key), known.seq), (first.entries[0].key.clone(), 2));
    assert_eq!(node.entries(talk.id()).await, before);
    assert_eq!(node.log.summary(talk.id()).await.unwrap().unwrap().last_seq, talk.state.seq);
}

pub(super) async fn a_poisoned_append_is_buried_and_its_batch_mates_are_stored(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talks = Vec::new();
    for _ in 0..7 {
        talks.push(node.talk().await);
    }
    let mut batch: Vec<Append> = talks.iter().map(|talk| talk.say("m1", "hello")).collect();
    batch[1] = broken(&batch[1], |entry| entry.customer_prev = entry.seq);
    batch[4] = broken(&batch[4], |entry| entry.customer_prev = u64::MAX);
    batch[5] = Append { entries: Arc::from([]), ..batch[5].clone() };
    let outcomes = node.log.append(&batch).await.unwrap();
    for (number, (talk, outcome)) in talks.iter().zip(&outcomes).enumerate() {
        let poisoned = [1, 4, 5].contains(&number);
        assert_eq!((outcome.is_accepted(), *outcome == AppendOutcome::Poisoned), (!poisoned, poisoned));
        assert_eq!(node.entries(talk.id()).await.len(), if poisoned { 1 } else { 3 });
    }
    assert_eq!(backend.number("SELECT count(*) FROM dead_letters").await, 3);
    assert_eq!(backend.number("SELECT count(*) FROM turns").await, 4);
    let healed = talks[1].say("m1", "hello");
    talks[1].must_store(healed).await;
}

pub(super) async fn the_end_of_a_turn_is_written_once(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    let say = talk.say("m1", "hello");
    talk.must_store(say).await;
    let turn = talk.state.turn.unwrap().turn;
    let end =
        |text: &str| Signal::FinishReply { turn, attempt: 1, ending: ReplyEnding::Complete { text: text.to_owned() } };
    let first = talk.signal(end("one"));
    let mut forged = talk.signal(end("two"));
    talk.must_store(first).await;
    forged = Append { previous: talk.link, ..shifted(&forged, 1) };
    assert_eq!(talk.store(forged).await, AppendOutcome::Poisoned);
    let mut unknown = talk.say("m2", "next");
    let ended = Event::TurnEnded { turn: 1, attempt: 1, outcome: Outcome::Final, failure: None, text: String::new() };
    unknown = broken(&unknown, |entry| entry.event = ended.clone());
    assert_eq!(talk.store(unknown).await, AppendOutcome::Poisoned);
    assert_eq!(node.entries(talk.id()).await.len(), 4);
    assert_eq!(backend.number("SELECT ended_seq FROM turns").await, 4);
    let stop_and_go = talk.say("m3", "again");
    talk.must_store(stop_and_go).await;
    let stop = talk.request(talk.customer(), "s1", Action::Stop { turn: None });
    talk.must_store(stop).await;
    assert_eq!(backend.number("SELECT count(*) FROM turns WHERE ended_seq IS NULL").await, 0);
}

pub(super) async fn any_character_in_a_text_survives(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    let text = "NUL \0, quote ' \" \\, U+FFFF \u{ffff}, pair \u{1f469}\u{200d}\u{1f4bb}, right-to-left \u{202e}x, \\u0000, \r\n\t\u{1}";
    let mut say = talk.say("m1", "placeholder");
    say = broken(&say, |entry| {
        if let Event::MessageSaid { text: said, .. } = &mut entry.event {
            text.clone_into(said);
        }
    });
    talk.must_store(say.clone()).await;
    assert_eq!(node.entries(talk.id()).await[1..], *say.entries);
}

pub(super) async fn a_conversation_that_stands_twice_in_a_batch_is_stored_once(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let talk = node.talk().await;
    let batch = [talk.say("m1", "one"), talk.say("m2", "two")];
    let outcomes = node.log.append(&batch).await.unwrap();
    assert!(outcomes[0].is_accepted());
    assert_eq!(outcomes[1], AppendOutcome::Locked);
    assert_eq!(node.entries(talk.id()).await[1..], *batch[0].entries);
}

pub(super) async fn the_same_participant_may_reuse_an_id_in_another_conversation(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut first = node.talk().await;
    let close = first.request(first.customer(), "m1", Action::Close { control_version: None });
    first.must_store(close).await;
    let new = super::fixture::new_conversation(first.state.customer, "en");
    let id = node.log.open(new).await.unwrap().id();
    let mut second = node.claim(id).await;
    let say = second.say("m1", "hello");
    second.must_store(say).await;
}

/// The same command as an append, at the end of the log as it is now.
pub(in crate::store) fn repeat(talk: &super::fixture::Talk, first: &Append) -> Append {
    let by = i64::try_from(talk.state.seq - first.expected_seq).unwrap();
    let mut again = shifted(first, by);
    (again.fence, again.previous) = (talk.fence, talk.link);
    again
}

/// The append as if the log were longer by so much.
fn shifted(append: &Append, by: i64) -> Append {
    let mut shifted = broken(append, |_| {});
    let entries: Vec<Entry> = shifted
        .entries
        .iter()
        .map(|entry| Entry { seq: entry.seq.saturating_add_signed(by), ..entry.clone() })
        .collect();
    shifted.entries = entries.into();
    shifted.expected_seq = append.expected_seq.saturating_add_signed(by);
    shifted.head.last_seq = append.head.last_seq.saturating_add_signed(by);
    shifted
}

/// The append with its first entry changed.
fn broken(append: &Append, change: impl FnOnce(&mut Entry)) -> Append {
    let mut entries = append.entries.to_vec();
    change(&mut entries[0]);
    Append { entries: entries.into(), ..append.clone() }
}
