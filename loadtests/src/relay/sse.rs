//! The text in a stream of chat completions.

use std::borrow::Cow;

use anyhow::Result;
use serde::Deserialize;

/// Reads pieces of text out of bytes, however these are cut.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    read: usize,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Cow<'a, str>,
}

impl Pieces {
    /// More of the stream.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next piece that is not empty; `None` until more bytes were added.
    ///
    /// # Errors
    /// When an event is not a chunk of a chat completion.
    pub(super) fn next(&mut self) -> Result<Option<String>> {
        while let Some(length) = self.bytes[self.read..].iter().position(|byte| *byte == b'\n') {
            let line = self.read..self.read + length;
            self.read += length + 1;
            let data = self.bytes[line.clone()].strip_prefix(b"data: ").map_or(line.end, |data| line.end - data.len());
            if data == line.end || &self.bytes[data..line.end] == b"[DONE]" {
                continue;
            }
            let chunk: Chunk<'_> = serde_json::from_slice(&self.bytes[data..line.end])?;
            let text = chunk.choices.into_iter().next().map(|choice| choice.delta.content).unwrap_or_default();
            if !text.is_empty() {
                return Ok(Some(text.into_owned()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"Grüße\"}}]}\n\n",
        ": a comment\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\" \\\"aus\\\"\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{}}\n\n",
        "data: [DONE]\n\n",
    );

    #[test]
    fn text_is_the_same_however_the_bytes_are_cut() {
        for size in [1, 7, 64, STREAM.len()] {
            let mut pieces = Pieces::default();
            let mut read = Vec::new();
            for bytes in STREAM.as_bytes().chunks(size) {
                pieces.add(bytes);
                while let Some(text) = pieces.next().unwrap() {
                    read.push(text);
                }
            }
            assert_eq!(read, ["Grüße", " \"aus\""], "cut every {size} bytes");
        }
    }

    #[test]
    fn an_error_of_the_model_is_an_error() {
        let mut pieces = Pieces::default();
        pieces.add(b"data: {\"error\":\"overloaded\"}\n\n");
        assert!(pieces.next().is_err());
    }
}
