//! Idempotency and sender order.

use onya_core::conversation::{
    Action, Actor, Command, Key, KnownKey, RECENT_KEYS, Rejection, Request, ReturnTo, Score,
};

use crate::events::*;
use crate::given::Given;

/// Every command that writes: a past in which it is accepted, who sends it, and another body under the same name.
fn writing_commands() -> Vec<(Given, Actor, Action, Action)> {
    let new = Given::conversation;
    let comment = |text: &str| Action::Rate { reply: None, score: Score::Up, comment: Some(text.to_owned()) };
    vec![
        (new(), customer(), say("a"), say("b")),
        (new(), customer(), say("a"), interrupt("a")),
        (new().said("x"), customer(), Action::Stop { turn: None }, Action::Stop { turn: Some(3) }),
        (new().said("x"), customer(), regenerate(None), regenerate(Some(3))),
        (new(), customer(), rate(None), rate(Some(1))),
        (new(), customer(), comment("a"), comment("b")),
        (new(), customer(), rate(None), Action::Rate { reply: None, score: Score::Down, comment: None }),
        (new(), customer(), escalate(), Action::Escalate { summary: Some("b".to_owned()) }),
        (new().escalated(), anna(), claim(1), claim(2)),
        (new(), anna(), take_over(0), take_over(1)),
        (new().taken_by_anna(), anna(), hand_back(1, ReturnTo::Queue), hand_back(1, ReturnTo::Assistant)),
        (new(), customer(), close(None), close(Some(0))),
        (new().escalated(), anna(), claim(1), take_over(1)),
    ]
}

#[test]
fn a_repeat_of_any_command_gets_the_first_entry_and_adds_nothing() {
    for (given, by, action, _) in writing_commands() {
        let first = given.asks(by.clone(), action.clone());
        let seq = first.result.as_ref().unwrap().ack.unwrap().seq;
        first.accepted().asks(by, action).repeated(seq);
    }
}

#[test]
fn the_same_name_for_another_command_is_a_conflict() {
    for (given, by, action, other) in writing_commands() {
        let first = given.asks(by.clone(), action);
        let seq = first.result.as_ref().unwrap().ack.unwrap().seq;
        first.accepted().asks(by, other).refused(Rejection::IdConflict { seq });
    }
}

#[test]
fn the_entry_that_acknowledges_carries_the_key_and_no_other_does() {
    for (given, by, action, _) in writing_commands() {
        let decision = given.asks(by.clone(), action).result.unwrap();
        let keyed: Vec<_> = decision.entries.iter().filter(|entry| entry.key.is_some()).collect();
        assert_eq!(keyed.len(), 1);
        assert_eq!(keyed[0].seq, decision.ack.unwrap().seq);
        assert_eq!(keyed[0].key.as_ref().unwrap().participant, by.id);
    }
}

#[test]
fn two_participants_may_use_the_same_name() {
    Given::conversation().taken_by_anna().asks(customer(), say("hello")).accepted().asks(anna(), say("hello")).acked(4);
}

#[test]
fn the_name_of_the_assignment_is_no_part_of_a_claim() {
    let other = Action::Claim { control_version: 1, assignment: assignment(999) };
    Given::conversation().escalated().asks(anna(), claim(1)).accepted().asks(anna(), other).repeated(3);
}

#[test]
fn a_command_whose_predecessor_is_unknown_is_out_of_order() {
    Given::conversation().asks_after(customer(), "lost", say("two")).refused(Rejection::OutOfOrder);
}

#[test]
fn a_command_whose_predecessor_is_stored_is_accepted() {
    Given::conversation().said("one").asks_after(customer(), "past-1", say("two")).acked(4);
}

#[test]
fn the_predecessor_must_be_the_senders_own() {
    Given::conversation()
        .said("one")
        .taken_by_anna()
        .asks_after(anna(), "past-1", say("hi"))
        .refused(Rejection::OutOfOrder);
}

#[test]
fn a_repeat_is_recognised_before_its_predecessor_is_checked() {
    Given::conversation()
        .asks(customer(), say("one"))
        .accepted()
        .asks_after(customer(), "lost", say("one"))
        .repeated(2);
}

#[test]
fn a_repeat_is_recognised_after_the_conversation_was_closed() {
    let closed = Given::conversation().asks(customer(), say("one")).accepted().closed();
    closed.clone().asks(customer(), say("one")).repeated(2);
    closed.asks(customer(), say("two")).refused(Rejection::IdConflict { seq: 2 });
}

#[test]
fn a_repeat_is_recognised_though_it_would_be_refused_now() {
    Given::conversation().escalated().asks(anna(), claim(1)).accepted().asks(anna(), claim(1)).repeated(3);
}

fn with_forgotten_first_message() -> (Given, KnownKey) {
    let mut given = Given::conversation();
    for number in 0..=RECENT_KEYS {
        given = given.said(&format!("message {number}"));
    }
    let first = given.log[1].clone();
    (given, KnownKey { key: first.key.unwrap(), seq: first.seq })
}

fn repeat_of_first(after: Option<&str>) -> Request {
    Request { by: customer(), client_msg_id: id("past-1"), after: after.map(id), action: say("message 0") }
}

#[test]
fn the_store_is_asked_only_for_what_memory_may_have_forgotten() {
    let request = repeat_of_first(None);
    assert!(Given::conversation().said("one").state.unknown_keys(&request).is_empty());
    let (given, _) = with_forgotten_first_message();
    assert_eq!(given.state.unknown_keys(&request), [id("past-1")]);
    assert_eq!(given.state.unknown_keys(&repeat_of_first(Some("past-2"))), [id("past-1")]);
    let both = Request { client_msg_id: id("new"), after: Some(id("past-1")), ..request };
    assert_eq!(given.state.unknown_keys(&both), [id("new"), id("past-1")]);
}

#[test]
fn what_the_store_knows_counts_as_known() {
    let (given, first) = with_forgotten_first_message();
    let given = given.known(vec![first]);
    given.clone().when(Command::Request(repeat_of_first(None))).repeated(2);
    given.clone().asks_after(customer(), "past-1", say("more")).acked(given.state.seq + 1);
    let other = Request { action: say("other"), ..repeat_of_first(None) };
    given.when(Command::Request(other)).refused(Rejection::IdConflict { seq: 2 });
}

#[test]
fn what_the_store_knows_of_somebody_else_does_not_count() {
    let (given, first) = with_forgotten_first_message();
    let theirs = KnownKey { key: Key { participant: anna().id, ..first.key }, ..first };
    given.known(vec![theirs]).asks_after(customer(), "past-1", say("more")).refused(Rejection::OutOfOrder);
}

#[test]
fn a_body_cannot_be_guessed_from_its_commitment_without_the_salt() {
    let state = Given::conversation().state;
    let mut other = serde_json::to_value(&state).unwrap();
    other["salt"] = serde_json::json!(vec![0_u8; 16]);
    let other: onya_core::conversation::State = serde_json::from_value(other).unwrap();
    assert_ne!(state.commitment(&say("yes")), other.commitment(&say("yes")));
}
