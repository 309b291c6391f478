//! Keeps values that come from outside from breaking or disguising a log line.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use tracing_subscriber::fmt::MakeWriter;

/// The text with control characters (line ends and terminal sequences among them) and characters that change the
/// direction of writing replaced by their `\u{…}` names in JSON's form (`\u001b`), which is a valid escape in both log
/// formats.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_dangerous(c) {
            // Writing to a String cannot fail. All of these characters have one 16-bit unit.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

fn is_dangerous(c: char) -> bool {
    // Direction marks, overrides and isolates, and the two separators that some viewers show as line ends.
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

/// Makes writers that take one event per call and write it as one escaped line.
#[derive(Clone, Copy, Debug)]
pub struct OneLine<M>(pub M);

/// See [`OneLine`].
#[derive(Debug)]
pub struct OneLineWriter<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = OneLineWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLineWriter(self.0.make_writer())
    }
}

impl<W: io::Write> io::Write for OneLineWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let body = text.strip_suffix('\n').unwrap_or(&text);
        let escaped = escape(body);
        let mut out = String::with_capacity(escaped.len() + 1);
        out.push_str(&escaped);
        out.push('\n');
        self.0.write_all(out.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_terminal_sequences_and_direction_marks_are_named_instead_of_written() {
        assert_eq!(escape("a\r\nERROR forged"), "a\\u000d\\u000aERROR forged");
        assert_eq!(escape("\u{1b}[2J\u{9b}31m"), "\\u001b[2J\\u009b31m");
        assert_eq!(escape("a\u{202e}b\u{2066}c\u{2028}d"), "a\\u202eb\\u2066c\\u2028d");
        assert_eq!(escape("Grüße, 你好 👋"), "Grüße, 你好 👋");
    }
}
