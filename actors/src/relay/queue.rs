//! What waits to be written to one link.
//!
//! Text of replies in progress and signs of typing are dropped while more than half of the room is taken: whoever reads
//! notices a gap in the text by its offset and asks again. Nothing else is dropped; when there is no room at all, the link
//! is closed, and the edge registers again and gets what it lacks.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::task::AtomicWaker;
use onya_protocol::peer::{Outcome, ToEdge, ToOwner};

/// Bytes that may wait for one link; a node that stands still is cut off before its neighbours run out of memory.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// What a frame counts for, beside its text.
const FLAT_BYTES: usize = 192;

/// A frame of a link.
pub(crate) trait LinkFrame: Send {
    /// Bytes of text in it.
    fn text_bytes(&self) -> usize;
    /// Whether it may be dropped when the other side is slow.
    fn is_droppable(&self) -> bool;
}

impl LinkFrame for ToOwner {
    fn text_bytes(&self) -> usize {
        match self {
            Self::Submit { request, .. } => crate::conversation::text_bytes(&request.action),
            Self::Digest { reached } => size_of_val(reached.as_slice()),
            _ => 0,
        }
    }

    fn is_droppable(&self) -> bool {
        // There will be another digest.
        matches!(self, Self::Typing(_) | Self::Digest { .. })
    }
}

impl LinkFrame for ToEdge {
    fn text_bytes(&self) -> usize {
        match self {
            Self::Delta(delta) => delta.text.len(),
            Self::Entry(shown) => {
                let views = [&shown.customer, &shown.staff];
                views.into_iter().flatten().map(|entry| entry.text_bytes()).sum()
            }
            Self::Standing { synced, .. } => {
                let turn = synced.turn.as_ref().map_or(0, |turn| turn.text.len());
                synced.entries.iter().map(|entry| FLAT_BYTES + entry.text_bytes()).sum::<usize>() + turn
            }
            Self::Outcome { outcome: Outcome::Refused(refusal), .. } => refusal.message.len(),
            _ => 0,
        }
    }

    fn is_droppable(&self) -> bool {
        matches!(self, Self::Delta(_) | Self::Typing(_))
    }
}

/// The frames that wait for one link.
#[derive(Debug)]
pub(crate) struct LinkQueue<F> {
    waiting: Mutex<Waiting<F>>,
    writer: AtomicWaker,
}

#[derive(Debug)]
struct Waiting<F> {
    frames: VecDeque<F>,
    bytes: usize,
    closed: bool,
}

impl<F: LinkFrame> LinkQueue<F> {
    pub(crate) fn new() -> Self {
        let waiting = Waiting { frames: VecDeque::new(), bytes: 0, closed: false };
        Self { waiting: Mutex::new(waiting), writer: AtomicWaker::new() }
    }

    /// Adds a frame; whether it will be written unless the link breaks.
    pub(crate) fn push(&self, frame: F) -> bool {
        let mut waiting = self.lock();
        if waiting.closed {
            return false;
        }
        let bytes = FLAT_BYTES + frame.text_bytes();
        if frame.is_droppable() && waiting.bytes + bytes > MAX_BYTES / 2 {
            metrics::counter!("onya_link_frames_dropped_total").increment(1);
            return false;
        }
        if waiting.bytes + bytes > MAX_BYTES {
            tracing::warn!("a link is closed: the node at its other end does not keep up");
            waiting.close();
        } else {
            waiting.bytes += bytes;
            waiting.frames.push_back(frame);
        }
        let kept = !waiting.closed;
        drop(waiting);
        self.writer.wake();
        kept
    }

    /// Closes the link; nothing of what waits is written.
    pub(crate) fn close(&self) {
        self.lock().close();
        self.writer.wake();
    }

    /// Waits for frames and takes all there are; `None` once closed. One task may wait at a time; cancel safe.
    pub(crate) async fn next(&self) -> Option<VecDeque<F>> {
        poll_fn(|context| {
            let taken = self.take().or_else(|| {
                self.writer.register(context.waker());
                // What was added in between woke nobody.
                self.take()
            });
            taken.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn take(&self) -> Option<Option<VecDeque<F>>> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Some(None);
        }
        waiting.bytes = 0;
        let frames = std::mem::take(&mut waiting.frames);
        (!frames.is_empty()).then_some(Some(frames))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<F>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Waiting<F> {
    fn close(&mut self) {
        self.closed = true;
        self.frames.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use onya_core::ConversationId;
    use onya_protocol::Delta;
    use uuid::Uuid;

    use super::*;

    fn delta(bytes: usize) -> ToEdge {
        let conversation = ConversationId(Uuid::nil());
        ToEdge::Delta(Delta { conversation, turn: 3, epoch: 1, attempt: 1, offset: 0, text: "x".repeat(bytes) })
    }

    fn moved() -> ToEdge {
        ToEdge::Moved { conversation: ConversationId(Uuid::nil()), owner: None }
    }

    #[tokio::test]
    async fn frames_come_out_in_their_order() {
        let queue = LinkQueue::new();
        assert!(queue.push(delta(1)) && queue.push(moved()));
        assert_eq!(queue.next().await.unwrap(), [delta(1), moved()]);
    }

    #[tokio::test]
    async fn a_slow_node_misses_text_and_nothing_else() {
        let queue = LinkQueue::new();
        assert!(queue.push(delta(MAX_BYTES / 2 - 2 * FLAT_BYTES)));
        assert!(!queue.push(delta(FLAT_BYTES)));
        assert!(queue.push(moved()));
        assert_eq!(queue.next().await.unwrap().len(), 2);
        assert!(queue.push(delta(FLAT_BYTES)), "there is room again");
    }

    #[tokio::test]
    async fn a_link_without_room_is_closed() {
        let queue = LinkQueue::new();
        while queue.push(moved()) {}
        assert_eq!(queue.next().await, None);
        assert!(!queue.push(moved()));
    }
}
