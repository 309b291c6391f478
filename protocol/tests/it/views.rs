//! What a reader with a given role is shown of the log.

use std::collections::BTreeMap;

use onya_core::conversation::{
    self as core, Control, Entry, EscalationReason, Event, Failure, Notice, Outcome, Priority, Role, Score, State, View,
};
use onya_core::desk::Waiting;
use onya_core::{AssignmentId, ConversationId, ParticipantId, Timestamp};
use onya_protocol::{Notices, QueueEntry, convert};
use serde_json::{Value, json};
use uuid::Uuid;

const SECRET: &str = "angry, has a lawyer";

fn notices() -> Notices {
    let keys = ["queued", "still_waiting", "reply_failed", "agent_joined", "assistant_back", "closed", "closed_idle"];
    let texts = |language: &str| keys.iter().map(|key| ((*key).to_owned(), format!("{language}:{key}"))).collect();
    Notices {
        texts: BTreeMap::from([("en".to_owned(), texts("en")), ("fr".to_owned(), texts("fr"))]),
        fallback_language: "en".to_owned(),
    }
}

fn agent() -> core::Author {
    core::Author { id: ParticipantId(Uuid::from_u128(2)), role: Role::Agent, name: Some("Anna".to_owned()) }
}

fn control(control: Control, cause: core::Cause) -> Event {
    Event::ControlChanged { control, version: 1, cause, by: Some(agent()) }
}

fn escalated(reason: EscalationReason) -> Event {
    let cause = core::Cause::Escalated { reason, summary: Some(SECRET.to_owned()), priority: Priority::High };
    control(Control::Queue, cause)
}

fn shown(event: Event, view: View, language: &str) -> Option<Value> {
    let entry = Entry { seq: 9, customer_prev: 7, at: Timestamp(5), key: None, event, erased: false };
    convert::log_entry(&entry, view, language, &notices()).map(|entry| serde_json::to_value(&*entry).unwrap())
}

fn every_event() -> Vec<Event> {
    let opening = State::opening(ParticipantId(Uuid::from_u128(1)), "en".to_owned(), [9; 16], Timestamp(0));
    let assignment = AssignmentId(Uuid::from_u128(77));
    let agent_control = Control::Agent { id: agent().id };
    vec![
        opening.event,
        Event::MessageSaid { author: agent(), text: "hi".to_owned() },
        Event::TurnOpened { answers: 2, replaces: None },
        Event::AttemptStarted { turn: 3, attempt: 2 },
        Event::TurnEnded {
            turn: 3,
            attempt: 2,
            outcome: Outcome::Failed,
            failure: Some(Failure::ReplyCut),
            text: "h".to_owned(),
        },
        escalated(EscalationReason::CustomerAsked),
        escalated(EscalationReason::Quarantined),
        control(agent_control, core::Cause::Claimed { assignment }),
        control(agent_control, core::Cause::TakenOver { assignment }),
        control(Control::Assistant, core::Cause::HandedBack),
        control(Control::Closed, core::Cause::IdledOut),
        Event::Rated { reply: None, score: Score::Up, comment: None },
        Event::NoticePosted { notice: Notice::StillWaiting },
    ]
}

#[test]
fn a_customer_never_sees_summaries_priorities_reasons_assignments_or_attempts() {
    for event in every_event() {
        let Some(entry) = shown(event, View::Customer, "en") else { continue };
        assert_ne!(entry["kind"], "attempt_started");
        for hidden in ["summary", "priority", "reason", "assignment", "attempt", "salt"] {
            assert_eq!(entry.get(hidden), None, "{entry}");
        }
        assert!(!entry.to_string().contains(SECRET), "{entry}");
    }
}

#[test]
fn staff_see_every_entry_with_its_reasons() {
    assert!(every_event().into_iter().all(|event| shown(event, View::Staff, "en").is_some()));
    let entry = shown(escalated(EscalationReason::CustomerAsked), View::Staff, "en").unwrap();
    assert_eq!(entry["summary"], SECRET);
    assert_eq!((&entry["priority"], &entry["reason"]), (&json!("high"), &json!("customer_asked")));
    let claimed = core::Cause::Claimed { assignment: AssignmentId(Uuid::from_u128(77)) };
    let entry = shown(control(Control::Agent { id: agent().id }, claimed), View::Staff, "en").unwrap();
    assert_eq!(entry["assignment"], json!(Uuid::from_u128(77)));
}

#[test]
fn nobody_is_shown_the_salt_that_protects_the_commitments() {
    let opened = shown(every_event().remove(0), View::Staff, "en").unwrap();
    assert_eq!(opened, json!({ "seq": 9, "prev": 8, "at": 5, "kind": "opened", "language": "en" }));
}

#[test]
fn the_position_before_an_entry_is_that_of_the_view() {
    let said = || Event::MessageSaid { author: agent(), text: "hi".to_owned() };
    assert_eq!(shown(said(), View::Customer, "en").unwrap()["prev"], 7);
    assert_eq!(shown(said(), View::Staff, "en").unwrap()["prev"], 8);
}

#[test]
fn every_change_of_control_tells_the_customer_in_words() {
    let assignment = AssignmentId(Uuid::nil());
    let agent_control = Control::Agent { id: agent().id };
    for (event, key) in [
        (escalated(EscalationReason::CustomerAsked), "queued"),
        (escalated(EscalationReason::AssistantAsked), "queued"),
        (escalated(EscalationReason::ReplyFailed), "reply_failed"),
        (escalated(EscalationReason::Quarantined), "reply_failed"),
        (control(Control::Queue, core::Cause::HandedBack), "queued"),
        (control(agent_control, core::Cause::Claimed { assignment }), "agent_joined"),
        (control(agent_control, core::Cause::TakenOver { assignment }), "agent_joined"),
        (control(Control::Assistant, core::Cause::HandedBack), "assistant_back"),
        (control(Control::Assistant, core::Cause::AssistantChosen), "assistant_back"),
        (control(Control::Closed, core::Cause::Closed), "closed"),
        (control(Control::Closed, core::Cause::IdledOut), "closed_idle"),
        (Event::NoticePosted { notice: Notice::StillWaiting }, "still_waiting"),
    ] {
        assert_eq!(shown(event, View::Customer, "en").unwrap()["notice"], format!("en:{key}"));
    }
}

#[test]
fn notices_are_in_the_customers_language_its_base_or_the_fallback() {
    let language = |language: &str| {
        shown(escalated(EscalationReason::CustomerAsked), View::Customer, language).unwrap()["notice"].clone()
    };
    assert_eq!(language("fr"), "fr:queued");
    assert_eq!(language("fr-CA"), "fr:queued");
    assert_eq!(language("sw"), "en:queued");
    assert_eq!(Notices::default().text("en", "queued"), None);
}

#[test]
fn a_waiting_customer_is_shown_to_staff_with_what_is_needed_to_claim() {
    let queued = core::Queued {
        since: Timestamp(5),
        reason: EscalationReason::AgentReturned,
        priority: Priority::Low,
        summary: None,
        notices: 3,
        noticed_at: Timestamp(9),
    };
    let conversation = ConversationId(Uuid::from_u128(4));
    let entry = QueueEntry::from(&Waiting { conversation, control_version: 2, queued });
    assert_eq!(
        serde_json::to_value(entry).unwrap(),
        json!({ "conversation": Uuid::from_u128(4), "control_version": 2, "since": 5, "priority": "low",
            "reason": "agent_returned" })
    );
}
