//! From a token to somebody.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use onya_core::ParticipantId;

use super::issuer::Claims;
use super::keys::KeySet;
use super::principal::{Principal, check_display_name};
use crate::config::AuthConfig;

/// Longest token that is looked at, in bytes; ours have about 450.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// Longest difference between clocks that is ever forgiven, in seconds.
const MAX_LEEWAY_S: u64 = 60;

/// Checks tokens. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    keys: Arc<BTreeMap<String, DecodingKey>>,
    validation: Arc<Validation>,
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
    /// It is no token of ours: its form, its issuer, its audience or one of its claims.
    #[error("the token is malformed")]
    Malformed,
}

impl Verifier {
    /// Accepts tokens of any key of the set.
    #[must_use]
    pub fn new(keys: &KeySet, config: &AuthConfig) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = config.leeway_s.min(MAX_LEEWAY_S);
        let keys = keys.iter().map(|key| (key.id.clone(), DecodingKey::from_secret(&key.secret)));
        Self { keys: Arc::new(keys.collect()), validation: Arc::new(validation) }
    }

    /// Says whose token it is.
    ///
    /// # Errors
    /// [`AuthError::Expired`] only for a token with a good signature; nothing forged is ever called expired.
    pub fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::Malformed)?;
        // RFC 7515, section 4.1.11: what is critical and not understood must be refused. We understand no extension.
        if header.crit.is_some() || header.zip.is_some() || header.enc.is_some() {
            return Err(AuthError::Malformed);
        }
        let kid = header.kid.ok_or(AuthError::Malformed)?;
        let key = self.keys.get(&kid).ok_or(AuthError::UnknownKey)?;
        let data = jsonwebtoken::decode::<Claims>(token, key, &self.validation).map_err(|error| classify(&error))?;
        principal(data.claims)
    }
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
        token_id: claims.jti,
        expires_at_s: claims.exp,
    })
}
