//! Refusals: a rule said no, and nothing changed.

use crate::Seq;

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The sender takes no part in this conversation; told apart from an unknown conversation by nobody outside.
    #[error("no such conversation")]
    NotAParticipant,
    /// The sender's role may not do this.
    #[error("this role may not do that")]
    Forbidden,
    /// The conversation is closed.
    #[error("the conversation is closed")]
    Closed,
    /// Control is not, or no longer, what the sender has seen.
    #[error("control has changed: its version is {current}")]
    ControlChanged {
        /// The version now.
        current: u64,
    },
    /// The same `client_msg_id` was used for another command.
    #[error("this client_msg_id was used for another command, stored at {seq}")]
    IdConflict {
        /// Where the first one stands.
        seq: Seq,
    },
    /// The command that should stand before this one is unknown.
    #[error("the command named in `after` is not stored")]
    OutOfOrder,
    /// The text is empty, or holds NUL.
    #[error("the text is empty or holds a NUL character")]
    BadText,
    /// The text is longer than allowed.
    #[error("the text is longer than {max_bytes} bytes")]
    TooLarge {
        /// The limit, in bytes of UTF-8.
        max_bytes: usize,
    },
    /// The conversation has as many entries as one may have.
    #[error("the conversation has reached its length limit")]
    Full,
    /// There is nothing that this command could act on.
    #[error("nothing to do: {0}")]
    NothingToDo(&'static str),
}
