//! Who answers: assistant, queue, one agent, nobody any more.

use onya_core::conversation::{
    Action, Cause, Control, Effect, EscalationReason, Failure, Outcome, Priority, Rejection, ReturnTo,
};

use crate::events::*;
use crate::given::{Given, START};

#[test]
fn asking_for_a_person_puts_the_customer_into_the_queue() {
    let given = Given::conversation()
        .said("one")
        .answered("first")
        .asks(customer(), Action::Escalate { summary: Some("refund".to_owned()) })
        .acked(5)
        .accepted();
    let queued = given.state.queued.clone().unwrap();
    assert_eq!((queued.since, queued.priority), (given.now, Priority::Normal));
    assert_eq!(queued.reason, EscalationReason::CustomerAsked);
    assert_eq!(queued.summary.as_deref(), Some("refund"));
    given.did(customer(), say("hello?")).when(request(customer(), "again", escalate())).nothing_to_do();
}

#[test]
fn asking_for_a_person_cuts_a_reply_in_progress() {
    Given::conversation()
        .said("one")
        .shown("fir")
        .asks(customer(), escalate())
        .then([turn_ended(3, Outcome::Escalated, "fir"), queued(1, EscalationReason::CustomerAsked, Some(&customer()))])
        .effects([Effect::CancelCompletion { turn: 3 }])
        .acked(5)
        .cut_at(3);
}

#[test]
fn messages_in_the_queue_are_stored_and_open_no_turn() {
    Given::conversation().escalated().asks(customer(), say("hello?")).then([said(&customer(), "hello?")]).effects([]);
}

#[test]
fn a_claim_is_exclusive() {
    let given = Given::conversation().escalated();
    let claimed = given.asks(anna(), claim(1)).then([claimed(2, &anna())]).acked(3).accepted();
    claimed.asks(ben(), claim(1)).refused(Rejection::ControlChanged { current: 2 });
}

#[test]
fn only_staff_claims_and_only_from_the_queue() {
    Given::conversation().asks(anna(), claim(0)).nothing_to_do();
    Given::conversation().escalated().asks(customer(), claim(1)).refused(Rejection::Forbidden);
    Given::conversation().asks(customer(), take_over(0)).refused(Rejection::Forbidden);
}

#[test]
fn a_takeover_mid_sentence_ends_the_turn_before_control_changes() {
    let given = Given::conversation()
        .said("one")
        .shown("The answer is")
        .asks(anna(), take_over(0))
        .then([turn_ended(3, Outcome::TakenOver, "The answer is"), taken_over(1, &anna())])
        .effects([Effect::CancelCompletion { turn: 3 }])
        .acked(5)
        .cut_at(13)
        .accepted();
    given.clone().when(complete(3, 1, "The answer is 42.")).nothing();
    given.when(fail(3, 1, Failure::ReplyCut, "The answer is 4")).nothing();
}

#[test]
fn an_agent_takes_over_from_the_queue_without_losing_the_wait() {
    let given = Given::conversation().escalated().after_ms(500).taken_by_anna();
    assert_eq!(given.state.assignment.unwrap().queued.unwrap().since, START);
    assert_eq!(given.state.queued, None);
}

#[test]
fn only_a_supervisor_takes_from_an_agent() {
    let given = Given::conversation().escalated().taken_by_anna();
    given.clone().asks(ben(), take_over(2)).refused(Rejection::Forbidden);
    given.clone().asks(anna(), take_over(2)).nothing_to_do();
    let taken = given.asks(supervisor(), take_over(2)).then([taken_over(3, &supervisor())]).accepted();
    assert_eq!(taken.state.assignment.unwrap().queued.unwrap().since, START);
}

