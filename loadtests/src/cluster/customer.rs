//! One customer of several nodes, who says things and keeps each of them until it has an outcome, on whatever socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use onya_protocol::{Cursor, EntryBody, LogEntry, Refusal, ServerFrame, Synced};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Event, Moves};
use crate::pace::Pace;
use crate::samples::Samples;
use crate::socket::frame;
use crate::upstream::script::Expected;

/// Longest wait for the outcome of what was said last.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before a command is sent again, if the server names none.
const RETRY_MS: u64 = 100;
const DELTA: &str = r#"{"type":"delta""#;

/// What a customer does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Habit {
    /// Says nothing.
    Idles,
    /// Waits for a person and says something at an even pace: message `first`, and every `step`-th after it.
    Says { first: usize, step: usize, per_second: f64 },
    /// Asks the assistant, again as soon as the reply has ended; for the first time after a while.
    Asks { after: Duration },
}

/// What all customers are told, and what all of them together have done.
#[derive(Default)]
pub(super) struct Signals {
    /// To begin what they do.
    pub begin: CancellationToken,
    /// To say something at once, which is measured by itself.
    pub bell: CancellationToken,
    /// To say nothing more, and to leave once everything has its outcome.
    pub stop: CancellationToken,
    /// Customers who are in step and ready to begin.
    pub ready: AtomicUsize,
    /// Customers whose word at the bell was acknowledged.
    pub answered: AtomicUsize,
    /// Customers who came back to another node, each counted once.
    pub back: AtomicUsize,
}

/// What one customer has seen.
#[derive(Default)]
pub(super) struct Harvest {
    pub index: usize,
    pub moves: Moves,
    /// From when a message was due to its acknowledgement.
    pub acks: Samples,
    /// The acknowledgement of what was said at the bell.
    pub answered_at: Option<Instant>,
    /// Sends that got neither an acknowledgement nor a refusal that may be tried again and was then acknowledged.
    pub failed: Vec<String>,
    /// Refusals that asked for another try.
    pub again: usize,
    /// Replies that came whole.
    pub replies: usize,
    /// Replies that did not.
    pub wrong: Vec<String>,
}

/// A command without an outcome.
struct Sent {
    text: String,
    due: Instant,
    again_at: Option<Instant>,
    at_bell: bool,
}

/// One customer.
pub(super) struct Customer {
    pub connection: Connection,
    pub habit: Habit,
    pub home: usize,
    pub signals: Arc<Signals>,
    pub expected: Arc<Expected>,
    pub harvest: Harvest,
    cursor: Option<Cursor>,
    outbox: BTreeMap<usize, Sent>,
    named: usize,
    /// When something is said next.
    due: Option<(Instant, Option<Pace>)>,
    said: usize,
    is_ready: bool,
    is_back: bool,
}

impl Customer {
    pub(super) fn new(
        connection: Connection,
        (index, home): (usize, usize),
        habit: Habit,
        (signals, expected): (Arc<Signals>, Arc<Expected>),
    ) -> Self {
        Self {
            connection,
            habit,
            home,
            signals,
            expected,
            harvest: Harvest { index, ..Harvest::default() },
            cursor: None,
            outbox: BTreeMap::new(),
            named: 0,
            due: None,
            said: 0,
            is_ready: false,
            is_back: false,
        }
    }

    /// Comes, does what it does until told to stop, and leaves when everything has an outcome.
    pub(super) async fn live(mut self) -> Harvest {
        let signals = Arc::clone(&self.signals);
        let (mut begun, mut rung, mut stopped) = (false, false, None);
        while stopped.is_none_or(|at: Instant| !self.outbox.is_empty() && at.elapsed() < PATIENCE) {
            let wake = self.wake_at();
            tokio::select! {
                () = signals.begin.cancelled(), if !begun => { begun = true; self.begin(); }
                () = signals.bell.cancelled(), if !rung => { rung = true; self.say("say", (Instant::now(), true)).await; }
                () = signals.stop.cancelled(), if stopped.is_none() => { stopped = Some(Instant::now()); self.due = None; }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.send_due().await,
                () = sleep_until(stopped.unwrap_or_else(Instant::now) + PATIENCE), if stopped.is_some() => {}
                event = self.connection.next(self.cursor) => self.take(event).await,
            }
        }
        let lost = self.outbox.keys().map(|name| format!("{name} had no outcome"));
        self.harvest.failed.extend(lost);
        self.harvest.moves = self.connection.moves;
        self.harvest
    }

    fn begin(&mut self) {
        let now = Instant::now();
        self.due = match self.habit {
            Habit::Idles => None,
            Habit::Says { first, per_second, .. } => {
                let pace = Pace::new(now, per_second);
                Some((pace.at(first), Some(pace)))
            }
            Habit::Asks { after } => Some((now + after, None)),
        };
    }

    /// When there is something to send.
    fn wake_at(&self) -> Option<Instant> {
        let again = self.outbox.values().filter_map(|sent| sent.again_at);
        again.chain(self.due.map(|(at, _)| at)).min()
    }

