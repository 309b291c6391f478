//! One reader of one conversation: turns what is published into the frames of its view, without a gap.
//!
//! A subscriber is registered first and synchronised after; what is published in between waits. From then on every
//! entry must follow the one before it. Should one ever be missing, the socket is closed rather than shown a hole. Text of
//! a reply is sent only while this reader has been shown that its turn is open: what waited is dropped if the standing
//! already holds the turn's end. Text that does not continue what this reader holds is not sent either: whoever was shown what is
//! stored, because the owner could not be asked, holds none of it, and is brought up to date again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onya_core::conversation::View;
use onya_core::{ConversationId, ParticipantId, Seq};
use onya_protocol::peer::{EntryShown, ToEdge};
use onya_protocol::{CloseCode, Cursor, Delta, LogEntry, Reset, ServerFrame, Synced, Typing};

use uuid::Uuid;

use super::queue::SendQueue;

/// What may wait for a subscriber that is being synchronised.
const MAX_WAITING: usize = 256;

/// Something published to the readers of a conversation.
#[derive(Clone, Debug)]
pub(crate) enum Published {
    /// An entry, committed.
    Entry(PublishedEntry),
    /// More of the reply in progress.
    Delta(Delta),
    /// The reply starts again.
    Reset(Reset),
    /// Somebody is writing.
    Typing(Typing),
    /// The customer's place in the queue.
    QueuePosition(usize),
}

impl Published {
    /// As another node is told, whose readers read in these views; `None` if it finds out by itself.
    pub(crate) fn for_edge(&self, conversation: ConversationId, customer: bool, staff: bool) -> Option<ToEdge> {
        Some(match self {
            Self::Entry(entry) => ToEdge::Entry(EntryShown {
                conversation,
                seq: entry.seq,
                customer: entry.customer.clone().filter(|_| customer),
                staff: entry.staff.clone().filter(|_| staff),
                opens_turn: entry.opens_turn,
                ends_turn: entry.ends_turn,
                erases: entry.erases,
            }),
            Self::Delta(delta) => ToEdge::Delta(delta.clone()),
            Self::Reset(reset) => ToEdge::Reset(reset.clone()),
            Self::Typing(typing) => ToEdge::Typing(typing.clone()),
            Self::QueuePosition(_) => return None,
        })
    }
}

impl From<EntryShown> for PublishedEntry {
    fn from(shown: EntryShown) -> Self {
        let EntryShown { seq, customer, staff, opens_turn, ends_turn, erases, .. } = shown;
        Self { seq, customer, staff, opens_turn, ends_turn, erases }
    }
}

/// A committed entry, in both views.
#[derive(Clone, Debug)]
pub(crate) struct PublishedEntry {
    pub(crate) seq: Seq,
    pub(crate) customer: Option<Arc<LogEntry>>,
    pub(crate) staff: Option<Arc<LogEntry>>,
    /// Whether this entry opens a turn.
    pub(crate) opens_turn: bool,
    /// The turn that this entry ends.
    pub(crate) ends_turn: Option<Seq>,
    /// Whether nothing that was said before may be shown any more.
    pub(crate) erases: bool,
}

/// One reader of one conversation.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) conversation: ConversationId,
    pub(crate) reader: ParticipantId,
    pub(crate) view: View,
    queue: Arc<SendQueue>,
    phase: Mutex<Phase>,
    /// Through which attachment of the conversation it was brought up to date; 0 is none.
    attachment: AtomicU64,
}

#[derive(Debug)]
enum Phase {
    Loading {
        attempt: Attempt,
        waiting: Vec<Published>,
    },
    Live(Place),
    /// It reads no more: an attempt that is still under way shows nothing.
    Over,
}

/// Which attempt at bringing a reader up to date: the answer to an earlier one is not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempt(u32);

/// How far a reader was brought.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: Seq,
    /// The turn that is open at that position.
    open_turn: Option<Seq>,
    /// The newest epoch and attempt of it that this reader has heard of: what belongs to an older one is not shown.
    reached: (u64, u32),
    /// How much of that attempt's text it holds, in bytes.
    held: u64,
    attempt: Attempt,
}

impl Place {
    /// Whether something of this turn, epoch and attempt may be shown; if so, nothing older may any more.
    fn reaches(&mut self, turn: Seq, reached: (u64, u32)) -> bool {
        let shows = self.open_turn == Some(turn) && reached >= self.reached;
        if shows && reached > self.reached {
            (self.reached, self.held) = (reached, 0);
        }
        shows
    }