#[test]
fn a_stale_version_is_refused_whoever_asks() {
    let given = Given::conversation().escalated();
    let changed = Rejection::ControlChanged { current: 1 };
    for (by, action) in [
        (anna(), claim(0)),
        (anna(), take_over(0)),
        (supervisor(), hand_back(0, ReturnTo::Assistant)),
        (supervisor(), close(Some(0))),
        (customer(), hand_back(2, ReturnTo::Assistant)),
        (customer(), close(Some(0))),
    ] {
        given.clone().asks(by, action).refused(changed);
    }
}

#[test]
fn staff_must_say_which_version_they_close() {
    Given::conversation().asks(supervisor(), close(None)).refused(Rejection::ControlChanged { current: 0 });
}

#[test]
fn the_agent_in_control_answers_and_nobody_else_of_the_staff() {
    let given = Given::conversation().said("one").taken_by_anna();
    let refused = Rejection::ControlChanged { current: 1 };
    given.clone().asks(ben(), say("hi")).refused(refused);
    given.clone().asks(supervisor(), say("hi")).refused(refused);
    let answered = given.asks(anna(), say("hi")).then([said(&anna(), "hi")]).effects([]).acked(6).accepted();
    assert!(!answered.state.unanswered);
    answered.asks(customer(), say("thanks")).then([said(&customer(), "thanks")]).effects([]);
}

#[test]
fn staff_do_not_speak_for_the_assistant_or_from_the_queue() {
    Given::conversation().asks(anna(), say("hi")).refused(Rejection::ControlChanged { current: 0 });
    Given::conversation().escalated().asks(anna(), say("hi")).refused(Rejection::ControlChanged { current: 1 });
}

#[test]
fn returning_to_the_assistant_opens_a_turn_for_an_unanswered_question() {
    Given::conversation()
        .said("one")
        .taken_by_anna()
        .said("two")
        .asks(anna(), hand_back(1, ReturnTo::Assistant))
        .then([changed(Control::Assistant, 2, Cause::HandedBack, Some(&anna())), turn_opened(6)])
        .effects([Effect::StartCompletion { turn: 8, attempt: 1 }])
        .acked(7);
}

#[test]
fn returning_to_the_assistant_after_an_answer_opens_no_turn() {
    Given::conversation()
        .said("one")
        .taken_by_anna()
        .did(anna(), say("done"))
        .asks(anna(), hand_back(1, ReturnTo::Assistant))
        .then([changed(Control::Assistant, 2, Cause::HandedBack, Some(&anna()))])
        .effects([]);
}

#[test]
fn returning_to_the_queue_keeps_the_place_and_starts_the_notices_again() {
    let given = Given::conversation().escalated().after_ms(120_000);
    let noticed = given.deadline().accepted().after_ms(1_000).taken_by_anna().after_ms(900_000);
    let queued = noticed.handed_back(ReturnTo::Queue);
    let wait = queued.state.queued.clone().unwrap();
    assert_eq!((wait.since, wait.reason), (START, EscalationReason::CustomerAsked));
    assert_eq!((wait.notices, wait.noticed_at), (0, queued.now));
    assert_eq!(queued.state.next_deadline(&queued.policy), Some(queued.now.plus_ms(120_000)));
}

#[test]
fn returning_to_the_queue_what_never_waited_begins_a_wait() {
    let given = Given::conversation().said("one").taken_by_anna().after_ms(10).handed_back(ReturnTo::Queue);
    let wait = given.state.queued.unwrap();
    assert_eq!((wait.since, wait.reason), (given.now, EscalationReason::AgentReturned));
}

#[test]
fn a_customer_who_waits_for_an_agent_who_is_lost_goes_back_to_the_same_place_in_the_queue() {
    let given =
        Given::conversation().escalated().after_ms(5_000).taken_by_anna().said("are you there?").after_ms(60_000);
    assert_eq!(given.state.head(&given.policy).owed_by, Some(anna().id));
    let queued =
        given.when(lost(&anna())).then([changed(Control::Queue, 3, Cause::HandedBack, None)]).effects([]).accepted();
    let wait = queued.state.queued.clone().unwrap();
    assert_eq!((wait.since, wait.noticed_at), (START, queued.now));
    assert_eq!(queued.state.head(&queued.policy).owed_by, None);
    queued.when(lost(&anna())).nothing();
}

