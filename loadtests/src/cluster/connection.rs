//! One customer's connection: a socket that is replaced whenever it has to be, by the rules of `web/client`.
//!
//! It connects again with growing, jittered pauses, never before a time that the server has named. After `goaway` the new
//! socket is opened first and the old one dropped once the new one is in step.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use onya_protocol::{Cursor, Refusal, ServerFrame, Synced};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::balancer::Balancer;
use crate::samples::Samples;
use crate::socket::{Socket, frame};
use crate::visitors::Guest;

/// The rules of the client for browsers.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
const STABLE_AFTER: Duration = Duration::from_secs(5);
const IN_STEP_TIMEOUT: Duration = Duration::from_secs(10);
const GOAWAY: &str = r#"{"type":"goaway""#;

/// What happened to a connection.
pub(super) enum Event {
    Frame(Utf8Bytes),
    /// A new socket has taken over: what was missed.
    InStep(Box<Synced>),
}

/// What its replacements took.
#[derive(Default)]
pub(super) struct Moves {
    /// From the end of a socket until its successor was in step; 0 where that came first.
    pub gaps: Samples,
    /// From when a new socket was due, by what the server or the rules say, until it was in step.
    pub returns: Samples,
    /// The newest failure to open one.
    pub failure: Option<String>,
}

/// A connection, which is not open yet.
pub(super) struct Connection {
    guest: Arc<Guest>,
    index: usize,
    balancer: Arc<Balancer>,
    home: Option<usize>,
    current: Option<Socket>,
    candidate: JoinSet<Result<Candidate>>,
    dial_at: Option<Instant>,
    /// When the dialling that led to the candidate was due.
    due: Instant,
    not_before: Instant,
    failures: u32,
    in_step_at: Option<Instant>,
    ended_at: Option<Instant>,
    /// The node that it is in step with.
    node: usize,
    pub moves: Moves,
}

/// An answer to a hello, on which node.
type Candidate = (usize, Socket, std::result::Result<Synced, Refusal>);

impl Connection {
    /// One that is opened at a moment, to the node `home`.
    pub(super) fn new((guest, index): (Guest, usize), balancer: Arc<Balancer>, (home, at): (usize, Instant)) -> Self {
        Self {
            guest: Arc::new(guest),
            index,
            balancer,
            home: Some(home),
            current: None,
            candidate: JoinSet::new(),
            dial_at: Some(at),
            due: at,
            not_before: at,
            failures: 0,
            in_step_at: None,
            ended_at: None,
            node: home,
            moves: Moves::default(),
        }
    }

    pub(super) const fn node(&self) -> usize {
        self.node
    }

    /// Waits for the next thing to happen; `cursor` is where the copy of the log ends. Cancel safe.
    pub(super) async fn next(&mut self, cursor: Option<Cursor>) -> Event {
        loop {
            let dial_at = self.dial_at;
            tokio::select! {
                heard = hear(&mut self.current), if self.current.is_some() => match heard {
                    Ok(Some(text)) if text.starts_with(GOAWAY) => self.goaway(&text),
                    Ok(Some(text)) => return Event::Frame(text),
                    Ok(None) | Err(_) => self.ended(),
                },
                Some(answer) = self.candidate.join_next() => {
                    if let Some(synced) = self.answered(answer.unwrap_or_else(|error| Err(error.into()))) {
                        return Event::InStep(Box::new(synced));
                    }
                }
                () = sleep_until(dial_at.unwrap_or_else(Instant::now)), if dial_at.is_some() => self.dial(cursor),
            }
        }
    }

    /// Sends a frame if a socket is in step; otherwise, or if it is lost, it must be sent again on the next one.
    pub(super) async fn send(&mut self, text: String) {
        if let Some(socket) = &mut self.current
            && socket.send(text).await.is_err()
        {
            self.ended();
        }
    }

    /// The server has named a time before which it should not be asked.
    pub(super) fn wait_at_least(&mut self, ms: Option<u64>) {
        self.not_before = self.not_before.max(Instant::now() + Duration::from_millis(ms.unwrap_or(0)));
    }

    fn dial(&mut self, cursor: Option<Cursor>) {
        self.due = self.dial_at.take().unwrap_or_else(Instant::now);
        if !self.candidate.is_empty() {
            return;
        }
        let (node, target) = self.balancer.pick(self.home.take());
        let (guest, index) = (Arc::clone(&self.guest), self.index);
        self.candidate.spawn(async move {
            let open = async {
                let mut socket = Box::pin(Socket::open(&target, &guest, index)).await?;
                let answer = socket.resume(cursor).await?;
                Ok((node, socket, answer))
            };
            Box::pin(timeout(IN_STEP_TIMEOUT, open)).await.context("not in step within 10 s")?
        });
    }

    /// The new socket takes over, or another one is tried later.
    fn answered(&mut self, answer: Result<Candidate>) -> Option<Synced> {
        match answer {
            Ok((node, socket, Ok(synced))) => {
                self.promote(node, socket);
                return Some(synced);
            }
            Ok((_, _, Err(refusal))) => {
                self.wait_at_least(refusal.retry_after_ms);
                self.moves.failure = Some(format!("refused: {} ({:?})", refusal.message, refusal.code));
            }
            Err(error) => self.moves.failure = Some(format!("{error:#}")),
        }
        self.retry();
        None
    }

    fn promote(&mut self, node: usize, socket: Socket) {
        if self.in_step_at.is_some() {
            self.moves.gaps.add_duration(self.ended_at.map_or(Duration::ZERO, |at| at.elapsed()));
            self.moves.returns.add_duration(self.due.elapsed());
        }
        (self.node, self.current, self.ended_at, self.dial_at) = (node, Some(socket), None, None);
        self.in_step_at = Some(Instant::now());
    }

    fn goaway(&mut self, text: &str) {
        let Ok(ServerFrame::Goaway { retry_after_ms }) = frame(text) else { return };
        self.wait_at_least(Some(retry_after_ms));
        if self.candidate.is_empty() {
            self.dial_at = Some(Instant::now() + Duration::from_millis(retry_after_ms));
        }
    }

    fn ended(&mut self) {
        self.current = None;
        self.ended_at.get_or_insert_with(Instant::now);
        if self.in_step_at.is_some_and(|at| at.elapsed() >= STABLE_AFTER) {
            self.failures = 0;
        }
        if self.candidate.is_empty() {
            self.retry();
        }
    }

    fn retry(&mut self) {
        let ceiling = LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)));
        self.failures += 1;
        let pause = ceiling.mul_f64(0.5 + random() / 2.0);
        self.dial_at = Some(self.not_before.max(Instant::now() + pause));
    }
}

async fn hear(socket: &mut Option<Socket>) -> Result<Option<Utf8Bytes>> {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

/// A number from 0 to 1, another one each time.
fn random() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}
