use onya_protocol::ServerFrame;
use serde_json::{Value, json};

use super::*;

const ID: &str = "0198c0de-0000-7000-8000-000000000001";
const ME: &str = "0198c0de-0000-7000-8000-0000000000cc";

fn printed(interactive: bool, frames: &[Value]) -> String {
    let mut conversation = Conversation::new(ID.parse().unwrap());
    let mut screen = Screen::new(Vec::new(), Manner { interactive, colours: false });
    screen.set_identity(ME.parse().unwrap(), Role::Customer);
    screen.typed(ClientMsgId::new("mine").unwrap());
    for frame in frames {
        let mut frame = frame.clone();
        frame["conversation"] = json!(ID);
        conversation.apply(&serde_json::from_value::<ServerFrame>(frame).unwrap());
        screen.draw(&conversation).unwrap();
    }
    String::from_utf8(screen.out).unwrap()
}

fn synced(entries: &Value, turn: &Value) -> Value {
    json!({
        "type": "synced", "history_epoch": ID, "position": entries.as_array().map_or(0, Vec::len), "recovered": false,
        "entries": entries, "has_older": false, "control": {"state": "assistant"}, "control_version": 0, "turn": turn,
    })
}

fn entry(seq: u64, body: &Value) -> Value {
    let mut entry = json!({"type": "entry", "seq": seq, "prev": seq - 1, "at": 0});
    entry.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    entry
}

fn said(seq: u64, text: &str) -> Value {
    entry(seq, &json!({"kind": "message_said", "author": {"id": ME, "role": "customer"}, "text": text}))
}

fn opened(seq: u64) -> Value {
    entry(seq, &json!({"kind": "turn_opened", "answers": seq - 1}))
}

fn ended(seq: u64, turn: u64, outcome: &str, text: &str) -> Value {
    entry(seq, &json!({"kind": "turn_ended", "turn": turn, "outcome": outcome, "text": text}))
}

fn delta(turn: u64, attempt: u32, offset: u64, text: &str) -> Value {
    json!({"type": "delta", "turn": turn, "epoch": 1, "attempt": attempt, "offset": offset, "text": text})
}

#[test]
fn a_reply_is_printed_as_it_comes_and_its_commit_adds_what_is_missing() {
    let frames = [
        synced(&json!([]), &Value::Null),
        said(1, "hi"),
        opened(2),
        delta(2, 1, 0, "Hel"),
        delta(2, 1, 3, "lo"),
        ended(3, 2, "final", "Hello!"),
    ];
    assert_eq!(printed(false, &frames), "you: hi\nassistant: Hello!\n");
}

#[test]
fn a_committed_text_that_differs_is_printed_whole() {
    let frames = [synced(&json!([]), &Value::Null), opened(1), delta(1, 1, 0, "Helo"), ended(2, 1, "stopped", "Hello")];
    let expected = "assistant: Helo\n-- what was shown is replaced by this:\nassistant: Hello\n-- stopped\n";
    assert_eq!(printed(false, &frames), expected);
}

#[test]
fn a_reset_starts_the_reply_again() {
    let reset = json!({"type": "reset", "turn": 1, "epoch": 2, "attempt": 2});
    let frames =
        [synced(&json!([]), &Value::Null), opened(1), delta(1, 1, 0, "Hel"), reset, ended(2, 1, "final", "Hi")];
    assert_eq!(printed(false, &frames), "assistant: Hel\n-- the reply starts again:\nassistant: Hi\n");
}

#[test]
fn a_message_in_the_middle_of_a_reply_gets_its_own_line() {
    let frames = [
        synced(&json!([]), &Value::Null),
        opened(1),
        delta(1, 1, 0, "One "),
        said(2, "and?"),
        delta(1, 1, 4, "two"),
        ended(3, 1, "final", "One two"),
    ];
    assert_eq!(printed(false, &frames), "assistant: One \nyou: and?\n… two\n");
}

#[test]
fn a_reply_in_progress_is_joined_where_it_is() {
    let turn = json!({"turn": 1, "epoch": 1, "attempt": 1, "text": "One "});
    let frames = [synced(&json!([opened(1)]), &turn), delta(1, 1, 4, "two")];
    assert_eq!(printed(false, &frames), "assistant: One two");
}

#[test]
fn a_terminal_does_not_repeat_what_was_typed_there_and_cannot_be_steered() {
    let mut mine = said(1, "typed");
    mine["client_msg_id"] = json!("mine");
    let frames = [synced(&json!([]), &Value::Null), mine, said(2, "bad \u{1b}[2J")];
    assert_eq!(printed(true, &frames), "you: bad \u{fffd}[2J\n");
}