#[test]
fn nobody_is_taken_from_an_agent_who_has_answered_or_is_not_the_one_who_is_lost() {
    let given = Given::conversation().said("one").taken_by_anna();
    given.clone().when(lost(&ben())).nothing();
    let answered = given.did(anna(), say("done"));
    assert_eq!(answered.state.head(&answered.policy).owed_by, None);
    answered.when(lost(&anna())).nothing();
    Given::conversation().said("one").when(lost(&anna())).nothing();
}

#[test]
fn an_agent_returns_only_its_own_conversation_and_a_supervisor_any() {
    let given = Given::conversation().taken_by_anna();
    given.clone().asks(ben(), hand_back(1, ReturnTo::Queue)).refused(Rejection::Forbidden);
    given.clone().asks(customer(), hand_back(1, ReturnTo::Assistant)).refused(Rejection::Forbidden);
    given.asks(supervisor(), hand_back(1, ReturnTo::Queue)).acked(3);
}

#[test]
fn a_supervisor_returns_a_waiting_customer_to_the_assistant() {
    let given = Given::conversation().said("one").failed(Failure::ReplyCut);
    given.clone().asks(anna(), hand_back(1, ReturnTo::Assistant)).nothing_to_do();
    given.clone().asks(supervisor(), hand_back(1, ReturnTo::Queue)).nothing_to_do();
    given
        .asks(supervisor(), hand_back(1, ReturnTo::Assistant))
        .then([changed(Control::Assistant, 2, Cause::HandedBack, Some(&supervisor())), turn_opened(2)]);
}

#[test]
fn a_customer_leaves_the_queue_for_the_assistant_and_only_so() {
    let given = Given::conversation().escalated().said("still there?");
    given.clone().asks(customer(), hand_back(1, ReturnTo::Queue)).refused(Rejection::Forbidden);
    given
        .asks(customer(), hand_back(1, ReturnTo::Assistant))
        .then([changed(Control::Assistant, 2, Cause::AssistantChosen, Some(&customer())), turn_opened(3)])
        .acked(4);
    Given::conversation().asks(customer(), hand_back(0, ReturnTo::Assistant)).refused(Rejection::Forbidden);
}

#[test]
fn nothing_is_handed_back_while_the_assistant_is_in_control() {
    Given::conversation().asks(anna(), hand_back(0, ReturnTo::Queue)).nothing_to_do();
}

#[test]
fn closing_ends_a_reply_in_progress_first() {
    let given = Given::conversation()
        .said("one")
        .shown("fir")
        .asks(customer(), close(None))
        .then([turn_ended(3, Outcome::Closed, "fir"), changed(Control::Closed, 1, Cause::Closed, Some(&customer()))])
        .effects([Effect::CancelCompletion { turn: 3 }])
        .acked(5)
        .cut_at(3)
        .accepted();
    assert_eq!((given.state.turn, &given.state.queued, &given.state.assignment), (None, &None, &None));
}

#[test]
fn an_agent_closes_only_its_own_conversation_and_a_supervisor_any() {
    let given = Given::conversation().escalated();
    given.clone().asks(anna(), close(Some(1))).refused(Rejection::Forbidden);
    given.clone().asks(supervisor(), close(Some(1))).acked(3);
    let taken = given.taken_by_anna();
    taken.clone().asks(ben(), close(Some(2))).refused(Rejection::Forbidden);
    taken.asks(anna(), close(Some(2))).acked(4);
}

#[test]
fn another_customer_is_told_that_there_is_no_such_conversation() {
    let stranger = actor(2, onya_core::conversation::Role::Customer);
    let given = Given::conversation().said("one");
    for action in [say("hi"), stop(), rate(None), close(None)] {
        given.clone().asks(stranger.clone(), action).refused(Rejection::NotAParticipant);
    }
}
