//! How a node proves who it is: by what, is decided where the keys are.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use onya_core::Incarnation;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

/// What a proof is for. A proof for one purpose must not be good for the other: an answer would open a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To open a link.
    Dial,
    /// To take one.
    Answer,
}

/// Makes and checks the proofs of one start of a process.
pub trait Credentials: Send + Sync + 'static {
    /// A proof of this process, printable ASCII, for another one and a nonce.
    ///
    /// # Errors
    /// When it cannot be made.
    fn prove(&self, purpose: Purpose, to: Incarnation, nonce: &str) -> Result<String, CredentialError>;

    /// Says who made a proof that was made for this process and purpose by a holder of the cluster's keys, not long ago.
    ///
    /// # Errors
    /// For every other text.
    fn check(&self, purpose: Purpose, proof: &str) -> Result<Proven, CredentialError>;

    /// The longest time for which `check` accepts the same proof: so long its nonce is remembered.
    fn longest_life(&self) -> Duration;
}

/// What a good proof says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Who made it.
    pub from: Incarnation,
    /// For which nonce.
    pub nonce: Box<str>,
}

/// Why there is no proof, or why it is not good. Holds nothing of a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CredentialError(pub String);

/// A number that nobody has used before, and nobody could foresee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Nonce(u128);

/// Digits of a nonce as a text.
const DIGITS: usize = 32;

impl Nonce {
    /// Draws one; `None` if the system has no random bytes.
    pub(super) fn draw() -> Option<Self> {
        let mut bytes = [0; 16];
        OsRng.try_fill_bytes(&mut bytes).ok()?;
        Some(Self(u128::from_be_bytes(bytes)))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Nonce {
    type Err = ();

    /// Reads what `Display` writes and nothing else, so that a nonce has one form only.
    fn from_str(text: &str) -> Result<Self, ()> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != DIGITS || !text.bytes().all(is_digit) {
            return Err(());
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_has_one_form() {
        let nonce = Nonce::draw().unwrap();
        let text = nonce.to_string();
        assert_eq!(text.parse(), Ok(nonce));
        assert_ne!(Nonce::draw().unwrap(), nonce);
        let others = [String::new(), text[1..].to_owned(), format!("0{text}"), format!("+{}", &text[1..])];
        for other in others.into_iter().chain([text.to_uppercase().replacen(|c: char| c.is_ascii_digit(), "A", 1)]) {
            assert!(other.parse::<Nonce>().is_err(), "{other}");
        }
    }
}
