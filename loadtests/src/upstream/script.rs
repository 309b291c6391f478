//! The reply: its tokens, and the stamp in the first of them.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::ScriptArgs;

/// Words of the reply, over and over: about five bytes each, as tokens are.
const WORDS: [&str; 12] =
    [" Your", " parcel", " left", " our", " house", " on", " Monday", ",", " and", " is", " nearly", " there."];
/// Digits of a time in ns.
const DIGITS: usize = 20;
/// Bytes of a stamp: two times and three marks.
const STAMP_BYTES: usize = 2 * DIGITS + 3;

/// A reply, rendered once for all streams.
#[derive(Debug)]
pub(crate) struct Script {
    pub tokens: u32,
    first_token: Duration,
    gap: Duration,
    rendered: Vec<Bytes>,
}

/// When a request arrived at the upstream and when its first token left, in ns of the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub received_ns: u64,
    pub sent_ns: u64,
}

impl Script {
    pub(crate) fn new(args: ScriptArgs) -> Self {
        let rendered = WORDS.iter().map(|word| event(&json!({"content": word}), None)).collect();
        Self {
            tokens: args.tokens,
            first_token: Duration::from_millis(args.first_token_ms),
            gap: Duration::from_secs_f64(1.0 / args.tokens_per_second),
            rendered,
        }
    }

    /// When token `n` (from 0) is due after the request.
    pub(super) fn due(&self, n: u32) -> Duration {
        self.first_token + self.gap * n
    }

    /// Token `n`, not the first one, as an event of the stream.
    pub(super) fn token(&self, n: u32) -> Bytes {
        self.rendered[n as usize % self.rendered.len()].clone()
    }
}

/// The event that opens a reply.
pub(super) fn opening() -> Bytes {
    event(&json!({"role": "assistant", "content": ""}), None)
}

/// The first token: the stamp.
pub(super) fn first(stamp: Stamp) -> Bytes {
    event(&json!({"content": stamp.text()}), None)
}

/// The events that end a reply.
pub(super) fn closing() -> Bytes {
    let mut bytes = event(&json!({}), Some("stop")).to_vec();
    bytes.extend_from_slice(b"data: [DONE]\n\n");
    bytes.into()
}

fn event(delta: &serde_json::Value, finish_reason: Option<&str>) -> Bytes {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
    let chunk = json!({
        "id": "chatcmpl-load", "object": "chat.completion.chunk", "created": 1_767_225_600, "model": "scripted", "choices": [choice],
    });
    format!("data: {chunk}\n\n").into()
}

impl Stamp {
    fn text(self) -> String {
        format!("[{:0DIGITS$},{:0DIGITS$}]", self.received_ns, self.sent_ns)
    }

    /// The stamp at the beginning of a reply, once all of it is there.
    pub(crate) fn read(reply: &str) -> Option<Self> {
        let (received, sent) = reply.get(..STAMP_BYTES)?.strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
        Some(Self { received_ns: received.parse().ok()?, sent_ns: sent.parse().ok()? })
    }
}

/// What a reader of the whole reply must hold.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Everything behind the stamp.
    rest: String,
    /// Where each token ends, in bytes.
    ends: Vec<usize>,
}

impl Expected {
    pub(crate) fn new(tokens: u32) -> Self {
        let mut rest = String::new();
        let mut ends = vec![STAMP_BYTES];
        for n in 1..tokens as usize {
            rest.push_str(WORDS[n % WORDS.len()]);
            ends.push(STAMP_BYTES + rest.len());
        }
        Self { rest, ends }
    }

    /// Whether this is the whole reply and nothing else.
    pub(crate) fn is(&self, reply: &str) -> bool {
        Stamp::read(reply).is_some() && reply.get(STAMP_BYTES..) == Some(self.rest.as_str())
    }

    /// How many whole tokens a reply of so many bytes holds, if it held `known` before.
    pub(crate) fn tokens_in(&self, bytes: usize, known: usize) -> usize {
        known + self.ends[known.min(self.ends.len())..].iter().take_while(|end| **end <= bytes).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { received_ns: 17, sent_ns: u64::MAX };

    /// The content of an event.
    fn content(event: &Bytes) -> String {
        let text = std::str::from_utf8(event).unwrap().strip_prefix("data: ").unwrap();
        let chunk: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        chunk["choices"][0]["delta"]["content"].as_str().unwrap().to_owned()
    }

    fn script(tokens: u32) -> Script {
        Script::new(ScriptArgs { tokens, tokens_per_second: 20.0, first_token_ms: 50 })
    }

    #[test]
    fn what_is_sent_is_what_is_expected() {
        let script = script(64);
        let mut reply = content(&first(STAMP));
        (1..64).for_each(|n| reply.push_str(&content(&script.token(n))));
        let expected = Expected::new(64);
        assert!(expected.is(&reply));
        assert_eq!(Stamp::read(&reply), Some(STAMP));
        assert_eq!(expected.tokens_in(reply.len(), 0), 64);
    }

    #[test]
    fn a_reply_that_lacks_or_adds_a_byte_is_not_it() {
        let expected = Expected::new(3);
        let whole = format!("{}{}{}", STAMP.text(), WORDS[1], WORDS[2]);
        assert!(expected.is(&whole));
        assert!(!expected.is(&whole[..whole.len() - 1]));
        assert!(!expected.is(&format!("{whole} ")));
        assert!(!expected.is(&whole.replacen('[', "(", 1)));
        assert!(!expected.is(""));
    }

    #[test]
    fn tokens_are_counted_when_they_are_whole() {
        let expected = Expected::new(3);
        assert_eq!(expected.tokens_in(STAMP_BYTES - 1, 0), 0);
        assert_eq!(expected.tokens_in(STAMP_BYTES, 0), 1);
        assert_eq!(expected.tokens_in(STAMP_BYTES + WORDS[1].len(), 1), 2);
        assert_eq!(expected.tokens_in(usize::MAX, 3), 3);
    }

    #[test]
    fn tokens_are_due_at_an_exact_pace() {
        let script = script(64);
        assert_eq!(script.due(0), Duration::from_millis(50));
        assert_eq!(script.due(63), Duration::from_millis(50 + 63 * 50));
    }

    #[test]
    fn a_reply_ends_as_chat_completions_end() {
        let closing = closing();
        let text = std::str::from_utf8(&closing).unwrap();
        assert!(text.contains(r#""finish_reason":"stop""#) && text.ends_with("data: [DONE]\n\n"), "{text}");
    }
}
