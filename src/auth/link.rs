//! What nodes of one cluster show each other when one opens a link to another.
//!
//! A proof is a JWT under the keys that tokens are signed with, so it needs no secret of its own and their rotation is its
//! rotation. It says which start of a process made it, for which other one, for which nonce and for what purpose. It names
//! no participant and no role, so it opens nothing to customers or staff, and no token of theirs is one.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use onya_core::Incarnation;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::issuer::now_s;
use super::keys::KeySet;
use super::verifier::{AuthError, MAX_LEEWAY_S, claims, key_name};
use crate::config::AuthConfig;

/// Life of a proof, in seconds: it is used at once, and clocks differ.
const LIFE_S: u64 = 30;
/// Longest nonce that is looked at, in bytes.
const MAX_NONCE_BYTES: usize = 64;

/// What a proof is for. The two are never confused: what a node answers with opens no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    /// Shown by the node that opens a link.
    LinkDial,
    /// Shown by the node that takes it.
    LinkAnswer,
}

/// What a good proof says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkProof {
    /// Which start of a process made it.
    pub from: Incarnation,
    /// The nonce that it was made for.
    pub nonce: Box<str>,
}

#[derive(Serialize, Deserialize)]
struct LinkClaims {
    iss: Uuid,
    aud: Uuid,
    purpose: LinkPurpose,
    nonce: Box<str>,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// Makes and checks the proofs of one start of a process.
pub struct LinkProofs {
    me: Incarnation,
    header: Header,
    signing: EncodingKey,
    keys: BTreeMap<String, DecodingKey>,
    rules: Validation,
}

impl LinkProofs {
    /// Signs with the first key of the set and accepts proofs of any, but of no site's.
    #[must_use]
    pub fn new(keys: &KeySet, config: &AuthConfig, me: Incarnation) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(keys.signing().id.clone());
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[me]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud"]);
        rules.validate_nbf = true;
        rules.leeway = config.leeway_s.min(MAX_LEEWAY_S);
        Self {
            me,
            header,
            signing: EncodingKey::from_secret(&keys.signing().secret),
            keys: keys.iter().map(|key| (key.id.clone(), DecodingKey::from_secret(&key.secret))).collect(),
            rules,
        }
    }

    /// The longest time from when a proof is first accepted to when it no longer is, in seconds: its life, with clocks
    /// that differ as much as is forgiven.
    #[must_use]
    pub fn longest_life_s(&self) -> u64 {
        LIFE_S + 2 * self.rules.leeway
    }

    /// A proof of this process for another one.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn make(
        &self,
        purpose: LinkPurpose,
        audience: Incarnation,
        nonce: &str,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = now_s();
        let claims = LinkClaims {
            iss: self.me.0,
            aud: audience.0,
            purpose,
            nonce: nonce.into(),
            iat: now,
            nbf: now,
            exp: now.saturating_add(LIFE_S),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signing)
    }

    /// Says who made a proof that was made for this process. Whether its nonce is the right one is the caller's business.
    ///
    /// # Errors
    /// [`AuthError::Malformed`] also for a proof that is for another process or purpose, or lives longer than ours do.
    pub fn check(&self, purpose: LinkPurpose, proof: &str) -> Result<LinkProof, AuthError> {
        let key = self.keys.get(&key_name(proof)?).ok_or(AuthError::UnknownKey)?;
        let claims: LinkClaims = claims(proof, key, &self.rules)?;
        let nonce_fits = (1..=MAX_NONCE_BYTES).contains(&claims.nonce.len());
        let latest_end_s = now_s().saturating_add(LIFE_S + self.rules.leeway);
        if claims.purpose != purpose || !nonce_fits || claims.exp > latest_end_s {
            return Err(AuthError::Malformed);
        }
        Ok(LinkProof { from: Incarnation(claims.iss), nonce: claims.nonce })
    }
}
