//! What the assistant owes, and the seven ways in which it ends.

use onya_core::conversation::{
    Action, Cause, Command, Control, Effect, EscalationReason, Event, Failure, Outcome, Overlap, Priority, Rejection,
    ReplyEnding, ReturnTo, Score, Signal,
};

use crate::events::*;
use crate::given::Given;

#[test]
fn a_message_opens_a_turn_in_its_own_commit() {
    Given::conversation()
        .asks(customer(), say("hello"))
        .then([said(&customer(), "hello"), turn_opened(2)])
        .effects([Effect::StartCompletion { turn: 3, attempt: 1 }])
        .acked(2);
}

#[test]
fn a_message_during_a_turn_is_stored_at_once_and_opens_no_second_turn() {
    Given::conversation()
        .said("one")
        .asks(customer(), say("two"))
        .then([said(&customer(), "two")])
        .effects([])
        .acked(4);
}

#[test]
fn the_commit_that_ends_a_turn_opens_the_next_if_messages_wait() {
    Given::conversation()
        .said("one")
        .said("two")
        .said("three")
        .when(complete(3, 1, "first"))
        .then([turn_ended(3, Outcome::Final, "first"), turn_opened(5)])
        .effects([Effect::StartCompletion { turn: 7, attempt: 1 }]);
}

#[test]
fn a_final_ends_the_turn_and_answers_the_customer() {
    let given = Given::conversation()
        .said("hello")
        .when(complete(3, 1, "hi"))
        .then([turn_ended(3, Outcome::Final, "hi")])
        .effects([])
        .accepted();
    assert_eq!(given.state.turn, None);
    assert!(!given.state.unanswered);
}

#[test]
fn an_ended_turn_cannot_end_again() {
    let given = Given::conversation().said("hello").answered("hi");
    given.clone().when(complete(3, 1, "hi")).nothing();
    given.when(fail(3, 1, Failure::ReplyCut, "h")).nothing();
}

#[test]
fn the_end_of_another_attempt_is_ignored() {
    let given = Given::conversation().said("hello").had(Command::Signal(Signal::ResumeTurn));
    given.clone().when(complete(3, 1, "from the dead")).nothing();
    given.when(complete(3, 2, "hi")).then([Event::TurnEnded {
        turn: 3,
        attempt: 2,
        outcome: Outcome::Final,
        failure: None,
        text: "hi".to_owned(),
    }]);
}

#[test]
fn stop_keeps_what_was_shown_and_says_where_it_was_cut() {
    Given::conversation()
        .said("hello")
        .shown("gr\u{fc}\u{df}")
        .asks(customer(), stop())
        .then([turn_ended(3, Outcome::Stopped, "gr\u{fc}\u{df}")])
        .effects([Effect::CancelCompletion { turn: 3 }])
        .acked(4)
        .cut_at(6);
}

#[test]
fn stop_before_the_first_token_cuts_at_zero() {
    Given::conversation().said("hello").asks(customer(), stop()).then([turn_ended(3, Outcome::Stopped, "")]).cut_at(0);
}

#[test]
fn stop_with_waiting_messages_goes_on_with_those() {
    Given::conversation()
        .said("one")
        .said("two")
        .asks(customer(), stop())
        .then([turn_ended(3, Outcome::Stopped, ""), turn_opened(4)])
        .effects([Effect::CancelCompletion { turn: 3 }, Effect::StartCompletion { turn: 6, attempt: 1 }])
        .acked(5);
}

#[test]
fn stop_of_another_turn_or_of_none_is_refused() {
    let given = Given::conversation().said("one");
    given.clone().asks(customer(), Action::Stop { turn: Some(2) }).nothing_to_do();
    given.clone().asks(customer(), Action::Stop { turn: Some(3) }).acked(4);
    given.answered("done").asks(customer(), stop()).nothing_to_do();
}

#[test]
fn a_text_shown_of_an_earlier_attempt_is_not_kept() {
    Given::conversation()
        .said("hello")
        .shown("old")
        .had(Command::Signal(Signal::ResumeTurn))
        .asks(customer(), stop())
        .cut_at(0);
}

