//! Search in what people and the model have said, for staff.
//!
//! Words are made here and compared there: `words.rs` takes a text or a query apart, the databases only look words up, and
//! `excerpt.rs` marks them in the text again. So both databases find the same, and no query reaches their syntax.
//!
//! An append does not touch the index. It leaves the conversation's `searched_seq` behind its `last_seq`, and a task of
//! each server catches up in small steps (`postgres/search.rs`, `sqlite/search.rs`): the same task, and the same way, for
//! what is said now, for what was stored before there was an index, and for what an older server writes beside this one.

mod excerpt;
pub(super) mod words;

use onya_actors::ports::{Hit, Place, Search, StoreError};
use onya_core::conversation::{Author, Event};
use onya_core::{ConversationId, Timestamp};
use uuid::Uuid;

use self::words::{Wanted, wanted};
use super::stored::{event, position};

/// Most different words of a query.
const MAX_QUERY_WORDS: usize = 16;
/// Conversations that are brought up to date in one step, if so many are behind. Small: a step works on a thread that serves,
/// and what it writes stands in the way of their appends for a moment.
pub const INDEX_STEP: usize = 64;
/// Texts of each of them.
pub(super) const STEP_TEXTS: i64 = 8;

/// The columns `conversation, seq, at, body`.
pub(super) type HitRow = (Uuid, i64, i64, String);
/// The columns `id, searched_seq, last_seq`.
pub(super) type BehindRow = (Uuid, i64, i64);
/// The columns `seq, at, body`.
pub(super) type TextRow = (i64, i64, String);

/// A query that has been taken apart.
#[derive(Debug)]
pub(super) struct Looked {
    words: Vec<Wanted>,
}

impl Looked {
    /// Refuses a query that nothing could be found by, or that is too long.
    pub(super) fn new(search: &Search) -> Result<Self, StoreError> {
        let words = wanted(&search.query);
        if words.is_empty() {
            return Err(StoreError::Refused("the query holds no word".to_owned()));
        }
        if words.len() > MAX_QUERY_WORDS {
            return Err(StoreError::Refused(format!("the query holds more than {MAX_QUERY_WORDS} different words")));
        }
        Ok(Self { words })
    }

    /// For Postgres: `'parcel':* & 'no'`. Words hold nothing that would have to be quoted inside the quotes.
    pub(super) fn tsquery(&self) -> String {
        self.joined(" & ", |Wanted { text, prefix }| format!("'{text}'{}", if *prefix { ":*" } else { "" }))
    }

    /// For FTS5: `"parcel"* AND "no"`.
    pub(super) fn fts5(&self) -> String {
        self.joined(" AND ", |Wanted { text, prefix }| format!("\"{text}\"{}", if *prefix { "*" } else { "" }))
    }

    fn joined(&self, with: &str, word: impl Fn(&Wanted) -> String) -> String {
        self.words.iter().map(word).collect::<Vec<_>>().join(with)
    }

    /// A row as a hit; `None` if its text is gone.
    pub(super) fn hit(&self, (conversation, seq, at, body): HitRow) -> Result<Option<Hit>, StoreError> {
        let event = event(&body)?;
        let Some((author, text)) = said(&event) else { return Ok(None) };
        let place = Place { at: Timestamp(at), conversation: ConversationId(conversation), seq: position(seq)? };
        let (author, excerpt) = (author.cloned(), excerpt::excerpt(text, &self.words));
        Ok(Some(Hit { place, author, excerpt }))
    }

    pub(super) fn hits(&self, rows: Vec<HitRow>) -> Result<Vec<Hit>, StoreError> {
        rows.into_iter().filter_map(|row| self.hit(row).transpose()).collect()
    }
}

/// What somebody said: a person, or the model (`None`).
fn said(event: &Event) -> Option<(Option<&Author>, &str)> {
    let (author, text) = match event {
        Event::MessageSaid { author, text } => (Some(author), text),
        Event::TurnEnded { text, .. } => (None, text),
        _ => return None,
    };
    (!text.is_empty()).then_some((author, text))
}

/// A text that becomes searchable.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Indexed {
    pub(super) at: i64,
    pub(super) conversation: Uuid,
    pub(super) seq: i64,
    pub(super) words: String,
}

/// How far a conversation gets in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advance {
    pub(super) conversation: Uuid,
    /// `searched_seq` as it was read.
    pub(super) before: i64,
    pub(super) reached: i64,
}

/// What a step does for one conversation: how far it gets, and the texts on the way.
pub(super) type Step = (Advance, Vec<Indexed>);

/// What a step does for one conversation, given the texts after its `searched_seq`.
pub(super) fn advance((conversation, before, last_seq): BehindRow, texts: Vec<TextRow>) -> Result<Step, StoreError> {
    let complete = i64::try_from(texts.len()).is_ok_and(|count| count < STEP_TEXTS);
    let reached = texts.last().filter(|_| !complete).map_or(last_seq, |(seq, ..)| *seq);
    let mut indexed = Vec::with_capacity(texts.len());
    for (seq, at, body) in texts {
        let event = event(&body)?;
        let words = said(&event).map(|(_, text)| words::indexed(text)).unwrap_or_default();
        if !words.is_empty() {
            indexed.push(Indexed { at, conversation, seq, words });
        }
    }
    Ok((Advance { conversation, before, reached }, indexed))
}
