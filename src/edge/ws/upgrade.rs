//! From a request to a stream of bytes (RFC 6455, section 4.2).
//!
//! The handshake is done here and not by axum's extractor because a socket that is closed for a frame of too many bytes
//! must still read them: a connection that is closed with bytes unread is reset, and the close code is lost.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use onya_protocol::ErrorCode;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::edge::error::Failure;

/// A request that may become a socket.
pub(super) struct Upgrade {
    key: HeaderValue,
    stream: OnUpgrade,
}

impl Upgrade {
    /// Checks the headers.
    pub(super) fn of(request: &mut Request) -> Result<Self, Failure> {
        if request.method() != Method::GET {
            return Err(Failure::method_not_allowed());
        }
        let headers = request.headers();
        if !names(headers, header::CONNECTION, "upgrade") || !names(headers, header::UPGRADE, "websocket") {
            return Err(Failure::upgrade_required());
        }
        let is_version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_version && key.len() == 24).cloned();
        let key =
            key.ok_or_else(|| Failure::new(ErrorCode::BadRequest, "this is no handshake of WebSocket version 13"))?;
        Ok(Self { key, stream: hyper::upgrade::on(request) })
    }

    /// The answer, and the stream that there will be once it is sent.
    pub(super) fn accept(self) -> (Response, OnUpgrade) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(self.key.as_bytes())) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        (response, self.stream)
    }
}

/// Whether a header with a list of names has this one.
fn names(headers: &HeaderMap, header: HeaderName, name: &str) -> bool {
    headers
        .get_all(header)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(name))
}
