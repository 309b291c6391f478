//! From a token to somebody.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use onya_core::ParticipantId;
use serde::de::DeserializeOwned;

use super::identity::IdentityClaims;
use super::issuer::{Claims, now_s};
use super::keys::KeySet;
use super::principal::{Principal, Role, TokenSource, check_display_name};
use crate::config::{AuthConfig, NamedKey};

/// Longest token that is looked at, in bytes; ours have about 450.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// Longest difference between clocks that is ever forgiven, in seconds.
pub(super) const MAX_LEEWAY_S: u64 = 60;

/// Checks tokens. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    rules: Arc<Rules>,
}

struct Rules {
    keys: BTreeMap<String, Key>,
    ours: Validation,
    sites: Validation,
    /// Longest life that a site's token may have left, the difference between clocks included, in seconds.
    longest_identity_s: u64,
}

/// Whose key it is decides what may be claimed with it.
enum Key {
    Ours(DecodingKey),
    Site(DecodingKey),
}

/// Why a token is not accepted. None of them says what the token contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It was good, and has ended: whoever has it may ask for a new one.
    #[error("the token has expired")]
    Expired,
    /// It is good, but begins later: one of the clocks is wrong.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its key is not one of ours: forged, or older than the last rotation.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// Its signature or algorithm is not that of its key.
    #[error("the token's signature is wrong")]
    Forged,
    /// It is a site's, and would be good for longer than a site's may.
    #[error("the token ends later than auth.identity_max_ttl_s allows")]
    LivesTooLong,
    /// It is no token of ours: its form, its issuer, its audience or one of its claims.
    #[error("the token is malformed")]
    Malformed,
}

impl Verifier {
    /// Accepts tokens of any key of the set.
    #[must_use]
    pub fn new(keys: &KeySet, config: &AuthConfig) -> Self {
        let mut ours = validation(config, &["exp", "nbf", "iss", "aud", "sub"]);
        ours.set_issuer(&[&config.issuer]);
        let sites = validation(config, &["exp", "aud", "sub"]);
        let longest_identity_s = config.identity_max_ttl_s.saturating_add(sites.leeway);
        let decoding = |key: &NamedKey| DecodingKey::from_secret(&key.secret);
        let site_keys = keys.identity().map(|key| (key.id.clone(), Key::Site(decoding(key))));
        // Ours come last: should a name come twice, it is not the site's.
        let keys = site_keys.chain(keys.iter().map(|key| (key.id.clone(), Key::Ours(decoding(key))))).collect();
        Self { rules: Arc::new(Rules { keys, ours, sites, longest_identity_s }) }
    }

    /// Says whose token it is.
    ///
    /// # Errors
    /// [`AuthError::Expired`] only for a token with a good signature; nothing forged is ever called expired.
    pub fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        let kid = key_name(token)?;
        let rules = &*self.rules;
        match rules.keys.get(&kid).ok_or(AuthError::UnknownKey)? {
            Key::Ours(key) => principal(claims::<Claims>(token, key, &rules.ours)?),
            Key::Site(key) => {
                let latest_end_s = now_s().saturating_add(rules.longest_identity_s);
                claims::<IdentityClaims>(token, key, &rules.sites)?.customer(latest_end_s)
            }
        }
    }
}

/// The name of the key that a token says it is signed with.
pub(super) fn key_name(token: &str) -> Result<String, AuthError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(AuthError::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::Malformed)?;
    // RFC 7515, section 4.1.11: what is critical and not understood must be refused. We understand no extension.
    if header.crit.is_some() || header.zip.is_some() || header.enc.is_some() {
        return Err(AuthError::Malformed);
    }
    header.kid.ok_or(AuthError::Malformed)
}

fn validation(config: &AuthConfig, required: &[&str]) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[&config.audience]);
    validation.set_required_spec_claims(required);
    validation.validate_nbf = true;
    validation.leeway = config.leeway_s.min(MAX_LEEWAY_S);
    validation
}

/// What a token says, if its signature, its times and what else the rules ask for are right.
pub(super) fn claims<C: DeserializeOwned>(token: &str, key: &DecodingKey, rules: &Validation) -> Result<C, AuthError> {
    jsonwebtoken::decode(token, key, rules).map(|data| data.claims).map_err(|error| classify(&error))
}

fn classify(error: &jsonwebtoken::errors::Error) -> AuthError {
    match error.kind() {
        ErrorKind::ExpiredSignature => AuthError::Expired,
        ErrorKind::ImmatureSignature => AuthError::NotYetValid,
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => AuthError::Forged,
        _ => AuthError::Malformed,
    }
}

fn principal(claims: Claims) -> Result<Principal, AuthError> {
    let named_well = claims.name.as_deref().is_none_or(|name| check_display_name(name).is_ok());
    if claims.sub.is_nil() || claims.jti.is_empty() || !named_well {
        return Err(AuthError::Malformed);
    }
    Ok(Principal {
        participant: ParticipantId(claims.sub),
        role: claims.role,
        display_name: claims.name,
        source: if claims.visitor && claims.role == Role::Customer {
            TokenSource::Visitor
        } else {
            TokenSource::Operator
        },
        expires_at_s: claims.exp,
    })
}
