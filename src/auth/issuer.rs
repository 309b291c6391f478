//! From a role to a token.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use onya_core::ParticipantId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::KeySet;
use super::principal::{InvalidName, Principal, Role, TokenSource, check_display_name};
use crate::config::AuthConfig;

/// What a token says.
#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) sub: Uuid,
    pub(super) role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Box<str>>,
    /// Given to a visitor by the server itself: only such a token may be renewed by whoever holds it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) visitor: bool,
    pub(super) jti: Box<str>,
    pub(super) iat: u64,
    pub(super) nbf: u64,
    pub(super) exp: u64,
}

/// Signs tokens.
pub struct Issuer {
    header: Header,
    key: EncodingKey,
    issuer: String,
    audience: String,
    customer_token_ttl_s: u64,
    staff_token_ttl_s: u64,
}

/// What a token is to say.
#[derive(Clone, Debug)]
pub struct Grant {
    /// For whom it is.
    pub participant: ParticipantId,
    /// What they are.
    pub role: Role,
    /// What others see them called.
    pub display_name: Option<String>,
    /// Its life in seconds; none: as the configuration says for the role.
    pub ttl_s: Option<u64>,
}

/// A token, ready to be handed over. It has no `Debug`: whoever has the text is whom it names.
pub struct IssuedToken {
    /// The token itself.
    pub token: String,
    /// For whom it is.
    pub participant: ParticipantId,
    /// Its end, in seconds since 1970.
    pub expires_at_s: u64,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The display name is not allowed.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// It is no token that the server gave to a visitor.
    #[error("only a visitor's token is renewed here: whoever made this one makes the next")]
    NotRenewable,
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

impl Issuer {
    /// Signs with the first key of the set.
    #[must_use]
    pub fn new(keys: &KeySet, config: &AuthConfig) -> Self {
        let signing = keys.signing();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(signing.id.clone());
        Self {
            header,
            key: EncodingKey::from_secret(&signing.secret),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            customer_token_ttl_s: config.customer_token_ttl_s,
            staff_token_ttl_s: config.staff_token_ttl_s,
        }
    }

    /// A token for a visitor who has none yet: a new participant without a name.
    ///
    /// # Errors
    /// When the token cannot be signed.
    pub fn anonymous_customer(&self) -> Result<IssuedToken, IssueError> {
        self.visitor(ParticipantId(Uuid::now_v7()))
    }

    /// Another token for the same visitor, with a new end. The one before stays good until its own end.
    ///
    /// # Errors
    /// [`IssueError::NotRenewable`] for everybody else, or when the token cannot be signed.
    pub fn renew(&self, holder: &Principal) -> Result<IssuedToken, IssueError> {
        if holder.source != TokenSource::Visitor {
            return Err(IssueError::NotRenewable);
        }
        self.visitor(holder.participant)
    }

    fn visitor(&self, participant: ParticipantId) -> Result<IssuedToken, IssueError> {
        self.sign(Grant { participant, role: Role::Customer, display_name: None, ttl_s: None }, true)
    }

    /// A token for a member of the team, with the configured life.
    ///
    /// # Errors
    /// When the name is not allowed or the token cannot be signed.
    pub fn staff(&self, participant: ParticipantId, role: Role, name: &str) -> Result<IssuedToken, IssueError> {
        self.issue(Grant { participant, role, display_name: Some(name.to_owned()), ttl_s: None })
    }

    /// A token that says exactly this.
    ///
    /// # Errors
    /// When the name is not allowed or the token cannot be signed.
    pub fn issue(&self, grant: Grant) -> Result<IssuedToken, IssueError> {
        self.sign(grant, false)
    }

    fn sign(&self, grant: Grant, visitor: bool) -> Result<IssuedToken, IssueError> {
        grant.display_name.as_deref().map_or(Ok(()), check_display_name)?;
        let configured = if grant.role == Role::Customer { self.customer_token_ttl_s } else { self.staff_token_ttl_s };
        let now = now_s();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: grant.participant.0,
            role: grant.role,
            name: grant.display_name.map(String::into_boxed_str),
            visitor,
            jti: Uuid::now_v7().simple().to_string().into_boxed_str(),
            iat: now,
            nbf: now,
            exp: now.saturating_add(grant.ttl_s.unwrap_or(configured)),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.key)?;
        Ok(IssuedToken { token, participant: grant.participant, expires_at_s: claims.exp })
    }
}

/// Seconds since 1970. A clock before that makes tokens that begin and end in 1970: nobody accepts them.
pub(super) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
