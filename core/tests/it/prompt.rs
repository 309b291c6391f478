//! What the model is shown.

use onya_core::conversation::{Command, Failure, ReturnTo, Signal, Speaker, build_prompt};

use crate::events::*;
use crate::given::Given;

const NO_HUMAN: &str = "system: No human is in this conversation any more. You answer again.";

fn prompt(given: &Given, max_bytes: usize) -> Vec<String> {
    let line = |speaker, text: &str| match speaker {
        Speaker::System => format!("system: {text}"),
        Speaker::Customer => format!("customer: {text}"),
        Speaker::Assistant => format!("assistant: {text}"),
    };
    build_prompt(given.log.iter(), max_bytes)
        .messages
        .iter()
        .map(|message| line(message.speaker, &message.text))
        .collect()
}

#[test]
fn a_dialogue_is_shown_oldest_first_and_ends_with_the_question() {
    let given = Given::conversation().said("one").answered("first").said("two");
    assert_eq!(prompt(&given, 1000), ["customer: one", "assistant: first", "customer: two"]);
}

#[test]
fn what_was_said_during_a_reply_stands_after_it() {
    let given = Given::conversation().said("one").said("two").said("three").answered("first");
    assert_eq!(prompt(&given, 1000), ["customer: one", "assistant: first", "customer: two", "customer: three"]);
}

#[test]
fn a_second_attempt_is_asked_the_same_question_as_the_first() {
    let given = Given::conversation().said("one").said("two").had(Command::Signal(Signal::ResumeTurn));
    assert_eq!(prompt(&given, 1000), ["customer: one"]);
}

#[test]
fn a_replaced_reply_is_left_out() {
    let given = Given::conversation().said("one").answered("bad").did(customer(), regenerate(None));
    assert_eq!(prompt(&given, 1000), ["customer: one"]);
    let later = given.answered("good").said("two");
    assert_eq!(prompt(&later, 1000), ["customer: one", "assistant: good", "customer: two"]);
}

#[test]
fn a_stopped_or_interrupted_reply_is_shown_as_far_as_the_customer_saw_it() {
    let stopped = Given::conversation().said("one").shown("fir").did(customer(), stop()).said("two");
    assert_eq!(prompt(&stopped, 1000), ["customer: one", "assistant: fir", "customer: two"]);
    let interrupted = Given::conversation().said("one").shown("fir").did(customer(), interrupt("two"));
    assert_eq!(prompt(&interrupted, 1000), ["customer: one", "assistant: fir", "customer: two"]);
    let at_once = Given::conversation().said("one").did(customer(), stop()).said("two");
    assert_eq!(prompt(&at_once, 1000), ["customer: one", "customer: two"]);
}

#[test]
fn a_failed_reply_is_left_out_and_the_question_comes_last() {
    let given = Given::conversation().said("one").when(fail(3, 1, Failure::ReplyCut, "fir")).accepted();
    let back = given.did(customer(), hand_back(1, ReturnTo::Assistant));
    assert_eq!(prompt(&back, 1000), [NO_HUMAN, "customer: one"]);
}

#[test]
fn a_reply_that_a_takeover_cut_does_not_stand_after_the_question() {
    let given = Given::conversation().said("one").shown("The ans").taken_by_anna().handed_back(ReturnTo::Assistant);
    assert_eq!(prompt(&given, 1000), [NO_HUMAN, "customer: one"]);
}

#[test]
fn a_persons_messages_are_marked_and_one_line_says_that_the_person_is_gone() {
    let given = Given::conversation()
        .said("one")
        .taken_by_anna()
        .did(anna(), say("I look into it"))
        .handed_back(ReturnTo::Assistant)
        .said("two")
        .answered("second")
        .taken_by_anna()
        .did(anna(), say("hello again"))
        .said("three")
        .handed_back(ReturnTo::Assistant);
    let expected = [
        "customer: one",
        "assistant: [a human colleague] I look into it",
        "customer: two",
        "assistant: second",
        "assistant: [a human colleague] hello again",
        NO_HUMAN,
        "customer: three",
    ];
    assert_eq!(prompt(&given, 1000), expected);
}

#[test]
fn the_line_about_the_person_stays_where_it_was_said() {
    let given = Given::conversation()
        .said("one")
        .taken_by_anna()
        .did(anna(), say("done"))
        .handed_back(ReturnTo::Assistant)
        .said("two")
        .answered("second")
        .said("three");
    let expected = [
        "customer: one",
        "assistant: [a human colleague] done",
        NO_HUMAN,
        "customer: two",
        "assistant: second",
        "customer: three",
    ];
    assert_eq!(prompt(&given, 1000), expected);
}

#[test]
fn only_the_newest_messages_that_fit_are_shown() {
    let given = Given::conversation().said("one").answered("first").said("two");
    assert_eq!(prompt(&given, 8), ["assistant: first", "customer: two"]);
    assert_eq!(prompt(&given, 7), ["customer: two"]);
    assert_eq!(prompt(&given, 0), ["customer: two"]);
}

#[test]
fn a_prompt_from_the_end_of_a_log_still_ends_with_the_question() {
    let given = Given::conversation().said("one").answered("first").said("two");
    let prompt = build_prompt(given.log[3..].iter(), 1000);
    assert_eq!(prompt.messages.last().unwrap().text, "two");
    assert_eq!(build_prompt(given.log[..1].iter(), 1000).messages, []);
}
