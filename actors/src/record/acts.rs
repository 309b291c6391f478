//! The acts that are put on record here. Their details are numbers and words of the program, never what somebody wrote.

use onya_core::conversation::{Actor as Person, Role};
use onya_core::{ConversationId, ParticipantId, Seq, Timestamp};
use onya_protocol::ErrorCode;

use crate::ports::Act;

pub(crate) const LOGGED_IN: &str = "logged_in";
pub(crate) const TOKEN_MADE: &str = "token_made";
pub(crate) const REFUSED: &str = "refused";
pub(crate) const NOT_RECORDED: &str = "not_recorded";
const READ: &str = "read";
const EXPORTED: &str = "exported";

/// What somebody of the staff looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// The row of a conversation.
    AtConversation(ConversationId),
    /// A conversation from now on, on a socket.
    Live(ConversationId),
    /// Entries of a conversation, from the first to the last position shown.
    AtEntries(ConversationId, Seq, Seq),
    /// A whole conversation as a document in this format, to be taken away.
    AtTranscript(ConversationId, &'static str),
    /// The list of open conversations, so many of them.
    AtList(usize),
    /// The queue of customers who wait.
    AtQueue,
    /// The results of a search, so many of them.
    AtResults(usize),
}

/// What was refused because of who asked.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Who and in which role, if a token said so.
    pub who: Option<(ParticipantId, &'a str)>,
    /// Where, as the route is written in the program.
    pub route: &'a str,
    /// Which conversation, if one was named.
    pub conversation: Option<ConversationId>,
    /// With which code.
    pub code: ErrorCode,
}

/// An act of a person, without more to say.
pub(crate) fn act(at: Timestamp, (id, role): (ParticipantId, &str), action: &'static str) -> Act {
    Act {
        at,
        actor: id.0.to_string(),
        actor_role: role.to_owned(),
        action,
        conversation: None,
        detail: "{}".to_owned(),
    }
}

impl Looked {
    pub(crate) fn act(self, at: Timestamp, who: &Person) -> Act {
        let (conversation, detail) = match self {
            Self::AtConversation(id) => (Some(id), r#"{"what":"conversation"}"#.to_owned()),
            Self::Live(id) => (Some(id), r#"{"what":"live"}"#.to_owned()),
            Self::AtEntries(id, first, last) => {
                (Some(id), format!(r#"{{"what":"entries","first":{first},"last":{last}}}"#))
            }
            Self::AtTranscript(id, format) => (Some(id), format!(r#"{{"what":"transcript","format":"{format}"}}"#)),
            Self::AtList(count) => (None, format!(r#"{{"what":"list","count":{count}}}"#)),
            Self::AtQueue => (None, r#"{"what":"queue"}"#.to_owned()),
            Self::AtResults(count) => (None, format!(r#"{{"what":"search","count":{count}}}"#)),
        };
        let action = if matches!(self, Self::AtTranscript(..)) { EXPORTED } else { READ };
        Act { conversation, detail, ..act(at, (who.id, role_name(who.role)), action) }
    }
}

impl Refused<'_> {
    pub(crate) fn act(&self, at: Timestamp) -> Act {
        // A route is written by us, but a quotation mark in one must not break the object.
        let route: String = self.route.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
        let detail = format!(r#"{{"route":"{route}","code":"{}"}}"#, self.code);
        let by = self.who.map_or_else(
            || Act {
                at,
                actor: String::new(),
                actor_role: "unknown".to_owned(),
                action: REFUSED,
                conversation: None,
                detail: String::new(),
            },
            |who| act(at, who, REFUSED),
        );
        Act { conversation: self.conversation, detail, ..by }
    }
}

/// An act of the program: so many could not be put on record one by one.
pub(crate) fn not_recorded(at: Timestamp, (refusals, log_ins): (u64, u64)) -> Act {
    Act {
        at,
        actor: "onya".to_owned(),
        actor_role: "program".to_owned(),
        action: NOT_RECORDED,
        conversation: None,
        detail: format!(r#"{{"refusals":{refusals},"log_ins":{log_ins}}}"#),
    }
}

/// The role as it stands in tokens.
pub(crate) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Agent => "agent",
        Role::Supervisor => "supervisor",
    }
}
