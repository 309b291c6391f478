//! An anchor: a signed statement of where all chains ended that had moved since the one before it.
//!
//! One line of JSON each. What is signed is not the JSON but one hash over its fields ([`Anchor::content`]), so that the
//! form of the line does not matter. `previous` ties it to the anchor before it, signature included.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::store::chain::{GENESIS, Hash, Parts, hex, unhex};

/// The key that signs anchors.
pub struct AnchorKey(SigningKey);

/// The public half of an [`AnchorKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl AnchorKey {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(SigningKey::from_bytes(&rand::Rng::random(&mut rand::rng())))
    }

    /// From the 64 hexadecimal digits of its file.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        unhex::<32>(text.trim()).map(|seed| Self(SigningKey::from_bytes(&seed)))
    }

    /// The 64 hexadecimal digits of its file. Secret.
    #[must_use]
    pub fn secret(&self) -> String {
        hex(self.0.as_bytes())
    }

    /// What checks its signatures.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
}

impl PublicKey {
    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        VerifyingKey::from_bytes(&unhex(text.trim())?).ok().map(Self)
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(self.0.as_bytes()))
    }
}

/// One anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Its number; the next one's is one more.
    pub number: i64,
    /// When it was made, in ms since 1970.
    pub at: i64,
    /// Where the next one begins to look.
    pub cursor: String,
    /// How many chains it names.
    pub leaves: u64,
    pub(super) root: Hash,
    pub(super) previous: Hash,
    key: [u8; 32],
    signature: [u8; 64],
}

/// The line of an anchor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    anchor: i64,
    at: i64,
    cursor: String,
    leaves: u64,
    root: String,
    previous: String,
    key: String,
    signature: String,
}

/// What an anchor states, before it is signed.
pub(super) struct Statement {
    pub(super) number: i64,
    pub(super) at: i64,
    pub(super) cursor: String,
    pub(super) leaves: u64,
    pub(super) root: Hash,
}

impl Anchor {
    pub(super) fn sign(statement: Statement, previous: Option<&Self>, key: &AnchorKey) -> Self {
        let Statement { number, at, cursor, leaves, root } = statement;
        let previous = previous.map_or(GENESIS, Self::seal);
        let (key, signer) = (key.0.verifying_key().to_bytes(), &key.0);
        let unsigned = Self { number, at, cursor, leaves, root, previous, key, signature: [0; 64] };
        let signature = signer.sign(&unsigned.content()).to_bytes();
        Self { signature, ..unsigned }
    }

    /// Whether one of these keys has signed it.
    pub(super) fn is_signed_by(&self, keys: &[PublicKey]) -> bool {
        let signature = Signature::from_bytes(&self.signature);
        let mut signers = keys.iter().filter(|key| key.0.as_bytes() == &self.key);
        signers.any(|key| key.0.verify_strict(&self.content(), &signature).is_ok())
    }

    /// What the next anchor names as its `previous`.
    pub(super) fn seal(&self) -> Hash {
        Parts::new("onya.sealed.1").bytes(&self.content()).bytes(&self.signature).hash()
    }

    fn content(&self) -> Hash {
        Parts::new("onya.anchor.1")
            .integer(self.number)
            .integer(self.at)
            .bytes(self.cursor.as_bytes())
            .bytes(&self.leaves.to_be_bytes())
            .bytes(&self.root)
            .bytes(&self.previous)
            .bytes(&self.key)
            .hash()
    }

    /// The line of JSON, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let line = Line {
            anchor: self.number,
            at: self.at,
            cursor: self.cursor.clone(),
            leaves: self.leaves,
            root: hex(&self.root),
            previous: hex(&self.previous),
            key: hex(&self.key),
            signature: hex(&self.signature),
        };
        // Strings and numbers always have a form in JSON.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Reads a line; `None` if it is no anchor.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let line: Line = serde_json::from_str(line).ok()?;
        Some(Self {
            number: line.anchor,
            at: line.at,
            cursor: line.cursor,
            leaves: line.leaves,
            root: unhex(&line.root)?,
            previous: unhex(&line.previous)?,
            key: unhex(&line.key)?,
            signature: unhex(&line.signature)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(number: i64) -> Statement {
        Statement { number, at: 1_700_000_000_123, cursor: "1:2".to_owned(), leaves: 3, root: [4; 32] }
    }

    /// Anchors lie in files for years. If this fails, the code is wrong: never change the example.
    #[test]
    fn the_form_of_an_anchor_is_frozen() {
        let key = AnchorKey::parse(&"11".repeat(32)).unwrap();
        let first = Anchor::sign(statement(1), None, &key);
        let second = Anchor::sign(statement(2), Some(&first), &key);
        assert_eq!(second.to_line(), include_str!("../golden/anchor-1.json").trim_end());
        assert_eq!(Anchor::from_line(&second.to_line()), Some(second));
    }

    #[test]
    fn only_the_key_and_only_the_whole_statement_fit_a_signature() {
        let (key, other) = (AnchorKey::generate(), AnchorKey::generate());
        let anchor = Anchor::sign(statement(1), None, &key);
        assert!(anchor.is_signed_by(&[other.public(), key.public()]));
        assert!(!anchor.is_signed_by(&[other.public()]));
        assert!(!anchor.is_signed_by(&[]));
        let changed = [
            Anchor { number: 2, ..anchor.clone() },
            Anchor { at: 0, ..anchor.clone() },
            Anchor { cursor: String::new(), ..anchor.clone() },
            Anchor { leaves: 4, ..anchor.clone() },
            Anchor { root: [5; 32], ..anchor.clone() },
            Anchor { previous: [5; 32], ..anchor.clone() },
            Anchor { key: other.public().0.to_bytes(), ..anchor.clone() },
            Anchor { signature: [5; 64], ..anchor },
        ];
        for anchor in changed {
            assert!(!anchor.is_signed_by(&[key.public(), other.public()]), "{anchor:?}");
        }
    }

    #[test]
    fn a_line_that_is_not_an_anchor_is_none() {
        let line = Anchor::sign(statement(1), None, &AnchorKey::generate()).to_line();
        assert_eq!(Anchor::from_line(&line[..line.len() - 1]), None);
        assert_eq!(Anchor::from_line(&line.replace("\"leaves\"", "\"leafs\"")), None);
        assert_eq!(Anchor::from_line(&line.replace(":3,", ":3,\"more\":1,")), None);
        assert_eq!(Anchor::from_line(""), None);
    }
}