#[test]
fn a_failed_turn_asks_for_a_person_in_the_same_commit() {
    let given = Given::conversation()
        .said("hello")
        .when(fail(3, 1, Failure::ReplyCut, "he"))
        .then([turn_failed(3, Failure::ReplyCut, "he"), queued(1, EscalationReason::ReplyFailed, None)])
        .effects([])
        .accepted();
    assert_eq!(given.state.control, Control::Queue);
    assert!(given.state.unanswered);
}

#[test]
fn a_failed_turn_opens_no_other_even_if_messages_wait() {
    Given::conversation()
        .said("one")
        .said("two")
        .when(fail(3, 1, Failure::ModelUnavailable, ""))
        .then([turn_failed(3, Failure::ModelUnavailable, ""), queued(1, EscalationReason::ReplyFailed, None)]);
}

#[test]
fn the_model_can_ask_for_a_person() {
    let ending = ReplyEnding::Escalated {
        text: "One moment.".to_owned(),
        summary: Some("wants a refund".to_owned()),
        priority: Priority::High,
    };
    let cause = Cause::Escalated {
        reason: EscalationReason::AssistantAsked,
        summary: Some("wants a refund".to_owned()),
        priority: Priority::High,
    };
    Given::conversation()
        .said("refund!")
        .turn_ends(ending)
        .then([turn_ended(3, Outcome::Escalated, "One moment."), changed(Control::Queue, 1, cause, None)]);
}

#[test]
fn a_summary_of_the_model_is_cut_at_a_character_and_never_blocks_the_handoff() {
    let ask = |summary: &str| {
        let ending = ReplyEnding::Escalated {
            text: String::new(),
            summary: Some(summary.to_owned()),
            priority: Priority::Normal,
        };
        let given = Given::conversation().policy(|policy| policy.max_comment_bytes = 4).said("x");
        given.turn_ends(ending).accepted().state.queued.unwrap().summary
    };
    assert_eq!(ask("gr\u{fc}\u{df}e").as_deref(), Some("gr\u{fc}"));
    assert_eq!(ask("a\0b").as_deref(), Some("ab"));
    assert_eq!(ask(" \0 "), None);
}

#[test]
fn an_interrupting_message_supersedes_the_reply_and_is_answered_at_once() {
    Given::conversation()
        .said("one")
        .shown("fir")
        .asks(customer(), interrupt("two"))
        .then([turn_ended(3, Outcome::Superseded, "fir"), said(&customer(), "two"), turn_opened(5)])
        .effects([Effect::CancelCompletion { turn: 3 }, Effect::StartCompletion { turn: 6, attempt: 1 }])
        .acked(5)
        .cut_at(3);
}

#[test]
fn an_interrupting_message_without_a_reply_is_a_message() {
    let decision = Given::conversation().asks(customer(), interrupt("one")).result.unwrap();
    assert_eq!(decision.entries.len(), 2);
    assert_eq!(decision.ack.unwrap().cut_at, None);
}

#[test]
fn regenerate_replaces_a_reply_in_progress() {
    Given::conversation()
        .said("one")
        .shown("fir")
        .asks(customer(), regenerate(None))
        .then([turn_ended(3, Outcome::Superseded, "fir"), turn_reopened(2, 4)])
        .effects([Effect::CancelCompletion { turn: 3 }, Effect::StartCompletion { turn: 5, attempt: 1 }])
        .acked(5)
        .cut_at(3);
}

#[test]
fn regenerate_of_a_reply_in_progress_may_name_its_turn_only() {
    let given = Given::conversation().said("one");
    given.clone().asks(customer(), regenerate(Some(3))).acked(5);
    given.asks(customer(), regenerate(Some(2))).nothing_to_do();
}

#[test]
fn regenerate_replaces_the_newest_reply() {
    let given = Given::conversation().said("one").answered("first");
    given.clone().asks(customer(), regenerate(None)).then([turn_reopened(2, 4)]).acked(5);
    given.clone().asks(customer(), regenerate(Some(4))).then([turn_reopened(2, 4)]);
    let later = given.said("two").answered("second");
    later.clone().asks(customer(), regenerate(Some(4))).nothing_to_do();
    later.asks(customer(), regenerate(None)).then([turn_reopened(5, 7)]);
}

