//! Somebody who has shown a valid token.

use std::fmt;
use std::str::FromStr;

use onya_core::{ParticipantId, conversation};
use serde::{Deserialize, Serialize};

/// What somebody is to this deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A visitor, with conversations of their own.
    Customer,
    /// A member of the team who answers.
    Agent,
    /// A member of the team who may also take conversations from others.
    Supervisor,
    /// Runs the deployment.
    Admin,
    /// Another program of the company.
    Service,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Customer, Self::Agent, Self::Supervisor, Self::Admin, Self::Service];

    /// The role as it stands in a token.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Supervisor => "supervisor",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// The role in a conversation; none for those who take part in no conversation.
    #[must_use]
    pub fn in_conversation(self) -> Option<conversation::Role> {
        match self {
            Self::Customer => Some(conversation::Role::Customer),
            Self::Agent => Some(conversation::Role::Agent),
            Self::Supervisor => Some(conversation::Role::Supervisor),
            Self::Admin | Self::Service => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a role: one of customer, agent, supervisor, admin, service")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(InvalidRole)
    }
}

/// Where somebody's token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// The server gave it to a visitor whom nobody knows.
    Visitor,
    /// The operator made it.
    Operator,
    /// The company's site signed it for a customer whom it knows.
    Site,
}

/// Somebody who has shown a valid token. Its `Debug` leaves the name out, so that it never reaches a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who it is.
    pub participant: ParticipantId,
    /// What they may be.
    pub role: Role,
    /// What others see them called, if they have said.
    pub display_name: Option<Box<str>>,
    /// Where their token comes from.
    pub source: TokenSource,
    /// End of the token, in seconds since 1970.
    pub expires_at_s: u64,
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("participant", &self.participant)
            .field("role", &self.role)
            .field("expires_at_s", &self.expires_at_s)
            .finish_non_exhaustive()
    }
}

/// A display name that is empty, too long or holds characters that would change the text around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a display name has 1 to 64 characters and no control or direction characters")]
pub struct InvalidName;

/// Checks a display name: it is shown to others, so it must not reorder or break their text.
pub(super) fn check_display_name(name: &str) -> Result<(), InvalidName> {
    let is_direction =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_broken = name.trim().is_empty() || name.chars().count() > 64;
    if is_broken || name.chars().any(|c| c.is_control() || is_direction(c)) { Err(InvalidName) } else { Ok(()) }
}
