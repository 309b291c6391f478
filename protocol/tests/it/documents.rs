//! The documents say what the types say: examples parse, codes are all there, pages are neither missing nor orphaned.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use onya_protocol::{CloseCode, CustomerFrame, ErrorCode, Refusal, ServerFrame, StaffFrame};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines inside fences that are marked with `info`.
fn fenced(text: &str, info: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(mark), None) => inside = Some(mark.trim() == info),
            (None, Some(true)) if !line.trim().is_empty() => lines.push(line.to_owned()),
            _ => {}
        }
    }
    lines
}

fn parse<F: DeserializeOwned>(line: &str) -> F {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

fn kinds(lines: &[String]) -> BTreeSet<String> {
    lines.iter().map(|line| parse::<Value>(line)["type"].as_str().unwrap().to_owned()).collect()
}

/// The names of the frames, from the schema.
fn frame_types<F: schemars::JsonSchema>() -> BTreeSet<String> {
    let schema = serde_json::to_value(schemars::schema_for!(F)).unwrap();
    let variants = schema["oneOf"].as_array().unwrap().clone();
    variants.iter().map(|variant| variant["properties"]["type"]["const"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_example_frame_of_the_protocol_document_is_one() {
    let text = read(&docs().join("PROTOCOL.md"));
    let (customer, staff) = (fenced(&text, "json customer"), fenced(&text, "json staff"));
    let server = fenced(&text, "json server");
    customer.iter().for_each(|line| drop(parse::<CustomerFrame>(line)));
    staff.iter().for_each(|line| drop(parse::<StaffFrame>(line)));
    server.iter().for_each(|line| drop(parse::<ServerFrame>(line)));
    for line in fenced(&text, "json session") {
        let step: Value = parse(&line);
        match step["from"].as_str() {
            Some("customer") => drop(parse::<CustomerFrame>(&step["frame"].to_string())),
            Some("agent") => drop(parse::<StaffFrame>(&step["frame"].to_string())),
            Some("server") => drop(parse::<ServerFrame>(&step["frame"].to_string())),
            other => panic!("{other:?} in {line}"),
        }
    }
    assert_eq!(kinds(&customer), frame_types::<CustomerFrame>());
    assert_eq!(kinds(&staff), frame_types::<StaffFrame>());
    assert_eq!(kinds(&server), frame_types::<ServerFrame>());
}

#[test]
fn the_protocol_document_lists_every_code() {
    let text = read(&docs().join("PROTOCOL.md"));
    for code in ErrorCode::ALL {
        let row = format!("| [`{code}`](errors/{code}.md) | {} |", code.http_status());
        assert!(text.contains(&row), "no row {row}");
    }
    for code in CloseCode::ALL {
        let row = format!("| {} | `{}` |", *code as u16, code.reason());
        assert!(text.contains(&row), "no row {row}");
    }
}

#[test]
fn every_code_has_a_page_and_no_page_is_orphaned() {
    let folder = docs().join("errors");
    let pages: BTreeSet<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let codes: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(pages, codes);
}

#[test]
fn the_page_of_a_code_says_what_it_is_and_shows_one() {
    for code in ErrorCode::ALL {
        let text = read(&docs().join("errors").join(format!("{code}.md")));
        assert!(text.starts_with(&format!("# `{code}`\n\nHTTP {}", code.http_status())), "{code}: heading");
        for section in ["\n## When\n", "\n## What to do\n", "\n## Example\n"] {
            assert!(text.contains(section), "{code}: no section {section:?}");
        }
        let mut refusals = fenced(&text, "json refusal");
        refusals.extend(fenced(&text, "json").iter().map(|line| parse::<Value>(line)["error"].to_string()));
        assert!(!refusals.is_empty(), "{code}: no example");
        for line in refusals {
            assert_eq!(parse::<Refusal>(&line).code, *code, "{line}");
        }
    }
}

/// A client that knows nothing but the rules of the document.
#[derive(Default)]
struct Reader {
    cursor: u64,
    ended: u64,
    live: ((u64, u64, u64), String),
}

impl Reader {
    fn read(&mut self, frame: &Value) {
        let number = |field: &str| frame[field].as_u64().unwrap_or_else(|| panic!("{field} of {frame}"));
        let name = || (number("turn"), number("epoch"), number("attempt"));
        match frame["type"].as_str().unwrap() {
            "synced" => {
                frame["entries"].as_array().unwrap().iter().for_each(|entry| self.take(entry));
                self.cursor = number("position");
                if let Some(turn) = frame.get("turn") {
                    let number = |field: &str| turn[field].as_u64().unwrap();
                    let name = (number("turn"), number("epoch"), number("attempt"));
                    self.live = (name, turn["text"].as_str().unwrap().to_owned());
                }
            }
            "entry" => self.take(frame),
            "delta" => {
                assert!(name().0 > self.ended && name() >= self.live.0, "withdrawn: {frame}");
                if name() > self.live.0 {
                    self.live = (name(), String::new());
                }
                assert_eq!(number("offset"), self.live.1.len() as u64, "{frame}");
                self.live.1.push_str(frame["text"].as_str().unwrap());
            }
            _ => {}
        }
    }

    fn take(&mut self, entry: &Value) {
        let (seq, prev) = (entry["seq"].as_u64().unwrap(), entry["prev"].as_u64().unwrap());
        if seq <= self.cursor {
            return;
        }
        assert!(prev <= self.cursor, "a hole before {entry}");
        self.cursor = seq;
        if entry["kind"] == "turn_ended" {
            self.ended = entry["turn"].as_u64().unwrap();
            assert_eq!(self.live.0.0, self.ended);
            assert_eq!(entry["text"], self.live.1);
        }
    }
}

#[test]
fn the_example_session_follows_the_rules_of_the_document() {
    let text = read(&docs().join("PROTOCOL.md"));
    let mut reader = Reader::default();
    for line in fenced(&text, "json session") {
        let step: Value = parse(&line);
        if step["from"] == "server" {
            reader.read(&step["frame"]);
        }
        if let Some(cursor) = step["frame"].get("cursor").filter(|_| step["from"] == "customer") {
            assert_eq!(cursor["seq"], reader.cursor);
        }
    }
    assert_eq!(reader.cursor, 17);
}

#[test]
fn every_example_of_the_api_document_has_the_fields_of_its_type() {
    let text = read(&docs().join("API.md"));
    for line in fenced(&text, "json") {
        let example: Value = parse(&line);
        match &example {
            json if json.get("error").is_some() => drop(parse::<Refusal>(&json["error"].to_string())),
            json if json.get("waiting").is_some() => {
                let mut frame = json.clone();
                frame["type"] = "queue".into();
                drop(parse::<ServerFrame>(&frame.to_string()));
            }
            json if json.get("entries").is_some() => {
                drop(parse::<Vec<onya_protocol::LogEntry>>(&json["entries"].to_string()));
            }
            json if json.get("seq").is_some() => assert!(json["repeated"].is_boolean(), "{line}"),
            _ => {}
        }
    }
}
