//! The one place where a failure becomes a status, a code and headers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use onya_protocol::{ErrorCode, Refusal};
use serde::Serialize;

use onya_core::ParticipantId;

use crate::auth::{AuthError, IssueError, Principal, Role};
use crate::telemetry::names::REJECTIONS_TOTAL;

/// An answer that is no success: `{"error": refusal}` with the status that belongs to its code.
#[derive(Clone, Debug)]
pub struct Failure {
    refusal: Box<Refusal>,
    status: StatusCode,
    allow: Option<&'static str>,
    about: Option<About>,
}

/// A refusal because of who asks, for whoever puts it on record.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    /// Who, if a token said so.
    pub(super) who: Option<(ParticipantId, Role)>,
    /// With which code.
    pub(super) code: ErrorCode,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a Refusal,
}

impl Failure {
    /// A failure that the edge itself found.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        metrics::counter!(REJECTIONS_TOTAL, "code" => code.as_str()).increment(1);
        let about = is_about_who(code).then_some(About { who: None, code });
        Self { about, ..Self::from(Refusal::new(code, message)) }
    }

    /// The one who is refused.
    #[must_use]
    pub(super) fn of(mut self, principal: &Principal) -> Self {
        if let Some(about) = &mut self.about {
            about.who = Some((principal.participant, principal.role));
        }
        self
    }

    /// There is nothing at this address.
    #[must_use]
    pub fn no_such_route() -> Self {
        Self::new(ErrorCode::NotFound, "nothing is at this address")
    }

    /// There is something at this address, for other methods.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self { status, ..Self::new(ErrorCode::BadRequest, "this address takes another method") }
    }

    /// The address takes WebSockets only.
    #[must_use]
    pub fn upgrade_required() -> Self {
        let status = StatusCode::UPGRADE_REQUIRED;
        Self { status, allow: Some("websocket"), ..Self::new(ErrorCode::BadRequest, "this address takes WebSockets") }
    }
}

/// What has been counted where it was decided.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { refusal: Box::new(refusal), status, allow: None, about: None }
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::new(auth_code(error), error.to_string())
    }
}

impl From<IssueError> for Failure {
    fn from(error: IssueError) -> Self {
        if matches!(error, IssueError::NotRenewable) {
            return Self::new(ErrorCode::Forbidden, error.to_string());
        }
        tracing::error!(%error, "no token could be made");
        Self::new(ErrorCode::Internal, "no token can be made")
    }
}

/// Whether a code says that somebody is not let in, or may not do something.
pub(super) const fn is_about_who(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unauthenticated | ErrorCode::TokenExpired | ErrorCode::Forbidden)
}

/// The code for a token that is not accepted. Only one that was good and has ended is worth replacing.
#[must_use]
pub fn auth_code(error: AuthError) -> ErrorCode {
    match error {
        AuthError::Expired => ErrorCode::TokenExpired,
        AuthError::NotYetValid
        | AuthError::UnknownKey
        | AuthError::Forged
        | AuthError::LivesTooLong
        | AuthError::Malformed => ErrorCode::Unauthenticated,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Body { error: &self.refusal })).into_response();
        if let Some(about) = self.about {
            response.extensions_mut().insert(about);
        }
        let headers = response.headers_mut();
        if let Some(wait_ms) = self.refusal.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1_000)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(protocol) = self.allow {
            headers.insert(header::UPGRADE, HeaderValue::from_static(protocol));
        }
        response
    }
}
