//! Bounds on JSON that are checked before it is read: depth, and characters that no text may hold.

use serde::de::DeserializeOwned;

/// Deepest nesting of arrays and objects. Ours have 3; the bound keeps a hostile one from costing anything.
pub(super) const MAX_DEPTH: usize = 32;

/// Why a text is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum JsonError {
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// A string holds U+0000, which Postgres cannot store.
    #[error("a string holds a NUL character")]
    Nul,
    /// It is not JSON, or not of the form that is expected here.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
}

/// Reads a text. Lone surrogates (`"\ud800"`) are refused by the parser itself.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    check_bounds(text)?;
    Ok(serde_json::from_slice(text)?)
}

/// One pass over the bytes, without memory of its own. What is not JSON is left for the parser to refuse.
fn check_bounds(text: &[u8]) -> Result<(), JsonError> {
    let (mut depth, mut in_string, mut at) = (0usize, false, 0usize);
    while let Some(byte) = text.get(at) {
        match (byte, in_string) {
            (b'"', _) => in_string = !in_string,
            (b'\\', true) if text[at + 1..].starts_with(b"u0000") => return Err(JsonError::Nul),
            // The next character is escaped: a quote in its place does not end the string.
            (b'\\', true) => at += 1,
            (b'{' | b'[', false) if depth == MAX_DEPTH => return Err(JsonError::TooDeep),
            (b'{' | b'[', false) => depth += 1,
            (b'}' | b']', false) => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn problem(text: &str) -> Option<String> {
        read::<Value>(text.as_bytes()).err().map(|error| error.to_string())
    }

    #[test]
    fn nesting_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(problem(&nested(MAX_DEPTH)), None);
        assert_eq!(problem(&nested(MAX_DEPTH + 1)).as_deref(), Some("nested deeper than 32"));
        assert_eq!(problem(&format!("\"{}\"", "[".repeat(1_000))), None);
        assert_eq!(problem(&format!(r#""\"{}""#, "[".repeat(1_000))), None);
        assert_eq!(problem(&format!("[{}]", "[],".repeat(1_000).trim_end_matches(','))), None);
        assert!(problem(&"[".repeat(1_000_000)).is_some());
    }

    #[test]
    fn no_text_holds_nul_or_half_a_character() {
        assert_eq!(problem(r#"{"text":"a\u0000b"}"#).as_deref(), Some("a string holds a NUL character"));
        assert_eq!(problem(r#""\\u0000""#), None, "that is a backslash and digits");
        assert!(problem("\"a\0b\"").is_some());
        for lone in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud800x""#] {
            assert!(problem(lone).is_some(), "{lone}");
        }
        assert_eq!(problem(r#""\ud83d\ude00""#), None);
        assert!(problem("\"\\").is_some(), "a text that ends in an escape");
    }
}
