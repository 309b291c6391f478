//! What happens to a turn whose server is gone.

use onya_core::conversation::{Command, Control, Effect, EscalationReason, Event, Failure, Outcome, Signal, Snapshot};

use crate::events::*;
use crate::given::Given;

fn resume() -> Command {
    Command::Signal(Signal::ResumeTurn)
}

#[test]
fn an_open_turn_is_run_again_after_a_reload() {
    let given = Given::conversation().said("one");
    assert_eq!(given.replayed().recovery(), Some(Signal::ResumeTurn));
    let resumed = given
        .when(resume())
        .then([Event::AttemptStarted { turn: 3, attempt: 2 }])
        .effects([Effect::StartCompletion { turn: 3, attempt: 2 }])
        .accepted();
    assert_eq!(resumed.state.turn.unwrap().attempt, 2);
}

#[test]
fn without_an_open_turn_there_is_nothing_to_recover() {
    let given = Given::conversation().said("one").answered("first");
    assert_eq!(given.state.recovery(), None);
    given.when(resume()).nothing();
}

#[test]
fn after_its_last_attempt_a_turn_is_given_up_and_a_person_asked_for() {
    Given::conversation().said("one").had(resume()).had(resume()).when(resume()).effects([]).then([
        Event::TurnEnded {
            turn: 3,
            attempt: 3,
            outcome: Outcome::Failed,
            failure: Some(Failure::AttemptsExhausted),
            text: String::new(),
        },
        queued(1, EscalationReason::Quarantined, None),
    ]);
}

#[test]
fn a_quarantine_withdraws_the_open_turn_and_asks_for_a_person() {
    Given::conversation()
        .said("one")
        .shown("fir")
        .when(Command::Signal(Signal::Quarantine))
        .then([turn_failed(3, Failure::Quarantined, "fir"), queued(1, EscalationReason::Quarantined, None)])
        .effects([Effect::CancelCompletion { turn: 3 }]);
}

#[test]
fn a_quarantine_without_an_open_turn_decides_nothing() {
    let quarantine = || Command::Signal(Signal::Quarantine);
    Given::conversation().when(quarantine()).nothing();
    Given::conversation().said("one").answered("first").when(quarantine()).nothing();
    Given::conversation().escalated().when(quarantine()).nothing();
    Given::conversation().taken_by_anna().when(quarantine()).nothing();
}

#[test]
fn a_customer_who_waits_needs_no_recovery() {
    let given = Given::conversation().said("one").failed(Failure::ReplyCut);
    assert_eq!(given.replayed().recovery(), None);
    assert_eq!(given.state.control, Control::Queue);
}

#[test]
fn the_head_says_what_a_store_must_know_to_find_the_conversation() {
    let given = Given::conversation().said("one").failed(Failure::ReplyCut);
    let head = given.state.head(&given.policy);
    assert_eq!((head.last_seq, head.customer), (5, customer().id));
    assert_eq!((head.control, head.control_version), (Control::Queue, 1));
    assert_eq!(head.queued, given.state.queued);
    assert_eq!((head.turn, head.next_deadline), (None, given.state.next_deadline(&given.policy)));
}

#[test]
fn a_snapshot_survives_being_written_and_read() {
    let snapshot = Given::conversation().said("one").escalated().taken_by_anna().state.snapshot();
    let read: Snapshot = serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap();
    assert_eq!(read, snapshot);
    assert_eq!(read.version, Snapshot::VERSION);
}
