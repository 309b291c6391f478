//! Frames in, frames out, until either side closes.

use std::pin::{Pin, pin};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use onya_protocol::{CloseCode, ErrorCode, ServerFrame};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Instrument as _;

use super::client::{self, ClientFrame as _, Connection};
use super::hello::Guest;
use super::socket::{Received, Socket};
use crate::edge::Edge;

/// Malformed frames after which a client is not listened to any more.
const MAX_MALFORMED: u32 = 10;

/// Runs a socket whose client has said hello. Returns the code to close it with; `None` if the other side is gone.
pub(super) async fn run<C: Connection>(
    edge: &Edge,
    socket: &mut Socket,
    connection: &C,
    guest: &Guest,
) -> Option<CloseCode> {
    // One write for all that can be said already: it wakes the other side, which costs more than the rest of it.
    let (waiting, closing) = connection.queue().next().now_or_never().unwrap_or_default();
    let first = std::iter::once(hello(edge, guest)).chain(waiting);
    Box::pin(socket.send(first)).await.ok()?;
    if closing.is_some() {
        return closing;
    }
    connection.queue().open_short_cut(socket.short_cut());
    let mut timer = Timer::new(edge, guest);
    let mut sleep = pin!(sleep_until(timer.due()));
    let mut inbox = Inbox { connection, malformed: 0, handling: None, shut: false };
    loop {
        tokio::select! {
            (frames, closing) = connection.queue().next() => {
                let began = Instant::now();
                // Boxed: an idle socket keeps no room for it.
                Box::pin(socket.send(frames.into_iter())).await.ok()?;
                timer.not_reading(began.elapsed());
                if closing.is_some() {
                    return closing;
                }
            }
            took = inbox.finish(), if inbox.is_busy() => timer.not_reading(took),
            received = socket.receive(), if inbox.listens() => {
                timer.heard();
                if matches!(received, Received::Gone) {
                    return None;
                }
                inbox.take(received);
            }
            () = sleep.as_mut() => timer.ring(connection, inbox.is_busy()),
        }
        rearm(sleep.as_mut(), timer.due());
    }
}

fn hello(edge: &Edge, guest: &Guest) -> ServerFrame {
    let limits = &edge.limits;
    ServerFrame::Hello {
        version: guest.version,
        participant: guest.who.id,
        role: guest.who.role,
        ping_interval_ms: limits.socket.ping_interval_ms,
        pong_timeout_ms: limits.socket.pong_timeout_ms,
        max_message_bytes: limits.max_message_bytes,
    }
}

/// Moving a timer costs more than leaving it.
fn rearm(sleep: Pin<&mut Sleep>, due: Instant) {
    if sleep.deadline() != due {
        sleep.reset(due);
    }
}

/// Acts on one frame at a time, in their order. Meanwhile nothing is read: a client that floods waits for itself.
struct Inbox<'a, C> {
    connection: &'a C,
    malformed: u32,
    handling: Option<(Instant, BoxFuture<'a, ()>)>,
    /// After a frame that ends the socket, or that cannot be skipped, nothing more is read.
    shut: bool,
}

