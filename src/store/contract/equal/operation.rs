//! What is asked, in words that every store understands, and what it answers.

use onya_actors::ports::{
    Closed, CustomerConversation, Due, Forsaken, LegalHold, NewConversation, Opening, Page, StoreError, Summary, Tail,
    TailLimit,
};
use onya_core::conversation::{Entry, Head, KnownKey, Snapshot, State};
use onya_core::desk::Waiting;
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Seq, Timestamp};
use uuid::Uuid;

/// An operation, and which start of a node asks for it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) by: usize,
    pub(super) what: Operation,
}

/// Who a start is.
pub(super) fn incarnation(start: usize) -> Uuid {
    Uuid::from_u128(1 + start as u128)
}

#[derive(Debug)]
pub(super) enum Operation {
    Write(Box<Write>),
    Read(Read),
}

#[derive(Debug)]
pub(super) enum Write {
    Register { name: String },
    Open(NewConversation),
    Claim(ConversationId, TailLimit),
    Reclaim(ConversationId, TailLimit),
    Release(Vec<(ConversationId, Right)>),
    ReleaseIdle(ConversationId),
    Retire,
    Append(Vec<Draft>),
    Erase(Draft),
    RecordCrash(ConversationId, Timestamp, u64),
    PlaceHold(LegalHold),
    LiftHold(ParticipantId),
    ScheduleRetention(Option<u64>, Option<Closed>, usize),
}

#[derive(Debug)]
pub(super) enum Read {
    KnownKeys(ConversationId, ParticipantId, Vec<ClientMsgId>),
    Tail(ConversationId, TailLimit),
    Page(ConversationId, Page),
    Summary(ConversationId),
    OpenConversationOf(ParticipantId),
    OpenConversations(Option<ConversationId>, usize),
    Due(Timestamp, usize),
    Forsaken(Vec<ParticipantId>, usize),
    Waiting,
    ConversationsOf(ParticipantId, Option<ConversationId>, usize),
    Hold(ParticipantId),
}

/// A fence; its nonce is the one that was seen as the so-manieth. The first, 0, is of nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) epoch: u64,
    pub(super) nonce: usize,
}

/// An append.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Which of the beliefs it was made from.
    pub(super) belief: usize,
    /// What is wrong with it.
    pub(super) spoiled: &'static str,
    pub(super) conversation: ConversationId,
    pub(super) right: Right,
    pub(super) expected_seq: Seq,
    /// The link that was seen as the so-manieth. The first, 0, is the one before any entry.
    pub(super) previous: usize,
    pub(super) entries: Vec<Entry>,
    pub(super) head: Head,
    pub(super) snapshot: Option<Box<Snapshot>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Failed(&'static str),
    Opening(Opening),
    Owned(Box<Owned>),
    OwnedByOther(Uuid),
    Free,
    NotFound,
    Outcomes(Vec<Outcome>),
    Count(u32),
    Whether(bool),
    Closed(Option<Closed>),
    Keys(Vec<KnownKey>),
    Entries(Vec<Entry>),
    Tail(Option<Tail>),
    Summary(Option<Summary>),
    Conversation(Option<ConversationId>),
    Summaries(Vec<Summary>),
    Due(Vec<Due>),
    Forsaken(Vec<Forsaken>),
    Waiting(Vec<Waiting>),
    Conversations(Vec<CustomerConversation>),
    Hold(Option<LegalHold>),
}

/// A conversation as loaded under a claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) right: Right,
    pub(super) link: usize,
    pub(super) state: State,
    pub(super) tail: Vec<Entry>,
    pub(super) recent_crashes: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With the number of the link at its end.
    Accepted(usize),
    Fenced,
    Repeated(KnownKey),
    Locked,
    Poisoned,
    OnHold,
}

/// The answer, or what kind of error it is.
pub(super) fn answer<T>(result: Result<T, StoreError>, of: impl FnOnce(T) -> Answer) -> Answer {
    match result {
        Ok(value) => of(value),
        Err(StoreError::Unavailable(_)) => Answer::Failed("unavailable"),
        Err(StoreError::Unknown(_)) => Answer::Failed("unknown"),
        Err(StoreError::Refused(_)) => Answer::Failed("refused"),
        Err(StoreError::Corrupt(_)) => Answer::Failed("corrupt"),
    }
}
