//! Search in what was said.

use onya_core::conversation::Author;
use onya_core::{ConversationId, Seq, Timestamp};

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Words, in any case and with or without accents. A text is a hit if it holds all of them.
    pub query: String,
    /// Go on with what was said before this.
    pub before: Option<Place>,
    /// At most so many hits, 1 to 200.
    pub limit: usize,
}

/// Where something was said; ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When.
    pub at: Timestamp,
    /// In which conversation.
    pub conversation: ConversationId,
    /// At which position of its log.
    pub seq: Seq,
}

/// A message or a reply that holds what is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Where it was said.
    pub place: Place,
    /// By whom; `None` if it is a reply of the assistant.
    pub author: Option<Author>,
    /// The part of the text around the first hit.
    pub excerpt: Vec<Piece>,
}

/// Part of an excerpt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text, as it was written.
    pub text: String,
    /// Whether it is what was looked for.
    pub hit: bool,
}