impl<C: Connection> Inbox<'_, C> {
    fn is_busy(&self) -> bool {
        self.handling.is_some()
    }

    fn listens(&self) -> bool {
        !self.shut && !self.is_busy()
    }

    /// Goes on with the frame in hand; how long it took. Cancel safe.
    async fn finish(&mut self) -> Duration {
        let Some((began, handling)) = &mut self.handling else { return Duration::ZERO };
        handling.await;
        let took = began.elapsed();
        self.handling = None;
        took
    }

    fn take(&mut self, received: Received) {
        match received {
            Received::Text(text) => self.take_text(text.as_bytes()),
            Received::Binary => self.end(Some((ErrorCode::BadRequest, "frames are text")), CloseCode::BadRequest),
            Received::TooLarge => {
                self.end(Some((ErrorCode::TooLarge, "the frame is larger than allowed")), CloseCode::Limit);
            }
            Received::Malformed => self.end(None, CloseCode::BadRequest),
            Received::Gone => {}
        }
    }

    fn end(&mut self, why: Option<(ErrorCode, &str)>, code: CloseCode) {
        self.shut = true;
        let queue = self.connection.queue();
        if let Some((code, message)) = why {
            queue.push(ServerFrame::Refused(client::refusal(code, message)));
        }
        queue.close(code);
    }

    fn take_text(&mut self, text: &[u8]) {
        match client::read::<C::Frame>(text) {
            Ok(frame) => self.handle(frame),
            Err(refusal) => {
                self.malformed += 1;
                self.connection.queue().push(ServerFrame::Refused(refusal));
                if self.malformed >= MAX_MALFORMED {
                    self.end(None, CloseCode::BadRequest);
                }
            }
        }
    }

    fn handle(&mut self, mut frame: C::Frame) {
        let span = frame.span().unwrap_or_else(tracing::Span::none);
        let mut handling = self.connection.handle(frame).instrument(span).boxed();
        // Most frames are done at once.
        if handling.as_mut().now_or_never().is_none() {
            self.handling = Some((Instant::now(), handling));
        }
    }
}

/// The times of a socket: the next ping, the pong that is owed, the end of the token.
struct Timer {
    ping_at: Instant,
    pong_due: Option<Instant>,
    expires_at: Instant,
    ping_interval: Duration,
    pong_timeout: Duration,
}

impl Timer {
    /// The first ping comes at a random moment of the interval, so that many sockets opened at once do not stay in step.
    fn new(edge: &Edge, guest: &Guest) -> Self {
        let limits = &edge.limits.socket;
        let now = Instant::now();
        let first_ms = limits.ping_interval_ms / 2 + edge.random.below(limits.ping_interval_ms / 2);
        Self {
            ping_at: now + Duration::from_millis(first_ms),
            pong_due: None,
            expires_at: now + time_left(last_second(guest, edge).saturating_add(1)),
            ping_interval: Duration::from_millis(limits.ping_interval_ms),
            pong_timeout: Duration::from_millis(limits.pong_timeout_ms),
        }
    }

    fn due(&self) -> Instant {
        let next = self.ping_at.min(self.expires_at);
        self.pong_due.map_or(next, |due| due.min(next))
    }

    /// The client lives: a pong, or anything else it says.
    fn heard(&mut self) {
        self.pong_due = None;
    }

    /// The client could not be heard for this long, so it has as much more time.
    fn not_reading(&mut self, pause: Duration) {
        self.pong_due = self.pong_due.map(|due| due + pause);
    }

    /// `busy`: nothing is read just now, so a pong may have come.
    fn ring(&mut self, connection: &impl Connection, busy: bool) {
        let now = Instant::now();
        if self.expires_at <= now {
            connection.queue().close(CloseCode::TokenExpired);
        } else if self.pong_due.is_some_and(|due| due <= now) {
            if busy {
                self.pong_due = Some(now + self.pong_timeout);
            } else {
                connection.queue().close(CloseCode::NoPong);
            }
        } else if self.ping_at <= now {
            connection.ping();
            self.ping_at = now + self.ping_interval;
            self.pong_due = Some(now + self.pong_timeout);
        }
    }
}

/// The verifier counts whole seconds and takes a token in the last one as well; an open socket is not treated worse.
fn last_second(guest: &Guest, edge: &Edge) -> u64 {
    guest.expires_at_s.saturating_add(edge.limits.token_leeway_s)
}

/// From now to a point of the wall clock. A token that lives longer than a year is looked at again then.
fn time_left(until_s: u64) -> Duration {
    const YEAR: Duration = Duration::from_secs(31_536_000);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(until_s).saturating_sub(now).min(YEAR)
}