    /// Whether text may be shown and continues what is held; if so, it is held from now on.
    fn continues(&mut self, delta: &Delta) -> bool {
        let shows = self.reaches(delta.turn, (delta.epoch, delta.attempt)) && delta.offset <= self.held;
        if shows {
            self.held = self.held.max(delta.offset + delta.text.len() as u64);
        }
        shows
    }

    /// A turn has been opened at this position.
    fn opened(&mut self, turn: Seq) {
        (self.open_turn, self.reached, self.held) = (Some(turn), (0, 0), 0);
    }
}

impl Subscriber {
    pub(crate) fn new(
        conversation: ConversationId,
        reader: ParticipantId,
        view: View,
        queue: Arc<SendQueue>,
    ) -> Arc<Self> {
        let phase = Mutex::new(Phase::Loading { attempt: Attempt::default(), waiting: Vec::new() });
        Arc::new(Self { conversation, reader, view, queue, phase, attachment: AtomicU64::new(0) })
    }

    /// Begins again: until [`Self::begin`] of this attempt, what is published waits.
    pub(crate) fn restart(&self) -> Attempt {
        let mut phase = self.lock();
        let attempt = match &*phase {
            Phase::Loading { attempt, .. } => Attempt(attempt.0.wrapping_add(1)),
            Phase::Live(place) => Attempt(place.attempt.0.wrapping_add(1)),
            Phase::Over => return Attempt::default(),
        };
        *phase = Phase::Loading { attempt, waiting: Vec::new() };
        attempt
    }

    /// Sends the standing and then what was published since it was taken; nothing if another attempt has begun since.
    pub(crate) fn begin(&self, begun: Attempt, synced: Synced) {
        let mut phase = self.lock();
        let waited = match &mut *phase {
            Phase::Loading { attempt, waiting } if *attempt == begun => std::mem::take(waiting),
            _ => return,
        };
        let open_turn = synced.turn.as_ref().map(|turn| turn.turn);
        let reached = synced.turn.as_ref().map_or((0, 0), |turn| (turn.epoch, turn.attempt));
        let held = synced.turn.as_ref().map_or(0, |turn| turn.text.len() as u64);
        *phase = Phase::Live(Place { position: synced.position, open_turn, reached, held, attempt: begun });
        // The standing brings the text so far; what waits before it would be continued before it.
        self.queue.withdraw(self.conversation, |_| true);
        self.queue.push(ServerFrame::Synced(synced));
        for published in waited {
            self.send(&mut phase, published);
        }
    }

