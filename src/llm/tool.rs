//! The one tool a model is given: asking for a person.

use onya_core::conversation::Priority;
use serde::Deserialize;
use serde_json::{Value, json};

/// The tool's name.
pub(super) const NAME: &str = "request_human";

/// Longest summary handed on, in bytes of UTF-8: the default bound of an escalation's summary by a person.
const MAX_SUMMARY_BYTES: usize = 2_048;

/// What a model said when it asked for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HumanRequest {
    /// What the person should know.
    pub summary: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
}

/// The tool as a provider wants to be told of it.
pub(super) fn definition() -> Value {
    json!({
        "type": "function",
        "function": {
            "name": NAME,
            "description": "Hand the conversation to a human colleague. Use it when the customer asks for a person, \
                            or when you cannot help.",
            "parameters": {
                "type": "object",
                "properties": {
                    "summary": {
                        "type": "string",
                        "description": "What the colleague should know, in one or two sentences."
                    },
                    "priority": { "type": "string", "enum": ["low", "normal", "high"] }
                },
                "required": ["summary"],
                "additionalProperties": false
            }
        }
    })
}

#[derive(Deserialize)]
struct Arguments {
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    priority: Option<Value>,
}

/// Reads the arguments of a call; `None` if they are no complete JSON object or the summary is no text. No arguments
/// at all are a request without a summary, and a priority that is not one of the three is the usual one: neither is
/// a reason to leave a customer without the person.
pub(super) fn parse(arguments: &str) -> Option<HumanRequest> {
    if arguments.trim().is_empty() {
        return Some(HumanRequest { summary: None, priority: Priority::Normal });
    }
    if !arguments.trim_start().starts_with('{') {
        return None;
    }
    let arguments: Arguments = serde_json::from_str(arguments).ok()?;
    let priority = arguments.priority.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    Some(HumanRequest { summary: arguments.summary.and_then(|text| tidy(&text)), priority })
}

/// The text without control characters, trimmed and cut at the limit; `None` if nothing is left.
fn tidy(text: &str) -> Option<String> {
    let mut text: String = text.chars().filter(|letter| *letter == '\n' || !letter.is_control()).collect();
    text.truncate(text.floor_char_boundary(MAX_SUMMARY_BYTES));
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_leniently_but_never_by_half() {
        let request = |summary: Option<&str>, priority| HumanRequest { summary: summary.map(str::to_owned), priority };
        for (arguments, expected) in [
            (
                r#"{"summary":"Wants a refund.","priority":"high"}"#,
                Some(request(Some("Wants a refund."), Priority::High)),
            ),
            (r#"{"summary":"a\u0000b","reason":"x"}"#, Some(request(Some("ab"), Priority::Normal))),
            (r#"{"summary":" ","priority":"urgent!"}"#, Some(request(None, Priority::Normal))),
            (r#"{"summary":null,"priority":7}"#, Some(request(None, Priority::Normal))),
            ("{}", Some(request(None, Priority::Normal))),
            ("", Some(request(None, Priority::Normal))),
            (r#"{"summary":"Wants a ref"#, None),
            (r#"{"summary":7}"#, None),
            (r#"["Wants a refund.", null]"#, None),
            (r#"{} {}"#, None),
            ("null", None),
        ] {
            assert_eq!(parse(arguments), expected, "{arguments}");
        }
    }

    #[test]
    fn a_summary_is_cut_between_characters() {
        let arguments = json!({ "summary": format!("a{}", "ü".repeat(2_000)) }).to_string();
        let summary = parse(&arguments).unwrap().summary.unwrap();
        assert_eq!(summary.len(), MAX_SUMMARY_BYTES - 1);
    }
}