    async fn send_due(&mut self) {
        let now = Instant::now();
        let mut texts = Vec::new();
        for sent in self.outbox.values_mut().filter(|sent| sent.again_at.is_some_and(|at| at <= now)) {
            sent.again_at = None;
            texts.push(sent.text.clone());
        }
        for text in texts {
            self.connection.send(text).await;
        }
        let Some((due, pace)) = self.due.filter(|(due, _)| *due <= now) else { return };
        self.said += 1;
        self.due = match (self.habit, pace) {
            (Habit::Says { first, step, .. }, Some(pace)) => Some((pace.at(first + self.said * step), Some(pace))),
            _ => None,
        };
        self.say("say", (due, false)).await;
    }

    async fn say(&mut self, kind: &str, (due, at_bell): (Instant, bool)) {
        let mut command = json!({"type": kind, "client_msg_id": self.named.to_string()});
        if kind == "say" {
            command["text"] = json!("Is anybody there?");
        }
        let text = command.to_string();
        self.outbox.insert(self.named, Sent { text: text.clone(), due, again_at: None, at_bell });
        self.named += 1;
        self.connection.send(text).await;
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::InStep(synced) => self.in_step(*synced).await,
            Event::Frame(text) if text.starts_with(DELTA) => {}
            Event::Frame(text) => match frame(&text) {
                Ok(frame) => self.hear(frame).await,
                Err(error) => self.harvest.wrong.push(format!("{error:#}")),
            },
        }
    }

    async fn in_step(&mut self, synced: Synced) {
        self.synced(synced);
        if self.connection.node() != self.home && !std::mem::replace(&mut self.is_back, true) {
            self.signals.back.fetch_add(1, Relaxed);
        }
        // In order, and each under its own name: what is stored already is recognised.
        let waiting = self.outbox.values().filter(|sent| sent.again_at.is_none());
        for text in waiting.map(|sent| sent.text.clone()).collect::<Vec<_>>() {
            self.connection.send(text).await;
        }
        if self.named == 0 && matches!(self.habit, Habit::Says { .. }) {
            self.say("escalate", (Instant::now(), false)).await;
        } else if self.outbox.is_empty() {
            self.get_ready();
        }
    }

    fn get_ready(&mut self) {
        if !std::mem::replace(&mut self.is_ready, true) {
            self.signals.ready.fetch_add(1, Relaxed);
        }
    }

    fn synced(&mut self, synced: Synced) {
        for entry in &synced.entries {
            self.entry(entry);
        }
        self.cursor = Some(Cursor { history_epoch: synced.history_epoch, seq: synced.position });
    }

    async fn hear(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Synced(synced) => self.synced(synced),
            ServerFrame::Entry { entry, .. } => {
                if let Some(cursor) = self.cursor.filter(|cursor| entry.prev > cursor.seq) {
                    // Something is missing.
                    self.connection.send(json!({"type": "resume", "cursor": cursor}).to_string()).await;
                    return;
                }
                self.entry(&entry);
                if let Some(cursor) = &mut self.cursor {
                    cursor.seq = cursor.seq.max(entry.seq);
                }
            }
            ServerFrame::Ack(ack) => self.acknowledged(ack.client_msg_id.as_str()),
            ServerFrame::Refused(refusal) => self.refused(&refusal),
            _ => {}
        }
    }

    /// Takes in an entry; one that is known already changes nothing.
    fn entry(&mut self, entry: &LogEntry) {
        if self.cursor.is_some_and(|cursor| entry.seq <= cursor.seq) {
            return;
        }
        let EntryBody::TurnEnded { outcome, text, .. } = &entry.body else { return };
        if outcome.as_str() == "final" && self.expected.is(text) {
            self.harvest.replies += 1;
        } else {
            self.harvest.wrong.push(format!("a turn ended as {outcome:?} with {text:?}"));
        }
        if matches!(self.habit, Habit::Asks { .. }) && !self.signals.stop.is_cancelled() {
            self.due = Some((Instant::now(), None));
        }
    }

    fn acknowledged(&mut self, name: &str) {
        let Some(sent) = name.parse().ok().and_then(|name: usize| self.outbox.remove(&name)) else { return };
        self.harvest.acks.add_duration(sent.due.elapsed());
        if sent.at_bell {
            self.harvest.answered_at = Some(Instant::now());
            self.signals.answered.fetch_add(1, Relaxed);
        }
        self.get_ready();
    }

    fn refused(&mut self, refusal: &Refusal) {
        let Some(name) = refusal.client_msg_id.as_ref().and_then(|name| name.as_str().parse::<usize>().ok()) else {
            self.connection.wait_at_least(refusal.retry_after_ms);
            return;
        };
        let Some(sent) = self.outbox.get_mut(&name) else { return };
        if refusal.code.is_retryable() {
            self.harvest.again += 1;
            let pause = Duration::from_millis(refusal.retry_after_ms.unwrap_or(RETRY_MS));
            sent.again_at = Some(Instant::now() + pause);
        } else {
            self.outbox.remove(&name);
            self.harvest.failed.push(format!("{name} was refused: {} ({:?})", refusal.message, refusal.code));
        }
    }
}