    /// Nothing is sent any more.
    pub(crate) fn end(&self) {
        *self.lock() = Phase::Over;
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.lock(), Phase::Over)
    }

    /// Where the reader's copy ends, to go on from there; `None` while it is being synchronised.
    pub(crate) fn cursor(&self, history_epoch: Uuid) -> Option<Cursor> {
        self.position().map(|seq| Cursor { history_epoch, seq })
    }

    /// It is brought up to date through this attachment of its conversation.
    pub(crate) fn attached(&self, attachment: Option<u64>) {
        self.attachment.store(attachment.unwrap_or_default(), Ordering::Relaxed);
    }

    pub(crate) fn is_attached(&self, attachment: u64) -> bool {
        self.attachment.load(Ordering::Relaxed) == attachment
    }

    /// Whether it is brought up to date through this attachment, or is just being.
    pub(crate) fn hears(&self, attachment: Option<u64>) -> bool {
        attachment.is_some_and(|attachment| self.is_attached(attachment))
    }

    /// Asks for the reader's socket to be closed.
    pub(crate) fn close(&self, code: CloseCode) {
        self.queue.close(code);
    }

    pub(crate) fn publish(&self, published: Published) {
        let mut phase = self.lock();
        self.send(&mut phase, published);
    }

    /// The newest position this reader was brought to; `None` while it is being synchronised.
    pub(crate) fn position(&self) -> Option<Seq> {
        match &*self.lock() {
            Phase::Live(place) => Some(place.position),
            Phase::Loading { .. } | Phase::Over => None,
        }
    }

    fn send(&self, phase: &mut Phase, published: Published) {
        match phase {
            Phase::Loading { waiting, .. } if waiting.len() >= MAX_WAITING => {
                self.queue.close(CloseCode::InsufficientState);
            }
            Phase::Loading { waiting, .. } => waiting.push(published),
            Phase::Over => {}
            Phase::Live(place) => match published {
                Published::Entry(entry) => self.send_entry(place, entry),
                Published::Delta(delta) if place.continues(&delta) => self.queue.push_delta(delta),
                Published::Reset(reset) if place.reaches(reset.turn, (reset.epoch, reset.attempt)) => {
                    place.held = 0;
                    self.queue.withdraw(reset.conversation, |turn| turn == reset.turn);
                    self.queue.push(ServerFrame::Reset(reset));
                }
                Published::Delta(_) | Published::Reset(_) => {}
                Published::Typing(typing) => self.send_typing(typing),
                Published::QueuePosition(place) => self.send_place(place),
            },
        }
    }

    fn send_entry(&self, place: &mut Place, entry: PublishedEntry) {
        if entry.seq <= place.position {
            return;
        }
        if entry.seq != place.position + 1 {
            self.queue.close(CloseCode::InsufficientState);
            return;
        }
        place.position = entry.seq;
        if entry.opens_turn {
            place.opened(entry.seq);
        }
        if let Some(ended) = entry.ends_turn {
            place.open_turn = None;
            self.queue.withdraw(self.conversation, |turn| turn == ended);
        }
        if entry.erases {
            self.queue.redact(self.conversation);
        }
        let shown = match self.view {
            View::Customer => entry.customer,
            View::Staff => entry.staff,
        };
        if let Some(entry) = shown {
            self.queue.push(ServerFrame::Entry { conversation: self.conversation, entry });
        }
    }

    fn send_typing(&self, typing: Typing) {
        if typing.participant == self.reader {
            return;
        }
        let same = |frame: &ServerFrame| {
            matches!(frame, ServerFrame::Typing(waits)
                if waits.conversation == typing.conversation && waits.participant == typing.participant)
        };
        self.queue.push_newest(ServerFrame::Typing(typing.clone()), same);
    }

    fn send_place(&self, position: usize) {
        if self.view != View::Customer {
            return;
        }
        let conversation = self.conversation;
        self.queue.push_newest(
            ServerFrame::QueuePosition { conversation, position },
            |frame| matches!(frame, ServerFrame::QueuePosition { conversation: waits, .. } if *waits == conversation),
        );
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What brings a reader to position 3, for tests.
#[cfg(test)]
pub(crate) fn standing_at_3(turn: Option<onya_protocol::LiveTurn>) -> Synced {
    Synced {
        conversation: ConversationId(Uuid::nil()),
        history_epoch: Uuid::nil(),
        position: 3,
        recovered: true,
        reason: None,
        entries: Vec::new(),
        has_older: false,
        control: onya_protocol::Control::Assistant,
        control_version: 0,
        turn,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use onya_protocol::LiveTurn;

    use super::*;
    use crate::connection::SendQueueLimits;

    fn standing(text: &str) -> Synced {
        standing_at_3(Some(LiveTurn { turn: 3, epoch: 2, attempt: 1, text: text.to_owned() }))
    }

    fn delta(offset: u64, attempt: u32, text: &str) -> Published {
        let conversation = ConversationId(Uuid::nil());
        Published::Delta(Delta { conversation, turn: 3, epoch: 2, attempt, offset, text: text.to_owned() })
    }

    /// The texts that the reader is sent, those of standings included.
    fn sent(queue: &SendQueue) -> Vec<String> {
        let (frames, _) = queue.next().now_or_never().unwrap_or_default();
        let text = |frame| match frame {
            ServerFrame::Synced(synced) => synced.turn.map(|turn| turn.text),
            ServerFrame::Delta(delta) => Some(delta.text),
            _ => None,
        };
        frames.into_iter().filter_map(text).collect()
    }

    #[test]
    fn text_that_does_not_continue_what_a_reader_holds_is_not_sent() {
        let queue = Arc::new(SendQueue::new(SendQueueLimits { frames: 8, bytes: 8_192 }));
        let reader = Subscriber::new(
            ConversationId(Uuid::nil()),
            ParticipantId(Uuid::nil()),
            View::Customer,
            Arc::clone(&queue),
        );
        let begun = reader.restart();
        reader.publish(delta(6, 1, "there"));
        // What is stored: nothing of the text.
        reader.begin(begun, standing(""));
        reader.publish(delta(11, 1, "!"));
        assert_eq!(sent(&queue), [""]);
        // The owner's word.
        reader.begin(reader.restart(), standing("Hello there!"));
        reader.publish(delta(12, 1, " How"));
        assert_eq!(sent(&queue), ["Hello there!", " How"]);
        // Another attempt, of which the beginning is missing, and one that begins.
        reader.publish(delta(2, 2, "lo"));
        reader.publish(delta(0, 3, "Good"));
        reader.publish(delta(4, 3, " day"));
        assert_eq!(sent(&queue).concat(), "Good day");
    }
}
