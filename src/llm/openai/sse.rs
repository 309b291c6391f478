//! Server-sent events out of bytes, however the bytes were cut.
//!
//! Lines end with LF, CR or CRLF; a byte order mark at the beginning is skipped; comments and fields other than
//! `event` and `data` are ignored. Bytes stay bytes: a character cut in two by the network is whole again in its line.
//! What is held is bounded: an event may have [`MAX_EVENT_BYTES`].

use memchr::memchr2;

/// Longest event, and longest line, in bytes. A token's chunk has 200 to 400; a provider that sends a whole reply at
/// once stays below this with a reply of 64 KiB.
pub(super) const MAX_EVENT_BYTES: usize = 262_144;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One event.
#[derive(Debug, Default)]
pub(super) struct Event {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its data; lines are joined by LF.
    pub data: Vec<u8>,
}

/// An event or a line is longer than [`MAX_EVENT_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// The decoder of one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: Vec<u8>,
    /// Where the next line begins, and up to where it is known to have no end.
    start: usize,
    scanned: usize,
    after_cr: bool,
    begun: bool,
    event: Event,
    has_data: bool,
    /// The event has been handed out: the next one is written over it.
    dispatched: bool,
}

impl Decoder {
    /// Takes the next bytes; [`next`](Self::next) is then called until it has no more events.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole event.
    pub(super) fn next(&mut self) -> Result<Option<&Event>, TooLong> {
        self.forget_dispatched();
        while let Some((start, end)) = self.line() {
            if start == end && self.has_data {
                return Ok(Some(self.dispatch()));
            }
            self.field(start, end);
            if self.event.data.len() > MAX_EVENT_BYTES {
                return Err(TooLong);
            }
        }
        if self.buffer.len() - self.start > MAX_EVENT_BYTES { Err(TooLong) } else { Ok(None) }
    }

    /// The event that the end of the stream leaves without its empty line. Some servers forget the last one.
    pub(super) fn finish(&mut self) -> Option<&Event> {
        self.forget_dispatched();
        self.push(b"\n");
        while let Some((start, end)) = self.line() {
            self.field(start, end);
        }
        self.has_data.then(|| self.dispatch())
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Option<(usize, usize)> {
        if self.after_cr && self.start < self.buffer.len() {
            self.after_cr = false;
            if self.buffer[self.start] == b'\n' {
                self.start += 1;
                self.scanned = self.scanned.max(self.start);
            }
        }
        let found = memchr2(b'\n', b'\r', &self.buffer[self.scanned..]);
        let Some(offset) = found else {
            self.scanned = self.buffer.len();
            return None;
        };
        let (start, end) = (self.start, self.scanned + offset);
        self.after_cr = self.buffer[end] == b'\r';
        self.start = end + 1;
        self.scanned = self.start;
        Some((start, end))
    }

    fn field(&mut self, start: usize, end: usize) {
        let mut line = &self.buffer[start..end];
        if !self.begun {
            self.begun = true;
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if self.has_data {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
                self.has_data = true;
            }
            b"event" => self.event.name = String::from_utf8_lossy(value).into_owned(),
            b"" if line.is_empty() => self.event.name.clear(),
            _ => {}
        }
    }

    fn forget_dispatched(&mut self) {
        if std::mem::take(&mut self.dispatched) {
            self.event.name.clear();
            self.event.data.clear();
        }
    }

    fn dispatch(&mut self) -> &Event {
        self.has_data = false;
        self.dispatched = true;
        &self.event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIRKS: &[u8] =
        b"\xef\xbb\xbfdata: one\n\n: comment\n\ndata:two\r\n\r\nevent: a\r\ndata: b\r\ndata: c\r\n\r\n\
        event: ping\rdata: x\r\rid: 7\nretry: 5\n\
        data: three\ndata\ndata: four\nunknown: y\n\n\n\nevent: gone\n\ndata: \xf0\x9f\xa6\x80\n\ndata: last";

    fn read(event: &Event) -> (String, String) {
        (event.name.clone(), String::from_utf8(event.data.clone()).unwrap())
    }

    fn decode(pieces: impl Iterator<Item = &'static [u8]>) -> Vec<(String, String)> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            while let Some(event) = decoder.next().unwrap() {
                events.push(read(event));
            }
        }
        events.extend(decoder.finish().map(read));
        events
    }

    #[test]
    fn every_way_of_cutting_the_bytes_gives_the_same_events() {
        let expected =
            [("", "one"), ("", "two"), ("a", "b\nc"), ("ping", "x"), ("", "three\n\nfour"), ("", "🦀"), ("", "last")]
                .map(|(name, data)| (name.to_owned(), data.to_owned()));
        for size in 1..=QUIRKS.len() {
            assert_eq!(decode(QUIRKS.chunks(size)), expected, "in pieces of {size}");
        }
        for cut in 0..QUIRKS.len() {
            let (head, tail) = QUIRKS.split_at(cut);
            assert_eq!(decode([head, tail].into_iter()), expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_carriage_return_ends_a_line_without_waiting_for_what_follows() {
        let mut decoder = Decoder::default();
        decoder.push(b"data: now\r\r");
        assert_eq!(decoder.next().unwrap().unwrap().data, b"now");
    }

    #[test]
    fn an_endless_line_and_an_endless_event_are_refused() {
        let mut decoder = Decoder::default();
        decoder.push(b": ");
        let mut refused = false;
        for _ in 0..=MAX_EVENT_BYTES / 1_024 {
            decoder.push(&[b'x'; 1_024]);
            refused |= decoder.next().is_err();
        }
        assert!(refused);

        let mut decoder = Decoder::default();
        let mut refused = false;
        for _ in 0..=MAX_EVENT_BYTES / 1_024 {
            decoder.push(b"data: ");
            decoder.push(&[b'x'; 1_024]);
            decoder.push(b"\n");
            refused |= decoder.next().is_err();
        }
        assert!(refused);
    }
}
