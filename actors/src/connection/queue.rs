//! What waits to be written to one socket.
//!
//! | frame | when the reader is slow |
//! |---|---|
//! | committed, acks, refusals | kept; when the queue is full the socket is closed as a slow consumer, never a frame dropped |
//! | deltas | merged with the one that waits; gone when the committed text of the turn is queued |
//! | typing, queue, position in the queue, ping | the newest replaces the one that waits |
//!
//! A delta that finds nothing before it takes the [`ShortCut`]: it is written where it is published, and the socket's task
//! sleeps on.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use futures::task::AtomicWaker;
use onya_core::{ConversationId, Seq};
use onya_protocol::{CloseCode, Delta, ServerFrame};

/// Bounds of a send queue; the first that is reached closes the socket.
#[derive(Clone, Copy, Debug)]
pub struct SendQueueLimits {
    /// Frames that may wait.
    pub frames: usize,
    /// Bytes of text that may wait.
    pub bytes: usize,
}

/// Writes a frame at once, past the queue.
pub trait ShortCut: Send + Sync + fmt::Debug {
    /// Writes the frame if that is possible without waiting.
    fn write_now(&self, frame: &ServerFrame) -> Written;
}

/// What a [`ShortCut`] did with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Nothing of it is written: it must go through the queue.
    Nothing,
    /// All of it is.
    Whole,
    /// The beginning is; the rest goes out with the next flush, before anything else.
    Begun,
}

/// The frames that wait for one socket, and why it should be closed, if it should.
#[derive(Debug)]
pub struct SendQueue {
    waiting: Mutex<Waiting>,
    reader: AtomicWaker,
    limits: SendQueueLimits,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<ServerFrame>,
    bytes: usize,
    closing: Option<CloseCode>,
    short_cut: Option<Weak<dyn ShortCut>>,
    /// Frames were handed over, and are perhaps not written yet.
    handed_over: bool,
    /// A frame is begun, and its rest must be flushed.
    begun: bool,
}

