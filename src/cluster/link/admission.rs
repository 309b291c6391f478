//! Who may open a link to this node.
//!
//! Only nodes: a request with an `Origin` comes from a browser. Only holders of the cluster's keys, who mean this start of
//! this process, and who show a proof that nobody has shown before.

use std::sync::{Arc, Mutex, PoisonError};

use onya_core::Incarnation;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{CONNECTION, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};

use super::credentials::{Credentials, Purpose};
use super::handshake::{self, PATH, PROOF};
use super::nonces::Nonces;
use super::places::Places;

/// What decides.
pub(super) struct Admission {
    pub(super) credentials: Arc<dyn Credentials>,
    pub(super) nonces: Mutex<Nonces>,
    pub(super) places: Places,
    /// Newest first.
    pub(super) versions: &'static [u16],
}

/// A node that may have a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) incarnation: Incarnation,
    pub(super) version: u16,
}

/// Why there is no link. The other side learns the status only; the rest is for our log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Denied {
    #[error("there is nothing at this path")]
    NoSuchPath,
    #[error("it comes from a browser")]
    Browser,
    #[error("its proof is not accepted: {0}")]
    NotProven(String),
    #[error("its proof was used before")]
    Replayed,
    #[error("no version of links that it speaks is spoken here")]
    NoCommonVersion,
    #[error("there are as many links as there may be")]
    Full,
    #[error("our proof cannot be made: {0}")]
    NoProof(String),
}

impl Denied {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::Browser => StatusCode::FORBIDDEN,
            Self::NotProven(_) | Self::Replayed => StatusCode::UNAUTHORIZED,
            Self::NoCommonVersion => StatusCode::BAD_REQUEST,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoProof(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Its name in metrics.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "path",
            Self::Browser => "origin",
            Self::NotProven(_) => "proof",
            Self::Replayed => "replay",
            Self::NoCommonVersion => "version",
            Self::Full => "full",
            Self::NoProof(_) => "internal",
        }
    }
}

impl Admission {
    /// Decides on a request; the proof of this node goes with the answer.
    fn admit(&self, request: &Request) -> Result<(Guest, String), Denied> {
        if request.uri().path() != PATH {
            return Err(Denied::NoSuchPath);
        }
        let headers = request.headers();
        if headers.contains_key(ORIGIN) {
            return Err(Denied::Browser);
        }
        let proof = handshake::proof(headers).ok_or_else(|| Denied::NotProven("there is none".to_owned()))?;
        let proven = self.credentials.check(Purpose::Dial, proof);
        let proven = proven.map_err(|error| Denied::NotProven(error.to_string()))?;
        let nonce = proven.nonce.parse().map_err(|()| Denied::NotProven("its nonce is malformed".to_owned()))?;
        if !self.nonces.lock().unwrap_or_else(PoisonError::into_inner).is_first(nonce) {
            return Err(Denied::Replayed);
        }
        let version = handshake::common_version(headers, self.versions).ok_or(Denied::NoCommonVersion)?;
        if !self.places.has_room(proven.from) {
            return Err(Denied::Full);
        }
        let answer = self.credentials.prove(Purpose::Answer, proven.from, &proven.nonce);
        let answer = answer.map_err(|error| Denied::NoProof(error.to_string()))?;
        Ok((Guest { incarnation: proven.from, version }, answer))
    }
}

/// A request that is being decided on.
pub(super) struct Deciding<'a> {
    pub(super) admission: &'a Admission,
    pub(super) decision: &'a mut Option<Result<Guest, Denied>>,
}

impl Callback for Deciding<'_> {
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let admitted = self.admission.admit(request).and_then(|(guest, proof)| {
            let internal = |what: &str| Denied::NoProof(format!("{what} cannot be a header"));
            let proof = HeaderValue::try_from(proof).map_err(|_| internal("it"))?;
            let protocol = HeaderValue::try_from(handshake::protocol(guest.version));
            let headers = response.headers_mut();
            headers.insert(PROOF, proof);
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.map_err(|_| internal("the version"))?);
            Ok(guest)
        });
        let status = admitted.as_ref().err().map(Denied::status);
        *self.decision = Some(admitted);
        match status {
            None => Ok(response),
            Some(status) => Err(denial(status)),
        }
    }
}

fn denial(status: StatusCode) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
