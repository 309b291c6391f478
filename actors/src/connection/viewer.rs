//! Who wants to be brought up to date: a reader of this node, or one of another node.

use std::sync::Arc;

use onya_core::conversation::View;
use onya_core::{ConversationId, ParticipantId};
use onya_protocol::Synced;
use onya_protocol::peer::{Tag, ToEdge};

use super::subscriber::{Attempt, Subscriber};
use crate::relay::EdgeLink;

/// Somebody to be brought up to date.
#[derive(Clone, Debug)]
pub(crate) enum Viewer {
    /// A reader of this node, at this attempt.
    Here(Arc<Subscriber>, Attempt),
    /// A reader of another node, which answers to this tag.
    There {
        /// The way to the node.
        edge: Arc<EdgeLink>,
        /// Its name for the question.
        tag: Tag,
        /// The conversation.
        conversation: ConversationId,
        /// In which view.
        view: View,
        /// Who reads.
        reader: ParticipantId,
    },
}

impl Viewer {
    pub(crate) fn conversation(&self) -> ConversationId {
        match self {
            Self::Here(subscriber, _) => subscriber.conversation,
            Self::There { conversation, .. } => *conversation,
        }
    }

    pub(crate) fn view(&self) -> View {
        match self {
            Self::Here(subscriber, _) => subscriber.view,
            Self::There { view, .. } => *view,
        }
    }

    pub(crate) fn reader(&self) -> ParticipantId {
        match self {
            Self::Here(subscriber, _) => subscriber.reader,
            Self::There { reader, .. } => *reader,
        }
    }

    /// Shows where the conversation stands; what is published from now on continues it. Whether this node owns it matters to
    /// other nodes only.
    pub(crate) fn begin(&self, synced: Synced, owned: bool) {
        match self {
            Self::Here(subscriber, attempt) => subscriber.begin(*attempt, synced),
            Self::There { edge, tag, .. } => {
                edge.push(ToEdge::Standing { tag: *tag, synced, owned });
            }
        }
    }
}
