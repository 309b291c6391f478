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
mod tests {
    use futures::{SinkExt as _, StreamExt as _};
    use serde_json::{Value, json};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::{WebSocketStream, accept_async};

    use super::*;

    /// The server's end of a socket, after the client's hello.
    struct Peer {
        socket: WebSocketStream<TcpStream>,
        hello: Value,
    }

    impl Peer {
        async fn accept(listener: &TcpListener) -> Self {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = accept_async(stream).await.unwrap();
            let hello = read(&mut socket).await.unwrap();
            Self { socket, hello }
        }

        async fn say(&mut self, frame: Value) {
            self.socket.send(Message::text(frame.to_string())).await.unwrap();
        }
    }

    async fn read(socket: &mut WebSocketStream<TcpStream>) -> Option<Value> {
        match socket.next().await? {
            Ok(Message::Text(text)) => serde_json::from_str(&text).ok(),
            _ => None,
        }
    }

    fn hello_frame() -> Value {
        json!({
            "type": "hello", "version": 1, "participant": "0198c0de-0000-7000-8000-0000000000cc", "role": "customer",
            "ping_interval_ms": 25_000, "pong_timeout_ms": 8_000, "max_message_bytes": 16_384,
        })
    }

    async fn listen() -> (TcpListener, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/socket", listener.local_addr().unwrap());
        (listener, Connection::new(url, |frame| matches!(frame, ServerFrame::Hello { .. })))
    }

    async fn next(connection: &mut Connection) -> Event {
        connection.next(|| json!({ "type": "hello", "token": "secret" }).to_string()).await
    }

    /// Takes the client into step and eats the two events of it.
    async fn in_step(listener: &TcpListener, connection: &mut Connection) -> Peer {
        let server = async {
            let mut peer = Peer::accept(listener).await;
            peer.say(hello_frame()).await;
            peer
        };
        let (peer, event) = tokio::join!(server, next(connection));
        assert!(matches!(event, Event::InStep));
        assert!(matches!(next(connection).await, Event::Frame(_)));
        peer
    }

    #[tokio::test]
    async fn after_goaway_the_new_socket_is_in_step_before_the_old_one_goes() {
        let (listener, mut connection) = listen().await;
        let mut old = in_step(&listener, &mut connection).await;
        assert_eq!(old.hello["token"], "secret");
        old.say(json!({ "type": "goaway", "retry_after_ms": 1 })).await;
        assert!(matches!(next(&mut connection).await, Event::Frame(_)));
        let server = async {
            let mut new = Peer::accept(&listener).await;
            old.say(json!({ "type": "pong" })).await;
            old.socket.flush().await.unwrap();
            new.say(hello_frame()).await;
            new
        };
        let mut seen = Vec::new();
        let client = async {
            loop {
                match next(&mut connection).await {
                    Event::InStep => break,
                    Event::Frame(frame) => seen.push(*frame),
                    Event::Waiting(_) | Event::Ended(_) => panic!("the old socket should have carried on"),
                }
            }
        };
        let (_new, ()) = tokio::join!(server, client);
        assert_eq!(seen, [ServerFrame::Pong {}]);
        assert_eq!(read(&mut old.socket).await, None, "the old socket is closed");
    }

    #[tokio::test]
    async fn a_lost_socket_is_told_once_and_replaced() {
        let (listener, mut connection) = listen().await;
        drop(in_step(&listener, &mut connection).await);
        assert!(matches!(next(&mut connection).await, Event::Waiting(_)));
        in_step(&listener, &mut connection).await;
    }

    #[tokio::test]
    async fn a_ping_is_answered_and_a_final_close_ends_it() {
        let (listener, mut connection) = listen().await;
        let mut peer = in_step(&listener, &mut connection).await;
        peer.say(json!({ "type": "ping", "positions": [] })).await;
        assert!(matches!(next(&mut connection).await, Event::Frame(_)));
        assert_eq!(read(&mut peer.socket).await, Some(json!({ "type": "pong" })));
        let reason =
            tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 3502.into(), reason: "forbidden".into() };
        peer.socket.send(Message::Close(Some(reason))).await.unwrap();
        match next(&mut connection).await {
            Event::Ended(reason) => assert_eq!(reason, "forbidden"),
            _ => panic!("a final close code ends the connection"),
        }
    }
}