impl SendQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: SendQueueLimits) -> Self {
        Self { waiting: Mutex::default(), reader: AtomicWaker::new(), limits }
    }

    /// Adds a frame that must arrive.
    pub fn push(&self, frame: ServerFrame) {
        self.change(|waiting| waiting.append(frame));
    }

    /// Adds a frame of which only the newest counts; `same` finds the older one.
    pub(crate) fn push_newest(&self, frame: ServerFrame, same: impl Fn(&ServerFrame) -> bool) {
        self.change(|waiting| match waiting.frames.iter_mut().find(|waits| same(waits)) {
            Some(older) => *older = frame,
            None => waiting.append(frame),
        });
    }

    /// From now on a delta that finds nothing before it may be written this way.
    pub fn open_short_cut(&self, short_cut: Weak<dyn ShortCut>) {
        self.lock().short_cut = Some(short_cut);
    }

    /// Writes text of a reply in progress, or adds it to what waits of it.
    pub(crate) fn push_delta(&self, delta: Delta) {
        let mut waiting = self.lock();
        let frame = ServerFrame::Delta(delta);
        match waiting.write_now(&frame) {
            Written::Nothing => self.changed(waiting, |waiting| waiting.append_text(frame)),
            Written::Whole => {}
            Written::Begun => {
                waiting.begun = true;
                drop(waiting);
                self.reader.wake();
            }
        }
    }

    /// Takes back what waits of these replies: their committed text, a new attempt or a standing replaces it.
    pub(crate) fn withdraw(&self, conversation: ConversationId, is_meant: impl Fn(Seq) -> bool) {
        let mut waiting = self.lock();
        let withdrawn = |frame: &ServerFrame| matches!(frame, ServerFrame::Delta(delta) if delta.conversation == conversation && is_meant(delta.turn));
        let freed: usize = waiting.frames.iter().filter(|frame| withdrawn(frame)).map(size).sum();
        waiting.frames.retain(|frame| !withdrawn(frame));
        waiting.bytes -= freed;
    }

    /// Takes the texts out of what waits of a conversation that is erased.
    pub(crate) fn redact(&self, conversation: ConversationId) {
        let mut waiting = self.lock();
        for frame in &mut waiting.frames {
            match frame {
                ServerFrame::Entry { conversation: of, entry } if *of == conversation => {
                    *entry = Arc::new(entry.redacted());
                }
                ServerFrame::Synced(synced) if synced.conversation == conversation => {
                    synced.entries = synced.entries.iter().map(|entry| Arc::new(entry.redacted())).collect();
                    synced.turn = None;
                }
                _ => {}
            }
        }
        waiting.bytes = waiting.frames.iter().map(size).sum();
    }

    /// Asks for the socket to be closed. What waits is written first, unless the reader is too slow for it.
    pub fn close(&self, code: CloseCode) {
        self.lock().closing.get_or_insert(code);
        self.reader.wake();
    }

    /// Waits until there is something to write or to flush and hands all of it over, with the code to close the socket with
    /// after writing it, if it should be closed. Whoever asks again has written and flushed what was handed over before. An
    /// idle queue keeps no memory for frames. One task may wait at a time; cancel safe.
    pub async fn next(&self) -> (VecDeque<ServerFrame>, Option<CloseCode>) {
        poll_fn(|context| {
            let taken = self.take().or_else(|| {
                self.reader.register(context.waker());
                // What was added in between woke nobody.
                self.take()
            });
            taken.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn take(&self) -> Option<(VecDeque<ServerFrame>, Option<CloseCode>)> {
        let mut waiting = self.lock();
        let anything = !waiting.frames.is_empty() || waiting.begun || waiting.closing.is_some();
        waiting.handed_over = anything;
        anything.then(|| {
            (waiting.bytes, waiting.begun) = (0, false);
            (std::mem::take(&mut waiting.frames), waiting.closing)
        })
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        self.changed(self.lock(), change);
    }

    fn changed(&self, mut waiting: MutexGuard<'_, Waiting>, change: impl FnOnce(&mut Waiting)) {
        if waiting.closing.is_some() {
            return;
        }
        change(&mut waiting);
        if waiting.frames.len() > self.limits.frames || waiting.bytes > self.limits.bytes {
            waiting.closing = Some(CloseCode::SlowConsumer);
            waiting.frames.clear();
            waiting.bytes = 0;
            metrics::counter!("onya_slow_consumers_total").increment(1);
        }
        drop(waiting);
        self.reader.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn append(&mut self, frame: ServerFrame) {
        self.bytes += size(&frame);
        self.frames.push_back(frame);
    }

    /// Adds a delta to the one that waits before it, if one does.
    fn append_text(&mut self, frame: ServerFrame) {
        if let ServerFrame::Delta(delta) = &frame
            && let Some(text) = self.frames.iter_mut().rev().find_map(|waits| continued_by(waits, delta))
        {
            text.push_str(&delta.text);
            self.bytes += delta.text.len();
        } else {
            self.append(frame);
        }
    }

    /// Takes the short cut if there is one and nothing would be overtaken.
    fn write_now(&self, frame: &ServerFrame) -> Written {
        let idle = self.frames.is_empty() && !self.handed_over && !self.begun && self.closing.is_none();
        let short_cut = self.short_cut.as_ref().filter(|_| idle).and_then(Weak::upgrade);
        short_cut.map_or(Written::Nothing, |short_cut| short_cut.write_now(frame))
    }
}

/// The text that `delta` continues, if the frame is the one that waits before it.
fn continued_by<'a>(frame: &'a mut ServerFrame, delta: &Delta) -> Option<&'a mut String> {
    match frame {
        ServerFrame::Delta(waits)
            if waits.conversation == delta.conversation
                && (waits.turn, waits.epoch, waits.attempt) == (delta.turn, delta.epoch, delta.attempt)
                && waits.offset + waits.text.len() as u64 == delta.offset =>
        {
            Some(&mut waits.text)
        }
        _ => None,
    }
}

/// The bytes a frame counts for: its text, and a flat share for the rest.
fn size(frame: &ServerFrame) -> usize {
    const FLAT_BYTES: usize = 128;
    let entry_text = |entry: &onya_protocol::LogEntry| FLAT_BYTES + entry.text_bytes();
    match frame {
        ServerFrame::Delta(delta) => delta.text.len(),
        ServerFrame::Entry { entry, .. } => entry_text(entry),
        ServerFrame::Synced(synced) => synced.entries.iter().map(|entry| entry_text(entry)).sum(),
        _ => FLAT_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    const LIMITS: SendQueueLimits = SendQueueLimits { frames: 4, bytes: 1_000 };

    fn delta(offset: u64, text: &str) -> Delta {
        Delta { conversation: ConversationId(Uuid::nil()), turn: 3, epoch: 1, attempt: 1, offset, text: text.into() }
    }

    fn text(offset: u64, text: &str) -> ServerFrame {
        ServerFrame::Delta(delta(offset, text))
    }

    async fn drain(queue: &SendQueue) -> (Vec<ServerFrame>, Option<CloseCode>) {
        let (frames, code) = queue.next().await;
        (frames.into(), code)
    }

    #[tokio::test]
    async fn deltas_that_wait_are_merged_into_one() {
        let queue = SendQueue::new(LIMITS);
        queue.push_delta(delta(0, "Hel"));
        queue.push(ServerFrame::Pong {});
        queue.push_delta(delta(3, "lo"));
        let (frames, code) = drain(&queue).await;
        assert_eq!(frames, [ServerFrame::Delta(delta(0, "Hello")), ServerFrame::Pong {}]);
        assert_eq!(code, None);
    }

    /// Takes so many frames, the last of them in part.
    #[derive(Debug)]
    struct Line {
        room: Mutex<usize>,
        written: Mutex<Vec<ServerFrame>>,
    }

    impl ShortCut for Line {
        fn write_now(&self, frame: &ServerFrame) -> Written {
            let mut room = self.room.lock().unwrap();
            let Some(left) = room.checked_sub(1) else { return Written::Nothing };
            *room = left;
            self.written.lock().unwrap().push(frame.clone());
            if left == 0 { Written::Begun } else { Written::Whole }
        }
    }

    fn line(queue: &SendQueue, room: usize) -> Arc<Line> {
        let line = Arc::new(Line { room: Mutex::new(room), written: Mutex::default() });
        let short_cut: Arc<dyn ShortCut> = Arc::clone(&line) as _;
        queue.open_short_cut(Arc::downgrade(&short_cut));
        line
    }

    #[tokio::test]
    async fn a_delta_that_finds_nothing_before_it_takes_the_short_cut_and_one_that_does_waits() {
        let queue = SendQueue::new(LIMITS);
        let line = line(&queue, 10);
        queue.push_delta(delta(0, "a"));
        queue.push(ServerFrame::Pong {});
        queue.push_delta(delta(1, "b"));
        assert_eq!(*line.written.lock().unwrap(), [text(0, "a")]);
        // Handed over is not written: whoever asks again has written it.
        assert_eq!(drain(&queue).await.0, [ServerFrame::Pong {}, text(1, "b")]);
        queue.push_delta(delta(2, "c"));
        assert_eq!(line.written.lock().unwrap().len(), 1);
        assert_eq!(drain(&queue).await.0, [text(2, "c")]);
        assert!(queue.next().now_or_never().is_none());
        queue.push_delta(delta(3, "d"));
        assert_eq!(*line.written.lock().unwrap(), [text(0, "a"), text(3, "d")]);
        queue.close(CloseCode::Shutdown);
        queue.push_delta(delta(4, "e"));
        assert_eq!(line.written.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_frame_that_is_begun_is_flushed_before_another_takes_the_short_cut() {
        let queue = SendQueue::new(LIMITS);
        let line = line(&queue, 1);
        queue.push_delta(delta(0, "a"));
        *line.room.lock().unwrap() = 10;
        queue.push_delta(delta(1, "b"));
        assert_eq!(drain(&queue).await, (vec![text(1, "b")], None));
        assert!(queue.next().now_or_never().is_none());
        *line.room.lock().unwrap() = 1;
        queue.push_delta(delta(2, "c"));
        assert_eq!(drain(&queue).await, (vec![], None), "nothing to write, but to flush");
        assert_eq!(line.written.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_line_that_is_gone_or_takes_nothing_leaves_a_delta_in_the_queue() {
        let queue = SendQueue::new(LIMITS);
        drop(line(&queue, 10));
        queue.push_delta(delta(0, "a"));
        assert_eq!(drain(&queue).await.0, [text(0, "a")]);
        let _full = line(&queue, 0);
        assert!(queue.next().now_or_never().is_none());
        queue.push_delta(delta(1, "b"));
        assert_eq!(drain(&queue).await.0, [text(1, "b")]);
    }

    #[tokio::test]
    async fn nothing_of_a_withdrawn_reply_is_written() {
        let queue = SendQueue::new(LIMITS);
        queue.push_delta(delta(0, "Hel"));
        queue.push(ServerFrame::Pong {});
        queue.withdraw(ConversationId(Uuid::nil()), |turn| turn == 3);
        assert_eq!(drain(&queue).await.0, [ServerFrame::Pong {}]);
        queue.push_delta(delta(0, "x"));
        queue.withdraw(ConversationId(Uuid::nil()), |turn| turn == 4);
        assert_eq!(drain(&queue).await.0.len(), 1);
    }

    #[tokio::test]
    async fn what_waits_of_an_erased_conversation_loses_its_texts() {
        let queue = SendQueue::new(LIMITS);
        let said = |number| {
            let author = onya_protocol::Author {
                id: onya_core::ParticipantId(Uuid::nil()),
                role: onya_core::conversation::Role::Customer,
                name: Some("canary".to_owned()),
            };
            let body = onya_protocol::EntryBody::MessageSaid { author, text: "canary".to_owned() };
            let at = onya_core::Timestamp(1);
            let entry = onya_protocol::LogEntry { seq: 2, prev: 1, at, client_msg_id: None, erased: false, body };
            ServerFrame::Entry { conversation: ConversationId(Uuid::from_u128(number)), entry: Arc::new(entry) }
        };
        queue.push(said(1));
        queue.push(said(2));
        queue.redact(ConversationId(Uuid::from_u128(1)));
        let (frames, _) = drain(&queue).await;
        assert!(!format!("{:?}", frames[0]).contains("canary"));
        assert_eq!(frames[1], said(2));
    }

    #[tokio::test]
    async fn a_reader_that_is_too_slow_is_closed_and_not_lied_to() {
        let queue = SendQueue::new(LIMITS);
        for _ in 0..6 {
            queue.push(ServerFrame::Pong {});
        }
        assert_eq!(drain(&queue).await, (vec![], Some(CloseCode::SlowConsumer)));
    }

    #[tokio::test]
    async fn a_close_lets_what_waits_through_first() {
        let queue = SendQueue::new(LIMITS);
        queue.push(ServerFrame::Pong {});
        queue.close(CloseCode::Shutdown);
        queue.push(ServerFrame::Pong {});
        assert_eq!(drain(&queue).await, (vec![ServerFrame::Pong {}], Some(CloseCode::Shutdown)));
    }

    #[tokio::test]
    async fn the_newest_of_a_kind_replaces_the_one_that_waits() {
        let queue = SendQueue::new(LIMITS);
        let ping = |frame: &ServerFrame| matches!(frame, ServerFrame::Queue { .. });
        queue.push_newest(ServerFrame::Queue { entries: vec![], waiting: 1 }, ping);
        queue.push_newest(ServerFrame::Queue { entries: vec![], waiting: 2 }, ping);
        assert_eq!(drain(&queue).await.0, [ServerFrame::Queue { entries: vec![], waiting: 2 }]);
    }
}
