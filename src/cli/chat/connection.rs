//! One logical connection: a socket that is replaced whenever it has to be.
//!
//! It connects again with growing, jittered pauses. After `goaway` the new socket is opened first, and the old one is
//! dropped once the new one is in step, so that nothing is missed between. What frames mean is not its business.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use futures::future::BoxFuture;
use onya_protocol::ServerFrame;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::link::{DialError, Dialled, Link, Received, dial};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A socket that held this long starts the pauses from the first again.
const STABLE_AFTER: Duration = Duration::from_secs(5);

/// What happens on a connection.
pub(super) enum Event {
    /// A new socket is in step; its frames follow.
    InStep,
    /// A frame of the socket in use.
    Frame(Box<ServerFrame>),
    /// There is no socket; attempts go on. Told once each time.
    Waiting(anyhow::Error),
    /// The server's word is final.
    Ended(String),
}

/// See the module.
pub(super) struct Connection {
    url: String,
    is_in_step: fn(&ServerFrame) -> bool,
    current: Option<Box<Link>>,
    in_step_since: Instant,
    dialling: Option<BoxFuture<'static, Result<Dialled, DialError>>>,
    dial_at: Option<Instant>,
    not_before: Instant,
    failures: u32,
    /// That there is no socket has been told.
    told_waiting: bool,
    events: VecDeque<Event>,
}

enum Step {
    Received(Received),
    Dialled(Result<Dialled, DialError>),
    Dial,
}

impl Connection {
    /// `is_in_step` tells the frame by which a new socket shows that it can replace the old one.
    pub(super) fn new(url: String, is_in_step: fn(&ServerFrame) -> bool) -> Self {
        let now = Instant::now();
        Self {
            url,
            is_in_step,
            current: None,
            in_step_since: now,
            dialling: None,
            dial_at: Some(now),
            not_before: now,
            failures: 0,
            told_waiting: false,
            events: VecDeque::new(),
        }
    }

    /// Sends a frame on the socket in use, if there is one.
    pub(super) async fn send(&mut self, frame: &impl Serialize) {
        if let Some(link) = &mut self.current {
            link.send(frame).await;
        }
    }

    pub(super) const fn is_live(&self) -> bool {
        self.current.is_some()
    }

    /// Closes the socket in use.
    pub(super) async fn close(self) {
        if let Some(mut link) = self.current {
            link.close().await;
        }
    }

    /// The next event. `hello` is the first frame of a new socket. Cancellation loses nothing.
    pub(super) async fn next(&mut self, hello: impl Fn() -> String) -> Event {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let dial_at = self.dial_at.filter(|_| self.dialling.is_none());
            let step = tokio::select! {
                received = next_frame(&mut self.current) => Step::Received(received),
                dialled = finished(&mut self.dialling) => Step::Dialled(dialled),
                () = due(dial_at) => Step::Dial,
            };
            match step {
                Step::Received(received) => self.received(received).await,
                Step::Dialled(dialled) => self.dialled(dialled),
                Step::Dial => {
                    self.dial_at = None;
                    self.dialling = Some(Box::pin(dial(self.url.clone(), hello(), self.is_in_step)));
                }
            }
        }
    }

    async fn received(&mut self, received: Received) {
        match received {
            Received::Frame(frame) => {
                match &*frame {
                    ServerFrame::Ping { .. } => self.send(&serde_json::json!({ "type": "pong" })).await,
                    ServerFrame::Goaway { retry_after_ms } => {
                        self.wait_at_least(Duration::from_millis(*retry_after_ms));
                        self.dial_at = Some(self.not_before);
                    }
                    ServerFrame::Refused(refusal) if refusal.client_msg_id.is_none() => {
                        self.wait_at_least(Duration::from_millis(refusal.retry_after_ms.unwrap_or(0)));
                    }
                    _ => {}
                }
                self.events.push_back(Event::Frame(frame));
            }
            Received::Lost => {
                if self.in_step_since.elapsed() >= STABLE_AFTER {
                    self.failures = 0;
                }
                self.current = None;
                self.again(anyhow::anyhow!("connection lost"));
            }
            Received::Final(reason) => self.events.push_back(Event::Ended(reason)),
        }
    }

    fn dialled(&mut self, dialled: Result<Dialled, DialError>) {
        self.dialling = None;
        match dialled {
            Ok(Dialled { link, frames }) => {
                self.current = Some(link);
                self.in_step_since = Instant::now();
                self.told_waiting = false;
                self.events.push_back(Event::InStep);
                self.events.extend(frames.into_iter().map(|frame| Event::Frame(Box::new(frame))));
            }
            Err(DialError::Transient { reason, retry_after }) => {
                self.wait_at_least(retry_after);
                self.again(reason);
            }
            Err(DialError::Final(reason)) => self.events.push_back(Event::Ended(reason)),
        }
    }

    fn again(&mut self, reason: anyhow::Error) {
        if self.current.is_none() && !std::mem::replace(&mut self.told_waiting, true) {
            self.events.push_back(Event::Waiting(reason));
        }
        if self.dialling.is_none() {
            let ceiling = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
            self.failures += 1;
            let pause = ceiling.mul_f64(rand::random_range(0.5..1.0));
            self.dial_at = Some(self.not_before.max(Instant::now() + pause));
        }
    }

    fn wait_at_least(&mut self, pause: Duration) {
        self.not_before = self.not_before.max(Instant::now() + pause);
    }
}

async fn next_frame(link: &mut Option<Box<Link>>) -> Received {
    match link {
        Some(link) => link.next().await,
        None => pending().await,
    }
}

async fn finished(dialling: &mut Option<BoxFuture<'static, Result<Dialled, DialError>>>) -> Result<Dialled, DialError> {
    match dialling {
        Some(dialling) => dialling.await,
        None => pending().await,
    }
}

/// Waits for a point in time; for ever if there is none.
pub(super) async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
