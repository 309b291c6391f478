//! WebSockets: one task a socket, no actor.
//!
//! ```text
//! upgrade   headers are right, there is a place  → 101                       or an HTTP failure
//! hello     first frame, version, token, role    → hello, then synced        or refused, close code
//! pump      frames in → Connection::handle       queue → frames out          until either side closes
//! socket    bytes: sizes, time limits, the closing handshake
//! line      the stream, and the way past the task for a piece of a reply
//! ```
//!
//! Reading is paced by handling, so a client that floods waits for itself. Writing is paced by the reader: what waits is
//! bounded by [`onya_actors::SendQueue`], whose rules say what a slow reader may lose.

mod client;
mod hello;
mod line;
mod pump;
mod socket;
mod upgrade;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::Response;
use onya_core::ConversationId;
use onya_protocol::{ErrorCode, Refusal};

use self::hello::{Farewell, Route, Shown};
use self::socket::Socket;
use self::upgrade::Upgrade;
use super::Edge;
use super::error::Failure;
use super::identity::{Conversation, bearer};
use crate::telemetry::names::REJECTIONS_TOTAL;

/// When a client that found no place should try again at the earliest, and over which time all are spread, in ms.
const NO_PLACE_RETRY_MS: u64 = 5_000;
const NO_PLACE_SPREAD_MS: u64 = 10_000;

pub(super) async fn customer(
    State(edge): State<Arc<Edge>>,
    Conversation(id): Conversation,
    request: Request,
) -> Result<Response, Failure> {
    open(edge, Route::Customer(id), request)
}

pub(super) async fn staff(State(edge): State<Arc<Edge>>, request: Request) -> Result<Response, Failure> {
    open(edge, Route::Staff, request)
}

fn open(edge: Arc<Edge>, route: Route, mut request: Request) -> Result<Response, Failure> {
    let shown = bearer(request.headers()).transpose()?.map(|token| edge.verifier.verify(token));
    let upgrade = Upgrade::of(&mut request)?;
    if !edge.ready.get() {
        return Err(no_place(&edge).into());
    }
    let Some(place) = edge.sockets.take_place() else {
        return refuse(edge, upgrade, request.headers().contains_key(header::ORIGIN));
    };
    let sockets = edge.sockets.clone();
    let (response, stream) = upgrade.accept();
    sockets.run(async move {
        if let Ok(stream) = stream.await
            && let Some(socket) = Box::pin(Socket::new(stream, &edge.limits.socket)).await
        {
            live(&edge, socket, (route, shown)).await;
        }
        drop(place);
    });
    Ok(response)
}

/// A socket from its first frame to its end. Each phase is boxed: a task has room for the largest of what it awaits, from its
/// first moment to its last, and a socket that has not said hello would have paid for a session already.
async fn live(edge: &Edge, mut socket: Socket, (route, shown): (Route, Option<Shown>)) {
    let outcome = match Box::pin(greet(edge, &mut socket, (route, shown))).await {
        Ok(guest) => match route {
            Route::Customer(id) => Box::pin(customer_session(edge, &mut socket, (guest, id))).await,
            Route::Staff => Box::pin(staff_session(edge, &mut socket, guest)).await,
        },
        Err(farewell) => Err(farewell),
    };
    match outcome {
        Ok(None) => {}
        Ok(Some(code)) => Box::pin(socket.close(code)).await,
        Err(farewell) => {
            farewell.note(edge, route);
            Box::pin(farewell.say(socket)).await;
        }
    }
}

async fn greet(edge: &Edge, socket: &mut Socket, asked: (Route, Option<Shown>)) -> Result<hello::Guest, Farewell> {
    let ending = edge.sockets.ending();
    tokio::select! {
        greeted = hello::receive(edge, socket, asked) => greeted,
        () = ending.cancelled() => Err(Farewell::shutdown()),
    }
}

type Outcome = Result<Option<onya_protocol::CloseCode>, Farewell>;

async fn customer_session(
    edge: &Edge,
    socket: &mut Socket,
    (mut guest, conversation): (hello::Guest, ConversationId),
) -> Outcome {
    let connected = edge.sessions.connect_customer(guest.who.clone(), conversation, guest.cursor.take());
    let connection = Box::pin(connected).await.map_err(|refusal| Farewell::refused(edge, refusal))?;
    Ok(pump::run(edge, socket, &connection, &guest).await)
}

async fn staff_session(edge: &Edge, socket: &mut Socket, guest: hello::Guest) -> Outcome {
    let connected = edge.sessions.connect_staff(guest.who.clone());
    let connection = Box::pin(connected).await.map_err(|refusal| Farewell::refused(edge, refusal))?;
    Ok(pump::run(edge, socket, &connection, &guest).await)
}

/// There is no place. A program reads the status, and a proxy may ask another server because of it; a browser tells its page
/// neither status nor body, so its socket is opened to say it.
fn refuse(edge: Arc<Edge>, upgrade: Upgrade, is_browser: bool) -> Result<Response, Failure> {
    let refusal = no_place(&edge);
    let Some(place) = edge.sockets.take_refusal().filter(|_| is_browser) else { return Err(refusal.into()) };
    let sockets = edge.sockets.clone();
    let (response, stream) = upgrade.accept();
    sockets.run(async move {
        if let Ok(stream) = stream.await
            && let Some(socket) = Box::pin(Socket::new(stream, &edge.limits.socket)).await
        {
            Box::pin(Farewell::refused(&edge, refusal).say(socket)).await;
        }
        drop(place);
    });
    Ok(response)
}

/// Clients come back at different moments, so that they do not all find no place together again.
fn no_place(edge: &Edge) -> Refusal {
    let retry_after_ms = Some(NO_PLACE_RETRY_MS + edge.random.below(NO_PLACE_SPREAD_MS));
    metrics::counter!(REJECTIONS_TOTAL, "code" => ErrorCode::Busy.as_str()).increment(1);
    Refusal { retry_after_ms, ..Refusal::new(ErrorCode::Busy, "no more sockets can be opened here now") }
}
