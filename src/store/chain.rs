//! The chain through the entries of a conversation: what is hashed, and how. The form is frozen: stored links were made
//! with it, and a test holds examples.
//!
//! ```text
//! body_commitment = SHA-256(tag, salt, body)             a body can be erased with its salt, the chain stays
//! digest          = SHA-256(tag, every other column of the entry, body_commitment)
//! link            = SHA-256(tag, link of the entry before, digest)
//! ```
//!
//! Every part is preceded by its length, so that no two lists of parts have one encoding. Pure: no clock, no
//! randomness, no database. Adapters write with it, `onya verify-audit` reads with it.

use std::cell::Cell;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A SHA-256 value.
pub(super) type Hash = [u8; 32];
/// What keeps the commitment of an erased body from being guessed.
pub(super) type Salt = [u8; 16];

/// The link before the first entry of a chain.
pub(super) const GENESIS: Hash = [0; 32];

/// Stands for a part that is null.
const NULL: u32 = u32::MAX;
/// A body may be long; more room than this is given back, in bytes.
const MOST_ROOM: usize = 64 * 1024;

thread_local! {
    /// Where parts are gathered: the room of those that were hashed last.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A hash over parts, each preceded by its length in four bytes, the most significant first. They are gathered and hashed
/// at once: a hash that is fed a few bytes at a time costs twice as much.
pub(super) struct Parts(Vec<u8>);

impl Parts {
    /// Begins with a tag, which keeps hashes of different things apart.
    pub(super) fn new(tag: &str) -> Self {
        Self(ROOM.take()).bytes(tag.as_bytes())
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        // No column holds 4 GiB: the databases' limit is 1 GiB.
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(NULL).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn optional(mut self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => {
                self.0.extend_from_slice(&NULL.to_be_bytes());
                self
            }
        }
    }

    pub(super) fn integer(self, number: i64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn hash(mut self) -> Hash {
        let hash = Sha256::digest(&self.0).into();
        self.0.clear();
        self.0.shrink_to(MOST_ROOM);
        ROOM.set(self.0);
        hash
    }
}

/// What the digest of an entry covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed<'a> {
    pub(super) conversation: Uuid,
    pub(super) seq: i64,
    pub(super) customer_prev: i64,
    pub(super) customer_sees: bool,
    pub(super) at: i64,
    pub(super) epoch: i64,
    pub(super) kind: &'a str,
    pub(super) participant: Option<Uuid>,
    pub(super) client_msg_id: Option<&'a str>,
    pub(super) commitment: Option<&'a [u8]>,
    pub(super) body_commitment: &'a [u8],
}

impl Sealed<'_> {
    /// The link of this entry, given that of the entry before it.
    pub(super) fn link(&self, previous: &Hash) -> Hash {
        // Before the parts of the link are begun: there is one room to gather in.
        let digest = self.digest();
        Parts::new("onya.link.1").bytes(previous).bytes(&digest).hash()
    }

    fn digest(&self) -> Hash {
        Parts::new("onya.entry.1")
            .bytes(self.conversation.as_bytes())
            .integer(self.seq)
            .integer(self.customer_prev)
            .integer(i64::from(self.customer_sees))
            .integer(self.at)
            .integer(self.epoch)
            .bytes(self.kind.as_bytes())
            .optional(self.participant.as_ref().map(|id| &id.as_bytes()[..]))
            .optional(self.client_msg_id.map(str::as_bytes))
            .optional(self.commitment)
            .bytes(self.body_commitment)
            .hash()
    }
}

/// The commitment to a body as it is stored.
pub(super) fn body_commitment(salt: &[u8], body: &str) -> Hash {
    Parts::new("onya.body.1").bytes(salt).bytes(body.as_bytes()).hash()
}

/// Two hexadecimal digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A hash from its hexadecimal digits.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != N * 2 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
