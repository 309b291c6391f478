//! The keys that tokens are signed with, as what nodes prove themselves with.

use std::time::Duration;

use onya_core::Incarnation;

use crate::auth::{LinkProofs, LinkPurpose};
use crate::cluster::link::{CredentialError, Credentials, Proven, Purpose};

impl Credentials for LinkProofs {
    fn prove(&self, purpose: Purpose, to: Incarnation, nonce: &str) -> Result<String, CredentialError> {
        self.make(named(purpose), to, nonce).map_err(|error| CredentialError(error.to_string()))
    }

    fn check(&self, purpose: Purpose, proof: &str) -> Result<Proven, CredentialError> {
        let proof = self.check(named(purpose), proof).map_err(|error| CredentialError(error.to_string()))?;
        Ok(Proven { from: proof.from, nonce: proof.nonce })
    }

    fn longest_life(&self) -> Duration {
        Duration::from_secs(self.longest_life_s())
    }
}

const fn named(purpose: Purpose) -> LinkPurpose {
    match purpose {
        Purpose::Dial => LinkPurpose::LinkDial,
        Purpose::Answer => LinkPurpose::LinkAnswer,
    }
}
