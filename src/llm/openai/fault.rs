//! What went wrong in an attempt, what the turn makes of it, and whether to try again.

use std::time::Duration;

use onya_core::conversation::Failure;
use reqwest::StatusCode;
use serde_json::Value;

use super::upstream::Unreachable;

/// Longest error code that is logged. A code that is longer, or has other characters than a name, may be prose.
const MAX_CODE: usize = 64;

/// The end of a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its kind, for metrics and logs.
    pub outcome: &'static str,
    /// What the turn ends with, if nobody tries again.
    pub failure: Failure,
    /// Whether to try again.
    pub retry: Retry,
    /// The provider's status, if it sent one that says so.
    pub status: Option<u16>,
    /// The provider's error code, if it is one.
    pub code: Option<String>,
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// The same would happen again, or a part has been seen.
    Never,
    /// After a short wait of our choice.
    Soon,
    /// After the wait that the provider asks for.
    After(Duration),
}

impl Fault {
    const fn new(outcome: &'static str, failure: Failure, retry: Retry) -> Self {
        Self { outcome, failure, retry, status: None, code: None }
    }

    /// No connection, or it broke; after the headers if `begun`.
    pub(super) const fn unreachable(_: Unreachable, begun: bool) -> Self {
        Self::new(if begun { "broken_off" } else { "unreachable" }, Failure::ModelUnavailable, Retry::Soon)
    }

    /// A clock ran out. The same provider is not asked again: it would take as long again.
    pub(super) const fn timed_out(outcome: &'static str) -> Self {
        Self::new(outcome, Failure::TimedOut, Retry::Never)
    }

    /// What came is not what it should be.
    pub(super) const fn malformed() -> Self {
        Self::new("malformed", Failure::ModelUnavailable, Retry::Soon)
    }

    /// The stream ended without its last word.
    pub(super) const fn cut() -> Self {
        Self::new("cut", Failure::ReplyCut, Retry::Soon)
    }

    /// The stream ended and had said nothing.
    pub(super) const fn empty() -> Self {
        Self::new("empty", Failure::ModelUnavailable, Retry::Soon)
    }

    /// The provider's limit on tokens cut the reply.
    pub(super) const fn length() -> Self {
        Self::new("length", Failure::ReplyCut, Retry::Never)
    }

    /// The reply has more bytes than this server accepts.
    pub(super) const fn too_long() -> Self {
        Self::new("too_long", Failure::ReplyTooLong, Retry::Never)
    }

    /// The provider does not want to talk about it.
    pub(super) const fn content_refused() -> Self {
        Self::new("content_refused", Failure::ContentRefused, Retry::Never)
    }

    /// A call of a tool that does not exist, or with arguments that cannot be read.
    pub(super) const fn bad_tool_call() -> Self {
        Self::new("bad_tool_call", Failure::ReplyCut, Retry::Never)
    }

    /// The provider answered with a status that is no success.
    pub(super) fn refused(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let report = Report::read(body);
        let retry = retry_after.map_or(Retry::Soon, Retry::After);
        let fault = match status.as_u16() {
            _ if report.refuses_content() => Self::content_refused(),
            429 if report.is_final() => Self::new("rejected", Failure::ModelUnavailable, Retry::Never),
            429 => Self::new("rate_limited", Failure::ModelUnavailable, retry),
            408 | 500.. => Self::new("server_error", Failure::ModelUnavailable, retry),
            _ => Self::new("rejected", Failure::ModelUnavailable, Retry::Never),
        };
        Self { status: Some(status.as_u16()), code: report.code, ..fault }
    }

    /// The provider reported an error in the middle of a stream that had begun with success.
    pub(super) fn reported(data: &[u8]) -> Self {
        let report = Report::read(data);
        let retry = match report.status {
            Some(status) if (400..500).contains(&status) && !matches!(status, 408 | 429) => Retry::Never,
            _ if report.is_final() => Retry::Never,
            _ => Retry::Soon,
        };
        let fault = if report.refuses_content() {
            Self::content_refused()
        } else {
            Self::new("reported", Failure::ModelUnavailable, retry)
        };
        Self { status: report.status, code: report.code, ..fault }
    }

    /// Whether the provider itself says that something went wrong, rather than the wire.
    pub(super) fn is_reported(&self) -> bool {
        matches!(self.outcome, "reported" | "content_refused")
    }

