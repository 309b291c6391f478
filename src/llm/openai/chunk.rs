//! One chunk of a streamed reply, read as leniently as it can be: every field may be absent or null, unknown ones are
//! skipped, and only what is used is looked at.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use smallvec::SmallVec;

/// A chunk.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    choices: Option<SmallVec<[Choice; 1]>>,
    #[serde(default)]
    error: Option<Value>,
}

impl Chunk {
    /// Whether the chunk reports an error.
    pub(super) fn is_error(&self) -> bool {
        self.error.as_ref().is_some_and(|error| !matches!(error, Value::Bool(false)))
    }

    /// The only choice that was asked for.
    pub(super) fn into_choice(self) -> Option<Choice> {
        self.choices?.into_iter().next()
    }
}

/// What a choice adds.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub delta: Option<Delta>,
    #[serde(default)]
    pub finish_reason: Option<String>,
}

/// A piece of a reply.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub content: Option<Text>,
    #[serde(default)]
    pub refusal: Option<String>,
    #[serde(default)]
    pub tool_calls: Option<Vec<ToolDelta>>,
}

/// A piece of a tool call.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ToolDelta {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub index: Option<u64>,
    #[serde(default)]
    pub function: Option<FunctionDelta>,
}

/// A piece of a function's name and arguments.
#[derive(Debug, Default, Deserialize)]
pub(super) struct FunctionDelta {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub arguments: Option<Arguments>,
}

/// Arguments: a piece of JSON as text, as it should be, or all of it as an object, as some servers send it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Arguments {
    /// A piece.
    Piece(String),
    /// The whole.
    Whole(Value),
}

/// Text as its bytes, which may hold half of a surrogate pair (see `text.rs`): a string, or a list of parts of which
/// those with text count.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Text(pub Vec<u8>);

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<Text>,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text or a list of parts")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text, E> {
        Ok(Text(bytes.to_vec()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
        let mut text = Text::default();
        while let Some(part) = parts.next_element::<Part>()? {
            text.0.extend(part.text.unwrap_or_default().0);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Option<Vec<u8>> {
        let chunk: Chunk = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert!(!chunk.is_error());
        Some(chunk.into_choice()?.delta?.content?.0)
    }

    #[test]
    fn text_is_found_whatever_surrounds_it() {
        for json in [
            r#"{"choices":[{"delta":{"content":"hi"}}]}"#,
            r#"{"id":null,"object":7,"service_tier":"on_demand","usage":{},"choices":[{"index":0,"delta":{"role":"assistant","content":"hi","reasoning_content":"hm"},"finish_reason":""}],"x":[{}]}"#,
            r#"{"error":null,"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"text":"no"}]},{"type":"text","text":"hi"}]},"logprobs":null}]}"#,
        ] {
            assert_eq!(text(json).as_deref(), Some(b"hi".as_slice()), "{json}");
        }
    }

    #[test]
    fn nothing_has_to_be_there() {
        for json in [
            "{}",
            r#"{"choices":null}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":[{}]}"#,
            r#"{"choices":[{"delta":null,"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"content":null,"tool_calls":null}}]}"#,
        ] {
            assert_eq!(text(json), None, "{json}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_kept_and_bytes_that_are_no_json_are_not() {
        assert_eq!(text(r#"{"choices":[{"delta":{"content":"a\ud83e"}}]}"#).unwrap(), b"a\xed\xa0\xbe");
        assert!(serde_json::from_slice::<Chunk>(br#"{"choices":[{"delta":{"content":"a}"#).is_err());
    }
}
