//! Frames as messages: each message is a JSON array of as many frames as wait, up to a length.

use std::collections::VecDeque;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ending::Ending;
use super::{BUFFER_BYTES, MAX_MESSAGE_BYTES};

/// A message is ended once it has this length: what follows is written while the other side reads it.
const FULL_BYTES: usize = BUFFER_BYTES / 2;
/// Bytes of a usual message: a piece of a reply or two.
const USUAL_BYTES: usize = 512;

/// Takes frames for one message; there must be one.
pub(super) fn message<F: Serialize>(frames: &mut VecDeque<F>) -> Result<(String, u64), Ending> {
    let mut text = Vec::with_capacity(USUAL_BYTES);
    let mut count = 0;
    while text.len() < FULL_BYTES
        && let Some(frame) = frames.pop_front()
    {
        text.push(if count == 0 { b'[' } else { b',' });
        serde_json::to_writer(&mut text, &frame).map_err(|error| Ending::Unsendable(error.to_string()))?;
        count += 1;
    }
    text.push(b']');
    if text.len() > MAX_MESSAGE_BYTES {
        let what = format!("{} bytes; a lower conversation.window_bytes would keep frames shorter", text.len());
        return Err(Ending::Unsendable(what));
    }
    let text = String::from_utf8(text).map_err(|error| Ending::Unsendable(error.to_string()))?;
    Ok((text, count))
}

/// The frames of a message. What is wrong with it is said without what it holds.
pub(super) fn frames<F: DeserializeOwned>(text: &str) -> Result<Vec<F>, Ending> {
    serde_json::from_str(text).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "of a kind or form that this release does not know",
            _ => "broken JSON",
        };
        Ending::Malformed(format!("{what}, at byte {} of {}", error.column(), text.len()))
    })
}
