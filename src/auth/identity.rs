//! Customers whom the company knows: its site signs who they are, with a key of its own.
//!
//! Such a token says who somebody is, and nothing about what they may do: whoever it names is a customer, whatever else it
//! claims. The company's own identifier becomes a participant's by a fixed rule, so nothing has to be stored, and the
//! same customer is the same participant on every node and under every key.

use onya_core::ParticipantId;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use uuid::Builder;

use super::principal::{Principal, Role, TokenSource, check_display_name};
use super::verifier::AuthError;

/// Longest identifier of a customer, in characters.
const MAX_SUBJECT_CHARS: usize = 200;

/// What is hashed before the company's identifier. Changing it makes every known customer somebody else.
const DOMAIN: &[u8] = b"onya customer 1\0";

/// What is read from a site's token; the rest of it is not looked at.
#[derive(Deserialize)]
pub(super) struct IdentityClaims {
    sub: Box<str>,
    #[serde(default)]
    name: Option<Box<str>>,
    /// One audience, as in our own tokens; its value is checked with the signature.
    #[serde(rename = "aud")]
    _audience: Box<str>,
    exp: u64,
}

impl IdentityClaims {
    /// Whom it names, if it ends by then (in seconds since 1970).
    pub(super) fn customer(self, latest_end_s: u64) -> Result<Principal, AuthError> {
        let length = self.sub.chars().count();
        let named_well = self.name.as_deref().is_none_or(|name| check_display_name(name).is_ok());
        let is_subject = (1..=MAX_SUBJECT_CHARS).contains(&length) && !self.sub.chars().any(char::is_control);
        if !is_subject || !named_well {
            return Err(AuthError::Malformed);
        }
        if self.exp > latest_end_s {
            return Err(AuthError::LivesTooLong);
        }
        Ok(Principal {
            participant: participant(&self.sub),
            role: Role::Customer,
            display_name: self.name,
            source: TokenSource::Site,
            expires_at_s: self.exp,
        })
    }
}

/// The participant that a company's identifier stands for: the first half of a hash, marked as a UUID of version 8. Our own
/// are of version 7, so the two never meet.
fn participant(subject: &str) -> ParticipantId {
    let hash = Sha256::new().chain_update(DOMAIN).chain_update(subject).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    ParticipantId(Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_the_same_participant_for_ever() {
        // From another implementation of SHA-256; docs/API.md has the rule.
        let known = participant("customer-1042").0;
        assert_eq!(known.to_string(), "6e82b617-e412-8722-a999-ba82e6081e76");
        assert_eq!(known.get_version_num(), 8);
        assert_ne!(participant("customer-1043").0, known);
        assert_ne!(participant("Customer-1042").0, known);
    }
}