#[test]
fn regenerate_before_any_reply_is_refused() {
    Given::conversation().asks(customer(), regenerate(None)).nothing_to_do();
}

#[test]
fn regenerate_from_the_queue_chooses_the_assistant() {
    let chosen = changed(Control::Assistant, 2, Cause::AssistantChosen, Some(&customer()));
    Given::conversation()
        .said("one")
        .failed(Failure::ReplyCut)
        .asks(customer(), regenerate(None))
        .then([chosen, turn_reopened(2, 4)])
        .acked(7);
}

#[test]
fn a_reply_to_an_earlier_question_is_not_regenerated_for_a_later_one() {
    Given::conversation()
        .said("one")
        .answered("first")
        .escalated()
        .said("two")
        .asks(customer(), regenerate(None))
        .nothing_to_do();
}

#[test]
fn after_a_person_has_answered_no_earlier_reply_is_regenerated() {
    let given = Given::conversation().said("one").answered("first").taken_by_anna();
    given.clone().asks(customer(), regenerate(None)).nothing_to_do();
    given
        .did(anna(), say("better"))
        .handed_back(ReturnTo::Assistant)
        .asks(customer(), regenerate(None))
        .nothing_to_do();
}

#[test]
fn a_regenerated_reply_that_a_person_cuts_is_owed_when_the_assistant_is_back() {
    let given = Given::conversation().said("one").answered("first").did(customer(), regenerate(None)).taken_by_anna();
    let version = given.state.control_version;
    given
        .asks(anna(), hand_back(version, ReturnTo::Assistant))
        .then([changed(Control::Assistant, 2, Cause::HandedBack, Some(&anna())), turn_opened(2)]);
}

#[test]
fn a_rating_is_an_entry_and_changes_nothing_else() {
    let given = Given::conversation().said("one").answered("first");
    let before = given.state.clone();
    let rated = Event::Rated { reply: Some(4), score: Score::Down, comment: Some("wrong".to_owned()) };
    let action = Action::Rate { reply: Some(4), score: Score::Down, comment: Some("wrong".to_owned()) };
    let after = given.asks(customer(), action).then([rated]).effects([]).acked(5).accepted().state;
    assert_eq!((after.control, after.turn, after.last_end), (before.control, before.turn, before.last_end));
}

#[test]
fn a_closed_conversation_can_be_rated_and_nothing_else() {
    let given = Given::conversation().said("one").answered("first").closed();
    given.clone().asks(customer(), rate(None)).acked(6);
    let version = given.state.control_version;
    for (by, action) in [
        (customer(), say("more")),
        (customer(), stop()),
        (customer(), regenerate(None)),
        (customer(), escalate()),
        (customer(), close(None)),
        (anna(), claim(version)),
        (anna(), take_over(version)),
        (supervisor(), hand_back(version, ReturnTo::Assistant)),
    ] {
        given.clone().asks(by, action).refused(Rejection::Closed);
    }
}

#[test]
fn a_rating_of_what_does_not_exist_is_refused() {
    let given = Given::conversation().said("one");
    given.clone().asks(customer(), rate(Some(0))).nothing_to_do();
    given.asks(customer(), rate(Some(4))).nothing_to_do();
}

#[test]
fn only_the_customer_stops_regenerates_rates_and_escalates() {
    let given = Given::conversation().said("one");
    for action in [stop(), regenerate(None), rate(None), escalate()] {
        given.clone().asks(supervisor(), action).refused(Rejection::Forbidden);
    }
}

#[test]
fn signals_to_a_closed_conversation_decide_nothing() {
    let given = Given::conversation().said("one").closed();
    for signal in [Signal::ResumeTurn, Signal::DeadlineReached, Signal::Quarantine] {
        given.clone().when(Command::Signal(signal)).nothing();
    }
    given.when(complete(3, 1, "late")).nothing();
}

#[test]
fn overlap_is_queue_unless_said_otherwise() {
    assert_eq!(Overlap::default(), Overlap::Queue);
}
