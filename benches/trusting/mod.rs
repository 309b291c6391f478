//! Credentials for links whose both ends are in one bench: everybody says who it is, and is believed.

use std::time::Duration;

use onya::cluster::link::{CredentialError, Credentials, Proven, Purpose};
use onya_core::Incarnation;

/// Says that it is this incarnation.
pub(crate) struct Trusting(pub(crate) Incarnation);

impl Credentials for Trusting {
    fn prove(&self, _: Purpose, _: Incarnation, nonce: &str) -> Result<String, CredentialError> {
        Ok(format!("{}/{nonce}", self.0))
    }

    fn check(&self, _: Purpose, proof: &str) -> Result<Proven, CredentialError> {
        let malformed = || CredentialError("malformed".to_owned());
        let (from, nonce) = proof.split_once('/').ok_or_else(malformed)?;
        Ok(Proven { from: from.parse().map_err(|_| malformed())?, nonce: nonce.into() })
    }

    fn longest_life(&self) -> Duration {
        Duration::from_secs(90)
    }
}
