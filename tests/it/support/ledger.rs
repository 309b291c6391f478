//! The server's own log of a conversation, held against what a client believes of it.

use std::collections::BTreeMap;

use onya_core::Seq;
use onya_protocol::{EntryBody, LogEntry};

use super::{Roamer, TestNode, Visitor};

/// The whole log, as the visitor may see it, read page by page.
pub async fn whole_log(node: &TestNode, visitor: &Visitor) -> Vec<LogEntry> {
    let mut log: Vec<LogEntry> = Vec::new();
    loop {
        let after = log.last().map_or(0, |entry| entry.seq);
        let path = format!("/v1/conversations/{}/entries?after={after}&limit=200", visitor.conversation);
        let page = node.get(&path, &visitor.token).await.ok();
        let entries: Vec<LogEntry> = serde_json::from_value(page["entries"].clone()).unwrap();
        let done = page["has_more"] == false;
        log.extend(entries);
        if done {
            return log;
        }
    }
}

/// Everything that was promised to this customer is in the server's log, once, in order.
pub async fn check(node: &TestNode, roamer: &Roamer) {
    let log = whole_log(node, &roamer.visitor).await;
    let mut prev = 0;
    for entry in &log {
        assert_eq!(entry.prev, prev, "a gap in the log before {entry:?}");
        prev = entry.seq;
    }
    check_messages(&log, roamer);
    check_turns(&log);
    let shown: Vec<&LogEntry> = roamer.replica.entries.values().map(AsRef::as_ref).collect();
    let stored: Vec<&LogEntry> = log.iter().filter(|entry| roamer.replica.entries.contains_key(&entry.seq)).collect();
    assert_eq!(shown, stored, "what the customer was shown is not what is stored");
    assert_eq!(shown.last().map(|entry| entry.seq), log.last().map(|entry| entry.seq), "the customer is behind");
}

fn check_messages(log: &[LogEntry], roamer: &Roamer) {
    let mut stored: BTreeMap<&str, (Seq, &str)> = BTreeMap::new();
    for entry in log {
        if let Some(id) = &entry.client_msg_id {
            let text = if let EntryBody::MessageSaid { text, .. } = &entry.body { text } else { "" };
            let before = stored.insert(id.as_str(), (entry.seq, text));
            assert_eq!(before, None, "{id} is stored twice");
        }
    }
    for (id, seq) in &roamer.acked {
        assert_eq!(stored.get(id.as_str()).map(|(seq, _)| seq), Some(seq), "{id} was acknowledged");
    }
    let positions: Vec<Seq> = roamer
        .said
        .iter()
        .map(|(id, text)| {
            let (seq, stored) = stored.get(id.as_str()).unwrap_or_else(|| panic!("{id} is not stored"));
            assert_eq!(stored, text);
            *seq
        })
        .collect();
    assert!(positions.is_sorted(), "messages changed their order: {positions:?}");
}

fn check_turns(log: &[LogEntry]) {
    let (mut opened, mut ended) = (Vec::new(), Vec::new());
    for entry in log {
        match &entry.body {
            EntryBody::TurnOpened { .. } => opened.push(entry.seq),
            EntryBody::TurnEnded { turn, .. } => ended.push(*turn),
            _ => {}
        }
    }
    assert_eq!(opened, ended, "each turn ends once, one after the other");
}
