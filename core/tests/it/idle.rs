//! Timers.

use onya_core::Timestamp;
use onya_core::conversation::{Cause, Command, Control, Effect, EscalationReason, Event, Failure, Notice, Signal};

use crate::events::*;
use crate::given::{Given, START};

fn still_waiting() -> Event {
    Event::NoticePosted { notice: Notice::StillWaiting }
}

fn deadline(given: &Given) -> Option<Timestamp> {
    given.state.next_deadline(&given.policy)
}

#[test]
fn a_turn_that_takes_too_long_fails_and_asks_for_a_person() {
    let given = Given::conversation().said("one").shown("fir");
    assert_eq!(deadline(&given), Some(START.plus_ms(120_000)));
    given
        .after_ms(120_000)
        .deadline()
        .then([turn_failed(3, Failure::TimedOut, "fir"), queued(1, EscalationReason::ReplyFailed, None)])
        .effects([Effect::CancelCompletion { turn: 3 }]);
}

#[test]
fn a_timer_that_fires_early_decides_nothing() {
    Given::conversation().said("one").after_ms(119_999).deadline().nothing();
    Given::conversation().escalated().after_ms(119_999).deadline().nothing();
    Given::conversation().after_ms(86_399_999).deadline().nothing();
}

#[test]
fn a_timer_whose_turn_is_over_decides_nothing() {
    Given::conversation().said("one").after_ms(119_999).answered("first").after_ms(1).deadline().nothing();
}

#[test]
fn each_attempt_has_its_own_time() {
    let given = Given::conversation().said("one").after_ms(100_000);
    let resumed = given.had(Command::Signal(Signal::ResumeTurn));
    assert_eq!(deadline(&resumed), Some(START.plus_ms(220_000)));
}

#[test]
fn silence_closes_a_conversation() {
    let given = Given::conversation().said("one").after_ms(1_000).answered("first");
    assert_eq!(deadline(&given), Some(START.plus_ms(86_401_000)));
    let closed =
        given.after_ms(86_400_000).deadline().then([changed(Control::Closed, 1, Cause::IdledOut, None)]).accepted();
    assert_eq!(deadline(&closed), None);
    closed.deadline().nothing();
}

#[test]
fn an_agent_who_says_nothing_does_not_keep_a_conversation_open() {
    Given::conversation().taken_by_anna().after_ms(86_400_000).deadline().then([changed(
        Control::Closed,
        2,
        Cause::IdledOut,
        None,
    )]);
}

#[test]
fn who_waits_is_told_so_ever_more_rarely_and_never_closed() {
    let mut given = Given::conversation().escalated();
    let mut waits = Vec::new();
    for _ in 0..12 {
        let wait = deadline(&given).unwrap().since_ms(given.now);
        waits.push(wait / 120_000);
        given = given.after_ms(wait).deadline().then([still_waiting()]).effects([]).accepted();
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512]);
    assert_eq!(given.state.control, Control::Queue);
}

#[test]
fn a_message_of_the_waiting_customer_does_not_delay_the_notice() {
    let given = Given::conversation().escalated().after_ms(60_000).said("hello?");
    assert_eq!(deadline(&given), Some(START.plus_ms(120_000)));
}

#[test]
fn a_deadline_beyond_the_end_of_time_is_the_end_of_time() {
    let given = Given::conversation().policy(|policy| policy.queue_notice_ms = u64::MAX).escalated();
    assert_eq!(deadline(&given), Some(Timestamp(i64::MAX)));
}

#[test]
fn an_agent_who_owes_an_answer_and_stays_silent_gives_the_customer_back_to_the_queue() {
    let given = Given::conversation().taken_by_anna().said("are you there?").after_ms(86_400_000);
    given.deadline().then([changed(Control::Queue, 2, Cause::HandedBack, None)]);
}
