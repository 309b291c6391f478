//! Frames as JSON: what is accepted, what is ignored, what is refused.

use std::fmt::Debug;

use onya_core::conversation::{Overlap, ReturnTo, Score};
use onya_protocol::{CustomerFrame, NotRecovered, ServerFrame, StaffFrame, VERSION, negotiate};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const ID: &str = "018f3b5e-0000-7000-8000-000000000001";

/// Every field, optional ones included: reading and writing gives the same JSON.
fn round_trips<F: Serialize + DeserializeOwned + PartialEq + Debug>(frames: &[Value]) {
    for json in frames {
        let frame: F = serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(&serde_json::to_value(&frame).unwrap(), json);
        let again: F = serde_json::from_str(&serde_json::to_string(&frame).unwrap()).unwrap();
        assert_eq!(again, frame);
    }
}

/// With a field the server has never heard of, in the frame and one level below.
fn unknown_fields_are_ignored<F: DeserializeOwned + PartialEq + Debug>(frames: &[Value]) {
    for json in frames {
        let mut later = json.clone();
        later["since_version_9"] = json!({ "a": [1] });
        if let Some(cursor) = later.get_mut("cursor") {
            cursor["since_version_9"] = json!(true);
        }
        let read: F = serde_json::from_value(later).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(read, serde_json::from_value::<F>(json.clone()).unwrap());
    }
}

fn customer_frames() -> Vec<Value> {
    let cursor = json!({ "history_epoch": ID, "seq": 7 });
    vec![
        json!({ "type": "hello", "versions": [1, 2], "token": "t", "cursor": cursor }),
        json!({ "type": "hello", "versions": [1] }),
        json!({ "type": "say", "client_msg_id": "a", "after": "b", "text": "hi", "overlap": "interrupt",
            "attachments": [{ "name": "x" }], "traceparent": "00-1-2-01" }),
        json!({ "type": "say", "client_msg_id": "a", "text": "hi", "overlap": "queue" }),
        json!({ "type": "stop", "client_msg_id": "a", "after": "b", "turn": 3 }),
        json!({ "type": "regenerate", "client_msg_id": "a", "after": "b", "reply": 4 }),
        json!({ "type": "rate", "client_msg_id": "a", "after": "b", "reply": 4, "score": "down", "comment": "no" }),
        json!({ "type": "escalate", "client_msg_id": "a", "after": "b", "summary": "refund" }),
        json!({ "type": "hand_back", "client_msg_id": "a", "after": "b", "control_version": 1 }),
        json!({ "type": "close", "client_msg_id": "a", "after": "b" }),
        json!({ "type": "typing", "active": true }),
        json!({ "type": "resume", "cursor": cursor }),
        json!({ "type": "ping" }),
        json!({ "type": "pong" }),
    ]
}

fn staff_frames() -> Vec<Value> {
    let cursor = json!({ "history_epoch": ID, "seq": 7 });
    vec![
        json!({ "type": "hello", "versions": [1], "token": "t" }),
        json!({ "type": "watch", "conversation": ID, "cursor": cursor }),
        json!({ "type": "unwatch", "conversation": ID }),
        json!({ "type": "claim", "conversation": ID, "client_msg_id": "a", "control_version": 1 }),
        json!({ "type": "take_over", "conversation": ID, "client_msg_id": "a", "control_version": 1 }),
        json!({ "type": "hand_back", "conversation": ID, "client_msg_id": "a", "control_version": 1, "to": "queue" }),
        json!({ "type": "say", "conversation": ID, "client_msg_id": "a", "after": "b", "text": "hi",
            "traceparent": "00-1-2-01" }),
        json!({ "type": "close", "conversation": ID, "client_msg_id": "a", "control_version": 1 }),
        json!({ "type": "typing", "conversation": ID, "active": false }),
        json!({ "type": "ping" }),
        json!({ "type": "pong" }),
    ]
}

fn entries() -> Vec<Value> {
    let author = json!({ "id": ID, "role": "agent", "name": "Anna" });
    vec![
        json!({ "kind": "opened", "language": "en" }),
        json!({ "kind": "message_said", "author": author, "text": "hi" }),
        json!({ "kind": "turn_opened", "answers": 2, "replaces": 4 }),
        json!({ "kind": "attempt_started", "turn": 3, "attempt": 2 }),
        json!({ "kind": "turn_ended", "turn": 3, "outcome": "failed", "failure": "reply_cut", "text": "h" }),
        json!({ "kind": "turn_ended", "turn": 3, "outcome": "final", "text": "hi" }),
        json!({ "kind": "control_changed", "control": { "state": "agent", "id": ID }, "control_version": 1,
            "cause": "taken_over", "by": author, "assignment": ID, "notice": "Anna is here" }),
        json!({ "kind": "control_changed", "control": { "state": "queue" }, "control_version": 1,
            "cause": "escalated", "reason": "assistant_asked", "priority": "high", "summary": "refund" }),
        json!({ "kind": "rated", "reply": 4, "score": "up", "comment": "yes" }),
        json!({ "kind": "notice_posted", "notice_key": "still_waiting", "notice": "Still there" }),
    ]
    .into_iter()
    .map(|mut body| {
        for (field, value) in [("seq", json!(5)), ("prev", json!(4)), ("at", json!(1_700_000_000_000_i64))] {
            body[field] = value;
        }
        body["client_msg_id"] = json!("a");
        body
    })
    .collect()
}

