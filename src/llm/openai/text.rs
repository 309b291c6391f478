//! Text as it may be shown and stored.
//!
//! Some servers cut text between the two halves of a surrogate pair; the halves are joined again. Control characters
//! other than tab and line ends are removed: NUL because no database column takes it, the others because a terminal
//! would obey them. They are removed, not refused, because they carry nothing and the rest of the reply does; and they
//! are removed here, before anything is counted, so that what streams and what is stored are the same.

/// Bytes that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotText;

/// Makes text out of pieces.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// The first half of a pair whose second half has to come next.
    half: Option<u16>,
}

impl Joiner {
    /// The text of the next piece: UTF-8 in which single surrogates may stand as three bytes each.
    pub(super) fn join(&mut self, piece: Vec<u8>) -> Result<String, NotText> {
        let text = match String::from_utf8(piece) {
            Ok(text) if self.half.is_none() || text.is_empty() => text,
            Ok(text) => self.join_slowly(text.as_bytes())?,
            Err(error) => self.join_slowly(error.as_bytes())?,
        };
        Ok(clean(text))
    }

    /// What is left when nothing more comes.
    pub(super) fn finish(&mut self) -> Option<String> {
        self.half.take().map(|_| char::REPLACEMENT_CHARACTER.to_string())
    }

    fn join_slowly(&mut self, mut bytes: &[u8]) -> Result<String, NotText> {
        let mut text = String::with_capacity(bytes.len() + 4);
        while !bytes.is_empty() {
            let valid = match str::from_utf8(bytes) {
                Ok(valid) => valid,
                Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
            };
            if !valid.is_empty() {
                text.extend(self.finish());
                text.push_str(valid);
                bytes = &bytes[valid.len()..];
                continue;
            }
            let [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, rest @ ..] = bytes else { return Err(NotText) };
            self.surrogate(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f), &mut text);
            bytes = rest;
        }
        Ok(text)
    }

    fn surrogate(&mut self, unit: u16, text: &mut String) {
        let is_second_half = unit >= 0xdc00;
        match self.half {
            Some(half) if is_second_half => {
                self.half = None;
                text.extend(char::decode_utf16([half, unit]).filter_map(Result::ok));
            }
            _ if is_second_half => text.push(char::REPLACEMENT_CHARACTER),
            _ => {
                text.extend(self.finish());
                self.half = Some(unit);
            }
        }
    }
}

fn clean(mut text: String) -> String {
    if text.contains(is_unwanted) {
        text.retain(|letter| !is_unwanted(letter));
    }
    text
}

fn is_unwanted(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(pieces: &[&[u8]]) -> Result<String, NotText> {
        let mut joiner = Joiner::default();
        let mut text = String::new();
        for piece in pieces {
            text.push_str(&joiner.join(piece.to_vec())?);
        }
        text.extend(joiner.finish());
        Ok(text)
    }

    #[test]
    fn halves_of_a_pair_are_joined_and_lone_ones_replaced() {
        let (high, low) = (b"\xed\xa0\xbe".as_slice(), b"\xed\xb6\x80".as_slice());
        for (pieces, expected) in [
            (vec![b"plain \xf0\x9f\xa6\x80".as_slice()], "plain 🦀"),
            (vec![b"a\xed\xa0\xbe", b"\xed\xb6\x80b"], "a🦀b"),
            (vec![high, b"", low], "🦀"),
            (vec![b"\xed\xa0\xbe\xed\xb6\x80"], "🦀"),
            (vec![high, b"x"], "\u{fffd}x"),
            (vec![high, high, low], "\u{fffd}🦀"),
            (vec![low, b"x"], "\u{fffd}x"),
            (vec![b"x", high], "x\u{fffd}"),
        ] {
            assert_eq!(join(&pieces).as_deref(), Ok(expected), "{pieces:?}");
        }
    }

    #[test]
    fn what_a_database_or_a_terminal_would_choke_on_is_removed() {
        assert_eq!(join(&[b"a\0b\x1b[31mc\x7f\xc2\x9bd\te\r\nf"]).as_deref(), Ok("ab[31mcd\te\r\nf"));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for bytes in [b"a\xff".as_slice(), b"\xc3", b"\xed\xa0", b"\xf0\x9f\xa6"] {
            assert_eq!(join(&[bytes]), Err(NotText), "{bytes:?}");
        }
    }
}
