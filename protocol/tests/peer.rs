//! What stands on a link between nodes: the frames of this release are read by the one before it, and the other way round.
//!
//! `peer/` holds samples, a file for each kind of frame and a line for each form. Lines are added, never changed: a change
//! shows that two releases would not understand each other, and needs a new link version.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step ends the test, also in the functions that tests share"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;

use onya_core::conversation::Action;
use onya_protocol::EntryBody;
use onya_protocol::peer::{ToEdge, ToOwner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The samples of one direction, by the kind of frame.
fn samples(direction: &str) -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer").join(direction);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let lines = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), lines)
        })
        .collect()
}

fn frames<F: DeserializeOwned>(direction: &str) -> Vec<F> {
    let lines = samples(direction).into_values().flatten();
    lines.map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// A new kind of frame does not compile until it has a name here, and then its file is missing.
fn to_owner_kind(frame: &ToOwner) -> &'static str {
    match frame {
        ToOwner::Watch { .. } => "watch",
        ToOwner::Forget { .. } => "forget",
        ToOwner::Submit { .. } => "submit",
        ToOwner::Typing(_) => "typing",
        ToOwner::Confirmed { .. } => "confirmed",
        ToOwner::Digest { .. } => "digest",
    }
}

const TO_OWNER_KINDS: [&str; 6] = ["confirmed", "digest", "forget", "submit", "typing", "watch"];

fn to_edge_kind(frame: &ToEdge) -> &'static str {
    match frame {
        ToEdge::Standing { .. } => "standing",
        ToEdge::NotShown { .. } => "not_shown",
        ToEdge::Outcome { .. } => "outcome",
        ToEdge::Elsewhere { .. } => "elsewhere",
        ToEdge::Moved { .. } => "moved",
        ToEdge::Entry(_) => "entry",
        ToEdge::Delta(_) => "delta",
        ToEdge::Reset(_) => "reset",
        ToEdge::Typing(_) => "typing",
        ToEdge::Confirm { .. } => "confirm",
        ToEdge::CutCustomers { .. } => "cut_customers",
        ToEdge::Waits(_) => "waits",
        ToEdge::WaitsNoMore { .. } => "waits_no_more",
    }
}

const TO_EDGE_KINDS: [&str; 13] = [
    "confirm",
    "cut_customers",
    "delta",
    "elsewhere",
    "entry",
    "moved",
    "not_shown",
    "outcome",
    "reset",
    "standing",
    "typing",
    "waits",
    "waits_no_more",
];

/// Reads every sample, writes it again, and says of which kinds they were.
fn read_and_written<F>(direction: &str, kind: fn(&F) -> &'static str) -> Vec<String>
where
    F: Serialize + DeserializeOwned,
{
    let samples = samples(direction);
    for (file, lines) in &samples {
        assert!(!lines.is_empty(), "{file}");
        for line in lines {
            let frame: F = serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}: {line}: {error}"));
            assert_eq!(kind(&frame), file, "{line}");
            assert_eq!(serde_json::to_string(&frame).unwrap(), *line);
        }
    }
    samples.into_keys().collect()
}

#[test]
fn every_frame_is_read_and_written_again_identically() {
    assert_eq!(read_and_written("to_owner", to_owner_kind), TO_OWNER_KINDS);
    assert_eq!(read_and_written("to_edge", to_edge_kind), TO_EDGE_KINDS);
}

#[test]
fn every_command_has_a_sample() {
    let number = |action: &Action| match action {
        Action::Say { .. } => 1,
        Action::Stop { .. } => 2,
        Action::Regenerate { .. } => 3,
        Action::Rate { .. } => 4,
        Action::Escalate { .. } => 5,
        Action::Claim { .. } => 6,
        Action::TakeOver { .. } => 7,
        Action::HandBack { .. } => 8,
        Action::Close { .. } => 9,
        Action::Erase => 10,
    };
    let numbers: BTreeSet<u8> = frames::<ToOwner>("to_owner")
        .iter()
        .filter_map(|frame| match frame {
            ToOwner::Submit { request, .. } => Some(number(&request.action)),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, (1..=10).collect());
}

#[test]
fn every_entry_has_a_sample() {
    let number = |body: &EntryBody| match body {
        EntryBody::Opened { .. } => 1,
        EntryBody::MessageSaid { .. } => 2,
        EntryBody::TurnOpened { .. } => 3,
        EntryBody::AttemptStarted { .. } => 4,
        EntryBody::TurnEnded { .. } => 5,
        EntryBody::ControlChanged { .. } => 6,
        EntryBody::Rated { .. } => 7,
        EntryBody::NoticePosted { .. } => 8,
        EntryBody::Erased { .. } => 9,
    };
    let numbers: BTreeSet<u8> = frames::<ToEdge>("to_edge")
        .iter()
        .filter_map(|frame| match frame {
            ToEdge::Entry(shown) => Some([shown.customer.clone(), shown.staff.clone()]),
            _ => None,
        })
        .flatten()
        .flatten()
        .map(|entry| number(&entry.body))
        .collect();
    assert_eq!(numbers, (1..=9).collect());
}

/// A field of a later release in every object that has fields; those with one member name a kind.
fn with_a_later_field(value: &mut Value, is_body: bool) {
    match value {
        Value::Object(members) => {
            let names_a_kind = members.len() == 1 && !is_body;
            members.values_mut().for_each(|member| with_a_later_field(member, names_a_kind));
            if !names_a_kind {
                members.insert("of_a_later_release".to_owned(), json!({"what": [1, null]}));
            }
        }
        Value::Array(members) => members.iter_mut().for_each(|member| with_a_later_field(member, false)),
        _ => {}
    }
}

fn reads_past_later_fields<F: DeserializeOwned + PartialEq + Debug>(direction: &str) {
    for line in samples(direction).into_values().flatten() {
        let mut later: Value = serde_json::from_str(&line).unwrap();
        with_a_later_field(&mut later, false);
        assert_ne!(later.to_string().len(), line.len());
        let frame: F = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::from_value::<F>(later).unwrap(), frame, "{line}");
    }
}

#[test]
fn fields_of_a_later_release_are_ignored() {
    reads_past_later_fields::<ToOwner>("to_owner");
    reads_past_later_fields::<ToEdge>("to_edge");
}

#[test]
fn a_kind_of_a_later_release_is_an_error() {
    let later = |direction: &str, kind: &str| samples(direction)[kind][0].replacen(kind, "of_a_later_release", 1);
    assert!(serde_json::from_str::<ToOwner>(&later("to_owner", "forget")).is_err());
    assert!(serde_json::from_str::<ToEdge>(&later("to_edge", "waits_no_more")).is_err());
}
