//! The first frame: who it is, which version, from where in the log. Until it has come, nobody is known.

use std::time::Duration;

use onya_actors::Refused;
use onya_core::conversation::{Actor as Person, Role};
use onya_core::{ConversationId, ParticipantId};
use onya_protocol::{
    CloseCode, Cursor, CustomerFrame, ErrorCode, Refusal, SERVED_VERSIONS, ServerFrame, StaffFrame, negotiate,
};
use tokio::time::timeout;

use super::client;
use super::socket::{Received, Socket};
use crate::auth::{self, AuthError, Principal};
use crate::edge::Edge;
use crate::edge::error::{auth_code, is_about_who};

/// Which socket was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Route {
    /// One conversation of a customer.
    Customer(ConversationId),
    /// The desk.
    Staff,
}

/// Whose the token in the header of the upgrade is; it was looked at before the answer.
pub(super) type Shown = Result<Principal, AuthError>;

/// Somebody who has said hello.
pub(super) struct Guest {
    pub(super) who: Person,
    pub(super) version: u16,
    pub(super) cursor: Option<Cursor>,
    /// End of the token, in seconds since 1970.
    pub(super) expires_at_s: u64,
}

/// Why a socket ends before it began, and what is said about it.
#[derive(Debug)]
pub(super) struct Farewell {
    refusal: Option<Box<Refusal>>,
    code: Option<CloseCode>,
    /// Who is refused, if a token said so.
    who: Option<(ParticipantId, auth::Role)>,
}

impl Farewell {
    /// The server shuts down.
    pub(super) fn shutdown() -> Self {
        Self::silent(CloseCode::Shutdown)
    }

    /// The system refused, and has counted it.
    pub(super) fn refused(edge: &Edge, refusal: Refusal) -> Self {
        let code = if edge.ready.get() { close_code(refusal.code) } else { CloseCode::Shutdown };
        Self { refusal: Some(Box::new(refusal)), code: Some(code), who: None }
    }

    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { refusal: Some(Box::new(client::refusal(code, message))), code: Some(close_code(code)), who: None }
    }

    fn silent(code: CloseCode) -> Self {
        Self { refusal: None, code: Some(code), who: None }
    }

    fn gone() -> Self {
        Self { refusal: None, code: None, who: None }
    }

    /// Lets it go on record if it is about who asks.
    pub(super) fn note(&self, edge: &Edge, route: Route) {
        let code = self.refusal.as_ref().map(|refusal| refusal.code).filter(|code| is_about_who(*code));
        let Some(code) = code else { return };
        let who = self.who.map(|(id, role)| (id, role.name()));
        let (route, conversation) = match route {
            Route::Customer(id) => ("hello on a customer's socket", Some(id)),
            Route::Staff => ("hello on the desk's socket", None),
        };
        edge.sessions.note_refusal(Refused { who, route, conversation, code });
    }

    /// Says it and closes.
    pub(super) async fn say(self, mut socket: Socket) {
        let frame = self.refusal.map(|refusal| ServerFrame::Refused(*refusal));
        if socket.send(frame.into_iter()).await.is_ok()
            && let Some(code) = self.code
        {
            socket.close(code).await;
        }
    }
}

struct Hello {
    versions: Vec<u16>,
    token: Option<String>,
    cursor: Option<Cursor>,
}

/// Waits for the first frame and judges it.
pub(super) async fn receive(
    edge: &Edge,
    socket: &mut Socket,
    (route, shown): (Route, Option<Shown>),
) -> Result<Guest, Farewell> {
    let limit = Duration::from_millis(edge.limits.socket.hello_timeout_ms);
    let received = timeout(limit, socket.receive()).await.map_err(|_| Farewell::silent(CloseCode::HelloTimeout))?;
    let hello = match received {
        Received::Text(text) => read(text.as_bytes(), route)?,
        Received::Binary => return Err(Farewell::new(ErrorCode::BadRequest, "frames are text")),
        Received::TooLarge => return Err(Farewell::new(ErrorCode::TooLarge, "the frame is larger than allowed")),
        Received::Malformed => return Err(Farewell::silent(CloseCode::BadRequest)),
        Received::Gone => return Err(Farewell::gone()),
    };
    let version = negotiate(&hello.versions).ok_or_else(|| {
        Farewell::new(ErrorCode::UnsupportedVersion, format!("served are the versions {SERVED_VERSIONS:?}"))
    })?;
    let principal = verify(edge, shown, hello.token)?;
    let who = person(&principal, route)?;
    Ok(Guest { who, version, cursor: hello.cursor, expires_at_s: principal.expires_at_s })
}

fn read(text: &[u8], route: Route) -> Result<Hello, Farewell> {
    let first = || Farewell::new(ErrorCode::BadRequest, "the first frame must be hello");
    let malformed = |refusal: Refusal| Farewell {
        code: Some(close_code(refusal.code)),
        refusal: Some(Box::new(refusal)),
        who: None,
    };
    match route {
        Route::Customer(_) => match client::read(text).map_err(malformed)? {
            CustomerFrame::Hello { versions, token, cursor } => Ok(Hello { versions, token, cursor }),
            _ => Err(first()),
        },
        Route::Staff => match client::read(text).map_err(malformed)? {
            StaffFrame::Hello { versions, token } => Ok(Hello { versions, token, cursor: None }),
            _ => Err(first()),
        },
    }
}

fn verify(edge: &Edge, shown: Option<Shown>, token: Option<String>) -> Result<Principal, Farewell> {
    let verified = shown.or_else(|| token.map(|token| edge.verifier.verify(&token)));
    let verified = verified.ok_or_else(|| Farewell::new(ErrorCode::Unauthenticated, "hello needs a token"))?;
    verified.map_err(|error| Farewell::new(auth_code(error), error.to_string()))
}

fn person(principal: &Principal, route: Route) -> Result<Person, Farewell> {
    let role = principal.role.in_conversation().filter(|role| match route {
        Route::Customer(_) => *role == Role::Customer,
        Route::Staff => role.is_staff(),
    });
    let who = Some((principal.participant, principal.role));
    let refused = || Farewell { who, ..Farewell::new(ErrorCode::Forbidden, "this socket is not for this role") };
    let role = role.ok_or_else(refused)?;
    Ok(Person { id: principal.participant, role, name: principal.display_name.as_deref().map(str::to_owned) })
}

/// How a socket closes that is refused with this code.
fn close_code(code: ErrorCode) -> CloseCode {
    match code {
        ErrorCode::UnsupportedVersion => CloseCode::UnsupportedVersion,
        ErrorCode::Unauthenticated => CloseCode::BadToken,
        ErrorCode::TokenExpired => CloseCode::TokenExpired,
        ErrorCode::Forbidden | ErrorCode::NotFound => CloseCode::Forbidden,
        ErrorCode::TooLarge => CloseCode::Limit,
        ErrorCode::Busy | ErrorCode::Unknown | ErrorCode::Internal => CloseCode::InsufficientState,
        _ => CloseCode::BadRequest,
    }
}