fn server_frames() -> Vec<Value> {
    let mut frames = vec![
        json!({ "type": "hello", "version": 1, "participant": ID, "role": "customer", "ping_interval_ms": 25_000,
            "pong_timeout_ms": 8_000, "max_message_bytes": 16_384 }),
        json!({ "type": "synced", "conversation": ID, "history_epoch": ID, "position": 5, "recovered": false,
            "reason": "new", "entries": entries(), "has_older": true, "control": { "state": "assistant" },
            "control_version": 0, "turn": { "turn": 3, "epoch": 1, "attempt": 1, "text": "hi" } }),
        json!({ "type": "delta", "conversation": ID, "turn": 3, "epoch": 1, "attempt": 1, "offset": 2, "text": "hi" }),
        json!({ "type": "reset", "conversation": ID, "turn": 3, "epoch": 2, "attempt": 2 }),
        json!({ "type": "ack", "conversation": ID, "client_msg_id": "a", "seq": 5, "cut_at": 2, "repeated": true }),
        json!({ "type": "ack", "conversation": ID, "client_msg_id": "a", "seq": 5 }),
        json!({ "type": "refused", "conversation": ID, "client_msg_id": "a", "code": "control_changed",
            "message": "no", "retry_after_ms": 5, "control_version": 2, "seq": 9 }),
        json!({ "type": "refused", "code": "bad_request", "message": "no" }),
        json!({ "type": "typing", "conversation": ID, "participant": ID, "role": "agent", "name": "Anna",
            "active": true }),
        json!({ "type": "queue", "waiting": 1, "entries": [{ "conversation": ID, "control_version": 1, "since": 5,
            "priority": "normal", "reason": "customer_asked", "summary": "refund" }] }),
        json!({ "type": "queue_position", "conversation": ID, "position": 1 }),
        json!({ "type": "ping", "positions": [{ "conversation": ID, "seq": 5 }] }),
        json!({ "type": "pong" }),
        json!({ "type": "goaway", "retry_after_ms": 500 }),
    ];
    for mut entry in entries() {
        entry["type"] = json!("entry");
        entry["conversation"] = json!(ID);
        frames.push(entry);
    }
    frames
}

#[test]
fn every_frame_is_written_as_it_was_read() {
    round_trips::<CustomerFrame>(&customer_frames());
    round_trips::<StaffFrame>(&staff_frames());
    round_trips::<ServerFrame>(&server_frames());
}

#[test]
fn fields_that_are_not_known_are_ignored() {
    unknown_fields_are_ignored::<CustomerFrame>(&customer_frames());
    unknown_fields_are_ignored::<StaffFrame>(&staff_frames());
    unknown_fields_are_ignored::<ServerFrame>(&server_frames());
}

#[test]
fn what_is_left_out_has_its_default() {
    let frame = serde_json::from_value(json!({ "type": "say", "client_msg_id": "a", "text": "hi" })).unwrap();
    let CustomerFrame::Say { after, overlap, attachments, traceparent, .. } = frame else { panic!("{frame:?}") };
    assert_eq!((after, overlap, attachments, traceparent), (None, Overlap::Queue, vec![], None));
    let hand_back = json!({ "type": "hand_back", "conversation": ID, "client_msg_id": "a", "control_version": 1 });
    let frame = serde_json::from_value(hand_back).unwrap();
    assert!(matches!(frame, StaffFrame::HandBack { to: ReturnTo::Assistant, .. }));
    let null = json!({ "type": "rate", "client_msg_id": "a", "score": "up", "reply": null, "comment": null });
    let frame = serde_json::from_value(null).unwrap();
    assert!(matches!(frame, CustomerFrame::Rate { reply: None, score: Score::Up, comment: None, .. }));
}

