//! The identifiers that commands, entries and frames carry.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Position of an entry in its conversation's log: 1, 2, 3 … without a gap. 0 means "before the first entry".
pub type Seq = u64;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    };
}

uuid_id! {
    /// A conversation, as a version 7 UUID: ordered by the time of its creation.
    ConversationId
}
uuid_id! {
    /// Somebody who takes part: a customer, an agent or a supervisor.
    ParticipantId
}
uuid_id! {
    /// One start of a process; every start has its own.
    Incarnation
}
uuid_id! {
    /// One stretch of time in which one agent has one conversation.
    AssignmentId
}

/// The sender's own name for a command that writes, unique per participant and conversation.
///
/// 1 to [`ClientMsgId::MAX_BYTES`] printable ASCII characters without spaces. Cheap to clone: a state holds many, and is cloned
/// with each append.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientMsgId(Arc<str>);

impl ClientMsgId {
    /// The longest identifier that is accepted, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Checks the form and wraps the text.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, InvalidClientMsgId> {
        let text = text.into();
        let well_formed =
            (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if well_formed { Ok(Self(text)) } else { Err(InvalidClientMsgId) }
    }

    /// The text as the sender wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A `client_msg_id` that is empty, too long or holds something but printable ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("client_msg_id must be 1 to 64 printable ASCII characters without spaces")]
pub struct InvalidClientMsgId;

impl TryFrom<String> for ClientMsgId {
    type Error = InvalidClientMsgId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<ClientMsgId> for String {
    fn from(id: ClientMsgId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for ClientMsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