    /// The same after content: nothing may be tried again, and what has been seen is no whole reply.
    pub(super) fn after_content(mut self) -> Self {
        self.retry = Retry::Never;
        if self.failure == Failure::ModelUnavailable {
            self.failure = Failure::ReplyCut;
        }
        self
    }
}

/// What an error says of itself; every provider has its own way.
#[derive(Default)]
struct Report {
    status: Option<u16>,
    code: Option<String>,
}

impl Report {
    fn read(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let error = body.get("error").filter(|error| error.is_object()).unwrap_or(&body);
        let fields = || ["code", "type", "status"].into_iter().filter_map(|name| error.get(name));
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let status = fields().filter_map(number).find_map(|status| u16::try_from(status).ok());
        let code = fields().filter_map(Value::as_str).find(|code| is_code(code)).map(str::to_owned);
        Self { status: status.filter(|status| (400..600).contains(status)), code }
    }

    fn refuses_content(&self) -> bool {
        matches!(self.code.as_deref(), Some("content_filter" | "content_policy_violation"))
    }

    /// Whether the same request would be refused again.
    fn is_final(&self) -> bool {
        const FINAL: [&str; 7] = [
            "insufficient_quota",
            "billing_hard_limit_reached",
            "invalid_api_key",
            "invalid_request_error",
            "context_length_exceeded",
            "model_not_found",
            "unsupported_parameter",
        ];
        self.code.as_deref().is_some_and(|code| FINAL.contains(&code))
    }
}

fn is_code(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=MAX_CODE).contains(&text.len())
        && text.bytes().all(is_name)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_decides_whether_to_try_again() {
        let soon = Retry::Soon;
        for (status, body, outcome, failure, retry) in [
            (429, "slow down", "rate_limited", Failure::ModelUnavailable, soon),
            (429, r#"{"error":{"code":"insufficient_quota"}}"#, "rejected", Failure::ModelUnavailable, Retry::Never),
            (500, "", "server_error", Failure::ModelUnavailable, soon),
            (503, "<html>", "server_error", Failure::ModelUnavailable, soon),
            (529, r#"{"error":{"type":"overloaded_error"}}"#, "server_error", Failure::ModelUnavailable, soon),
            (408, "", "server_error", Failure::ModelUnavailable, soon),
            (
                400,
                r#"{"error":{"code":"context_length_exceeded"}}"#,
                "rejected",
                Failure::ModelUnavailable,
                Retry::Never,
            ),
            (400, r#"{"error":{"code":"content_filter"}}"#, "content_refused", Failure::ContentRefused, Retry::Never),
            (401, "", "rejected", Failure::ModelUnavailable, Retry::Never),
            (403, "", "rejected", Failure::ModelUnavailable, Retry::Never),
            (404, "", "rejected", Failure::ModelUnavailable, Retry::Never),
            (302, "", "rejected", Failure::ModelUnavailable, Retry::Never),
        ] {
            let fault = Fault::refused(StatusCode::from_u16(status).unwrap(), None, body.as_bytes());
            assert_eq!((fault.outcome, fault.failure, fault.retry), (outcome, failure, retry), "{status} {body}");
            assert_eq!(fault.status, Some(status));
        }
        let fault = Fault::refused(StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_secs(3)), b"");
        assert_eq!(fault.retry, Retry::After(Duration::from_secs(3)));
    }

    #[test]
    fn an_error_in_a_stream_is_read_in_every_dialect() {
        for (data, status, code, retry) in [
            (r#"{"error":{"code":502,"message":"x"}}"#, Some(502), None, Retry::Soon),
            (r#"{"error":{"code":"401","type":"auth"}}"#, Some(401), Some("auth"), Retry::Never),
            (r#"{"error":{"code":429}}"#, Some(429), None, Retry::Soon),
            (r#"{"error":{"type":"invalid_request_error"}}"#, None, Some("invalid_request_error"), Retry::Never),
            (r#"{"error":"no capacity"}"#, None, None, Retry::Soon),
            (r#"{"error":{"code":"Key sk-123 is wrong"}}"#, None, None, Retry::Soon),
            ("overloaded", None, None, Retry::Soon),
        ] {
            let fault = Fault::reported(data.as_bytes());
            assert_eq!((fault.status, fault.code.as_deref(), fault.retry), (status, code, retry), "{data}");
        }
    }
}