#[test]
fn no_customer_frame_is_accepted_with_a_bad_value() {
    let bad = [
        json!({}),
        json!([]),
        json!("hello"),
        json!(null),
        json!({ "type": "sing" }),
        json!({ "type": "claim", "client_msg_id": "a", "control_version": 0 }),
        json!({ "type": "hello" }),
        json!({ "type": "hello", "versions": 1 }),
        json!({ "type": "hello", "versions": [-1] }),
        json!({ "type": "hello", "versions": [70_000] }),
        json!({ "type": "hello", "versions": [1], "token": 5 }),
        json!({ "type": "hello", "versions": [1], "cursor": { "history_epoch": ID, "seq": -1 } }),
        json!({ "type": "hello", "versions": [1], "cursor": { "history_epoch": ID, "seq": 1.5 } }),
        json!({ "type": "hello", "versions": [1], "cursor": { "history_epoch": ID, "seq": "7" } }),
        json!({ "type": "hello", "versions": [1], "cursor": { "history_epoch": "x", "seq": 7 } }),
        json!({ "type": "hello", "versions": [1], "cursor": { "seq": 7 } }),
        json!({ "type": "say", "text": "hi" }),
        json!({ "type": "say", "client_msg_id": "a" }),
        json!({ "type": "say", "client_msg_id": "", "text": "hi" }),
        json!({ "type": "say", "client_msg_id": "a b", "text": "hi" }),
        json!({ "type": "say", "client_msg_id": "\u{fc}", "text": "hi" }),
        json!({ "type": "say", "client_msg_id": "x".repeat(65), "text": "hi" }),
        json!({ "type": "say", "client_msg_id": 5, "text": "hi" }),
        json!({ "type": "say", "client_msg_id": "a", "text": ["hi"] }),
        json!({ "type": "say", "client_msg_id": "a", "text": "hi", "overlap": "shout" }),
        json!({ "type": "say", "client_msg_id": "a", "text": "hi", "after": "" }),
        json!({ "type": "stop", "client_msg_id": "a", "turn": -3 }),
        json!({ "type": "rate", "client_msg_id": "a", "score": 5 }),
        json!({ "type": "rate", "client_msg_id": "a" }),
        json!({ "type": "typing" }),
        json!({ "type": "resume" }),
    ];
    for json in bad {
        assert!(serde_json::from_value::<CustomerFrame>(json.clone()).is_err(), "{json}");
    }
}

#[test]
fn no_staff_frame_is_accepted_with_a_bad_value() {
    let bad = [
        json!({ "type": "claim", "client_msg_id": "a", "control_version": 0 }),
        json!({ "type": "claim", "conversation": "x", "client_msg_id": "a", "control_version": 0 }),
        json!({ "type": "claim", "conversation": ID, "client_msg_id": "a" }),
        json!({ "type": "claim", "conversation": ID, "client_msg_id": "a", "control_version": -1 }),
        json!({ "type": "hand_back", "conversation": ID, "client_msg_id": "a", "control_version": 1, "to": "anna" }),
        json!({ "type": "close", "conversation": ID, "client_msg_id": "a" }),
        json!({ "type": "stop", "conversation": ID, "client_msg_id": "a" }),
    ];
    for json in bad {
        assert!(serde_json::from_value::<StaffFrame>(json.clone()).is_err(), "{json}");
    }
}

#[test]
fn text_that_is_no_unicode_is_no_frame() {
    let say = |text: &str| format!(r#"{{"type":"say","client_msg_id":"a","text":"{text}"}}"#);
    assert!(serde_json::from_str::<CustomerFrame>(&say("\\ud83d\\ude00")).is_ok());
    for lone in ["\\ud83d", "\\ude00", "\\ud83d\\u0041"] {
        assert!(serde_json::from_str::<CustomerFrame>(&say(lone)).is_err(), "{lone}");
    }
    assert!(
        serde_json::from_slice::<CustomerFrame>(b"{\"type\":\"say\",\"client_msg_id\":\"a\",\"text\":\"\xff\"}")
            .is_err()
    );
}

#[test]
fn a_field_that_is_given_twice_is_no_frame() {
    let twice = r#"{"type":"say","client_msg_id":"a","text":"one","text":"two"}"#;
    assert!(serde_json::from_str::<CustomerFrame>(twice).is_err());
}

#[test]
fn the_newest_version_that_both_speak_is_chosen() {
    assert_eq!(negotiate(&[VERSION]), Some(VERSION));
    assert_eq!(negotiate(&[VERSION + 1, VERSION]), Some(VERSION));
    assert_eq!(negotiate(&[VERSION + 1]), None);
    assert_eq!(negotiate(&[]), None);
}

#[test]
fn the_reasons_for_a_fresh_start_have_their_documented_names() {
    let names = [NotRecovered::New, NotRecovered::Future, NotRecovered::OtherEpoch, NotRecovered::TooOld];
    assert_eq!(serde_json::to_value(names).unwrap(), json!(["new", "future", "other_epoch", "too_old"]));
}
