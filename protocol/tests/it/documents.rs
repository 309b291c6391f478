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
