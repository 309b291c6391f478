//! Erasure: nothing that people said is left, and the log still says what happened.

use onya_core::conversation::{
    Action, Actor, Cause, Command, Control, Effect, Event, Outcome, Rejection, Role, Score, Signal, Snapshot,
};

use crate::events::*;
use crate::given::{Given, START};

/// Stands in every place where somebody's words can go.
const WORDS: &str = "canary";

fn named() -> Actor {
    Actor { name: Some(format!("{WORDS} the customer")), ..customer() }
}

fn erased(by: Option<&Actor>) -> Event {
    Event::Erased { by: by.map(Into::into) }
}

/// Everything has been said that can be, and a person has it.
fn talk() -> Given {
    Given::conversation()
        .did(named(), say(WORDS))
        .answered(WORDS)
        .did(customer(), Action::Rate { reply: Some(4), score: Score::Up, comment: Some(WORDS.to_owned()) })
        .did(named(), Action::Escalate { summary: Some(WORDS.to_owned()) })
        .taken_by_anna()
        .did(anna(), say(WORDS))
}

#[test]
fn an_erasure_ends_what_is_under_way_and_keeps_nothing_of_it() {
    Given::conversation()
        .said(WORDS)
        .shown(WORDS)
        .asks(supervisor(), Action::Erase)
        .then([
            turn_ended(3, Outcome::Closed, ""),
            changed(Control::Closed, 1, Cause::Closed, Some(&supervisor())),
            erased(Some(&supervisor())),
        ])
        .effects([Effect::CancelCompletion { turn: 3 }])
        .acked(6);
}

#[test]
fn a_conversation_can_be_erased_whoever_has_it_and_after_its_end() {
    for given in [Given::conversation().escalated(), talk()] {
        let erased = given.asks(supervisor(), Action::Erase).accepted();
        assert_eq!((erased.state.control, erased.state.erased), (Control::Closed, true));
        assert_eq!((&erased.state.queued, &erased.state.assignment), (&None, &None));
    }
    Given::conversation().closed().asks(supervisor(), Action::Erase).then([erased(Some(&supervisor()))]).acked(3);
    Given::conversation()
        .policy(|policy| policy.max_entries = 3)
        .said("one")
        .asks(supervisor(), Action::Erase)
        .acked(6);
}

#[test]
fn only_supervisors_erase_and_only_once() {
    for who in [customer(), anna()] {
        talk().asks(who, Action::Erase).refused(Rejection::Forbidden);
    }
    let given = talk().did(supervisor(), Action::Erase);
    given.clone().asks(supervisor(), Action::Erase).nothing_to_do();
    given.clone().asks(supervisor(), say("more")).refused(Rejection::Closed);
    given.asks(customer(), Action::Rate { reply: None, score: Score::Down, comment: None }).refused(Rejection::Closed);
}

#[test]
fn what_is_left_holds_no_words_and_gives_the_same_state() {
    let mut given = talk().did(supervisor(), Action::Erase);
    let (last, earlier) = given.log.split_last().unwrap();
    let kept: Vec<_> = earlier.iter().map(|entry| (entry.seq, entry.customer_prev, entry.event.kind())).collect();
    let redacted: Vec<_> = earlier.iter().map(onya_core::conversation::Entry::redacted).collect();
    let after: Vec<_> = redacted.iter().map(|entry| (entry.seq, entry.customer_prev, entry.event.kind())).collect();
    assert_eq!(kept, after);
    assert!(redacted.iter().all(|entry| entry.erased) && !last.erased);
    let log: Vec<_> = redacted.into_iter().chain([last.clone()]).collect();
    given.log = log;
    assert_eq!(given.replayed(), given.state);
    let snapshot = serde_json::to_string(&given.state.snapshot()).unwrap();
    for text in [&serde_json::to_string(&given.log).unwrap(), &snapshot] {
        assert!(!text.contains(WORDS), "{text}");
    }
    let salt = |entry: &onya_core::conversation::Entry| serde_json::to_value(&entry.event).unwrap()["salt"].clone();
    assert_eq!(salt(&given.log[0]), serde_json::to_value([0_u8; 16]).unwrap());
    assert_eq!(serde_json::from_str::<Snapshot>(&snapshot).unwrap().state, given.state);
}

#[test]
fn names_of_staff_stay_and_those_of_customers_go() {
    let name = |role| {
        let by = Actor { name: Some("Ada".to_owned()), ..actor(5, role) };
        let Event::MessageSaid { author, .. } = said(&by, "hello").redacted() else { panic!("another kind") };
        author.name
    };
    assert_eq!([Role::Customer, Role::Agent].map(name), [None, Some("Ada".to_owned())]);
}

#[test]
fn a_repeat_is_answered_with_the_place_of_the_first_whatever_it_said() {
    let erase = || request(supervisor(), "wipe", Action::Erase);
    let given = Given::conversation().had(request(customer(), "m1", say("hello"))).had(erase());
    given.clone().when(erase()).repeated(6);
    given.clone().when(request(customer(), "m1", say("hello"))).repeated(2);
    given.when(request(customer(), "m1", say("goodbye"))).repeated(2);
}

#[test]
fn a_closed_conversation_is_erased_when_its_time_is_over() {
    let day_ms = 86_400_000;
    let kept = Given::conversation().said("one").after_ms(5).closed();
    assert_eq!(kept.state.next_deadline(&kept.policy), None);
    kept.after_ms(1_000 * day_ms).deadline().nothing();
    let given =
        Given::conversation().policy(|policy| policy.retention_ms = Some(day_ms)).said("one").after_ms(5).closed();
    let rated = given.after_ms(10).did(customer(), rate(None));
    assert_eq!(rated.state.next_deadline(&rated.policy), Some(START.plus_ms(day_ms + 5)), "counted from its end");
    rated.clone().after_ms(day_ms - 11).deadline().nothing();
    let erased_now = rated.after_ms(day_ms - 10).deadline().then([erased(None)]).accepted();
    assert_eq!(erased_now.state.next_deadline(&erased_now.policy), None);
    erased_now.after_ms(day_ms).had(Command::Signal(Signal::DeadlineReached)).deadline().nothing();
}

#[test]
fn a_state_that_does_not_know_its_end_counts_from_its_newest_entry() {
    let mut given = Given::conversation().policy(|policy| policy.retention_ms = Some(1_000)).after_ms(5).closed();
    given.state.closed_at = None;
    assert_eq!(given.state.next_deadline(&given.policy), Some(START.plus_ms(1_005)));
}
