use std::collections::BTreeSet;

use onya_core::conversation::{
    Author, Cause, EscalationReason, Failure, Notice, Outcome, Policy, Priority, Role, Score, Snapshot, State,
};

use super::*;

/// The stored form of every kind of event: one body a line. Lines are added, never changed: logs hold them.
const EVENTS: &str = include_str!("golden/events.jsonl");
/// Snapshots of every version that this one reads.
const SNAPSHOT: &str = include_str!("golden/snapshot-1.json");

/// Every kind; a new kind of event does not compile until it has a number here, and then the golden file lacks it.
fn number(event: &Event) -> u8 {
    match event {
        Event::Opened { .. } => 1,
        Event::MessageSaid { .. } => 2,
        Event::TurnOpened { .. } => 3,
        Event::AttemptStarted { .. } => 4,
        Event::TurnEnded { .. } => 5,
        Event::ControlChanged { .. } => 6,
        Event::Rated { .. } => 7,
        Event::NoticePosted { .. } => 8,
        Event::Erased { .. } => 9,
    }
}

#[test]
fn every_stored_event_parses_and_is_written_again_identically() {
    let mut kinds = BTreeSet::new();
    for line in EVENTS.lines() {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(json(&event).unwrap(), line);
        assert!(line.contains(&format!(r#""type":"{}""#, event.kind())));
        kinds.insert(number(&event));
    }
    assert_eq!(kinds, (1..=9).collect());
}

#[test]
fn every_name_that_an_event_may_hold_is_in_the_golden_file() {
    fn name(value: impl Serialize) -> String {
        json(&value).unwrap()
    }
    let outcomes = [
        Outcome::Final,
        Outcome::Stopped,
        Outcome::Failed,
        Outcome::Superseded,
        Outcome::TakenOver,
        Outcome::Escalated,
        Outcome::Closed,
    ];
    let failures = [
        Failure::ModelUnavailable,
        Failure::ReplyCut,
        Failure::ReplyTooLong,
        Failure::ContentRefused,
        Failure::TimedOut,
        Failure::AttemptsExhausted,
        Failure::Quarantined,
    ];
    let reasons = [
        EscalationReason::CustomerAsked,
        EscalationReason::AssistantAsked,
        EscalationReason::ReplyFailed,
        EscalationReason::Quarantined,
    ];
    let names = outcomes
        .map(name)
        .into_iter()
        .chain(failures.map(name))
        .chain(reasons.map(name))
        .chain([Priority::Low, Priority::Normal, Priority::High].map(name))
        .chain([Role::Customer, Role::Agent, Role::Supervisor].map(name))
        .chain([Score::Up, Score::Down].map(name))
        .chain([Notice::StillWaiting].map(name))
        .chain(
            [Cause::HandedBack, Cause::AssistantChosen, Cause::Closed, Cause::IdledOut]
                .map(|cause| name(cause).trim_matches(['{', '}']).to_owned()),
        );
    for name in names {
        assert!(EVENTS.contains(&name), "{name} is missing");
    }
}

#[test]
fn a_stored_snapshot_parses_and_is_written_again_identically() {
    let snapshot: Snapshot = serde_json::from_str(SNAPSHOT.trim_end()).unwrap();
    assert_eq!(json(&snapshot).unwrap(), SNAPSHOT.trim_end());
    assert_eq!(snapshot.version, Snapshot::VERSION);
    assert!(snapshot.state.turn.is_some() && snapshot.state.assignment.is_some());
}

#[test]
fn an_entry_survives_its_row() {
    for (line, seq) in EVENTS.lines().zip(1..) {
        let key = (seq % 2 == 0).then(|| Key {
            participant: ParticipantId(Uuid::from_u128(7)),
            client_msg_id: ClientMsgId::new("m-1").unwrap(),
            commitment: Commitment([9; 16]),
        });
        let event = serde_json::from_str(line).unwrap();
        let written = Entry { seq, customer_prev: seq - 1, at: Timestamp(-5), key, event, erased: false };
        let mut chain = Chain { conversation: Uuid::from_u128(1), epoch: 1, link: chain::GENESIS };
        let row = StoredEntry::new(&written, &mut chain).unwrap();
        let read = entry((
            row.seq,
            row.customer_prev,
            row.at,
            row.body,
            row.participant,
            row.client_msg_id.map(String::from),
            row.commitment.map(|bytes| bytes.to_vec()),
            false,
        ));
        assert_eq!(read.unwrap(), written);
    }
}

#[test]
fn what_does_not_parse_is_called_corrupt_without_its_text() {
    let row = |body: &str| (1, 0, 0, body.to_owned(), None, None, None, false);
    for body in ["", "{}", r#"{"type":"unheard_of","secret":"s3cret"}"#, r#"{"type":"rated","score":"s3cret"}"#] {
        let error = entry(row(body)).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt(text) if !text.contains("s3cret")), "{error:?}");
    }
    let negative = entry((-1, 0, 0, EVENTS.lines().next().unwrap().to_owned(), None, None, None, false));
    assert!(matches!(negative, Err(StoreError::Corrupt(_))));
}

#[test]
fn a_turn_that_opens_and_ends_in_one_append_is_one_change() {
    let customer = ParticipantId(Uuid::from_u128(1));
    let opening = State::opening(customer, "en".to_owned(), [0; 16], Timestamp(0));
    let state = State::open(ConversationId(Uuid::from_u128(2)), &opening).unwrap();
    let said = Author { id: customer, role: Role::Customer, name: None };
    let events = [
        Event::MessageSaid { author: said, text: "hello".to_owned() },
        Event::TurnOpened { answers: 2, replaces: None },
        Event::AttemptStarted { turn: 3, attempt: 2 },
        Event::TurnEnded { turn: 3, attempt: 2, outcome: Outcome::Final, failure: None, text: "hi".to_owned() },
    ];
    let entries: Vec<Entry> = events
        .into_iter()
        .zip(2..)
        .map(|(event, seq)| Entry { seq, customer_prev: seq - 1, at: Timestamp(1), key: None, event, erased: false })
        .collect();
    let mut head = state.head(&Policy::default());
    head.last_seq = 5;
    let append = Append {
        conversation: state.id,
        fence: Fence { epoch: 1, nonce: Uuid::from_u128(3) },
        expected_seq: 1,
        previous: Link::default(),
        entries: entries.into(),
        head,
        snapshot: None,
    };
    let stored = StoredAppend::new(&append).unwrap();
    assert_eq!(*stored.turns, [TurnChange { turn: 3, opened: true, attempt: 2, end: Some(("final", 5)) }]);
    let gap = Append { expected_seq: 2, ..append };
    assert!(StoredAppend::new(&gap).is_err());
}
