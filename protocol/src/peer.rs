//! Frames between nodes: an edge, which holds sockets, asks; an owner, which holds conversations, answers and shows.
//!
//! A link is dialed by the edge. Frames of one direction arrive in the order in which they were sent, or the link is
//! lost: then the edge registers again wherever the conversations are now, and sends again what was not answered. A
//! command keeps its `client_msg_id`, so that is safe.
//!
//! These are no public interface. Both ends name the versions they speak when a link is opened; unknown fields are
//! ignored, so a field that is added needs a default.

use std::sync::Arc;

use onya_core::conversation::{Ack, Request, View};
use onya_core::desk::Waiting;
use onya_core::{ConversationId, Incarnation, ParticipantId, Seq};
use serde::{Deserialize, Serialize};

use crate::entry::LogEntry;
use crate::server::{Cursor, Delta, Refusal, Reset, Synced, Typing};

/// The versions of these frames that are spoken, newest first: this one and the one before it.
pub const LINK_VERSIONS: &[u16] = &[2, 1];

/// The version from which on [`ToOwner::Digest`] may be sent.
pub const DIGEST_SINCE: u16 = 2;

/// The edge's name for something it asks: the answer carries it. Unique on one link.
pub type Tag = u64;

/// What an edge says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToOwner {
    /// A reader of the edge wants to be brought up to date, and the edge to hear what is published from now on.
    Watch {
        /// Answered by [`ToEdge::Standing`], [`ToEdge::NotShown`] or [`ToEdge::Elsewhere`].
        tag: Tag,
        /// The conversation.
        conversation: ConversationId,
        /// In which view.
        view: View,
        /// Who reads; in the customer's view it must be the conversation's own.
        reader: ParticipantId,
        /// What the reader has.
        cursor: Option<Cursor>,
    },
    /// No reader of the edge is left.
    Forget {
        /// The conversation.
        conversation: ConversationId,
    },
    /// A command.
    Submit {
        /// Answered by [`ToEdge::Outcome`] or [`ToEdge::Elsewhere`].
        tag: Tag,
        /// The conversation.
        conversation: ConversationId,
        /// What is asked, and by whom.
        request: Request,
        /// W3C trace context.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// Somebody at the edge is writing, or stopped.
    Typing(Typing),
    /// Every socket of the edge has been given what was published before [`ToEdge::Confirm`].
    Confirmed {
        /// Of that frame.
        tag: Tag,
    },
    /// How far the edge's readers are in conversations that, as it believes, are shown to them from here. For those that are
    /// not, or in which something was published that has not arrived, [`ToEdge::Moved`] is the answer. Since version 2.
    Digest {
        /// A conversation stands here once.
        reached: Vec<Reached>,
    },
}

/// How far the readers of an edge are in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The conversation.
    pub conversation: ConversationId,
    /// The newest position that all of them were brought to.
    pub seq: Seq,
}

/// What an owner says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToEdge {
    /// Brings a reader up to date. What is published after it, and nothing before, continues it.
    Standing {
        /// Of the question.
        tag: Tag,
        /// For the reader.
        synced: Synced,
        /// Whether this node owns the conversation, and is not only the one that should.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        owned: bool,
    },
    /// The reader is shown nothing.
    NotShown {
        /// Of the question.
        tag: Tag,
        /// Why.
        refusal: Refusal,
    },
    /// What became of a command.
    Outcome {
        /// Of the command.
        tag: Tag,
        /// The outcome.
        outcome: Outcome,
    },
    /// Not done: the conversation is not here.
    Elsewhere {
        /// Of the question or the command.
        tag: Tag,
        /// Who has it, as far as this node knows.
        owner: Option<Incarnation>,
    },
    /// A conversation has left this node, or the edge has missed something of it: nothing more is published to the edge until
    /// it has its readers brought up to date.
    Moved {
        /// The conversation.
        conversation: ConversationId,
        /// Who should have it now; maybe this node still.
        owner: Option<Incarnation>,
    },
    /// An entry, committed.
    Entry(EntryShown),
    /// More of the reply in progress.
    Delta(Delta),
    /// The reply starts again.
    Reset(Reset),
    /// Somebody is writing, or stopped.
    Typing(Typing),
    /// Asks for [`ToOwner::Confirmed`] once the sockets have been given all that was published before.
    Confirm {
        /// For the answer.
        tag: Tag,
    },
    /// The confirmation came too late: customers of this conversation must connect again, so that nothing that still
    /// waits for them is shown.
    CutCustomers {
        /// The conversation.
        conversation: ConversationId,
    },
    /// A customer waits for a person.
    Waits(Box<Waiting>),
    /// A customer waits no more.
    WaitsNoMore {
        /// The conversation.
        conversation: ConversationId,
    },
}

/// A committed entry in the views that the edge reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryShown {
    /// The conversation.
    pub conversation: ConversationId,
    /// The position.
    pub seq: Seq,
    /// As the customer sees it, if it does and the edge reads with the customer's eyes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Arc<LogEntry>>,
    /// As staff see it, if the edge reads with theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<Arc<LogEntry>>,
    /// Whether it opens a turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opens_turn: bool,
    /// The turn that it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_turn: Option<Seq>,
    /// Whether nothing that was said before may be shown any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erases: bool,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is stored.
    Stored(Ack),
    /// It is refused.
    Refused(Refusal),
}
