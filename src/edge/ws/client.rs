//! The two kinds of client, seen by the pump: which frames they send, and who acts on them.

use std::sync::Arc;

use onya_actors::{CustomerConnection, SendQueue, StaffConnection};
use onya_core::ClientMsgId;
use onya_protocol::{CustomerFrame, ErrorCode, Refusal, StaffFrame};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::Span;

use crate::edge::json;
use crate::telemetry::names::REJECTIONS_TOTAL;
use crate::telemetry::traceparent;

/// Somebody who acts on frames and has frames to be written.
pub(super) trait Connection: Send + Sync {
    /// What its client sends.
    type Frame: ClientFrame;

    fn queue(&self) -> &Arc<SendQueue>;
    fn handle(&self, frame: Self::Frame) -> impl Future<Output = ()> + Send;
    fn ping(&self);
}

/// A frame of a client.
pub(super) trait ClientFrame: DeserializeOwned + Send {
    /// The span in which a frame that writes is acted on. The frame's trace context becomes the span's parent, and the
    /// span's own goes on from here.
    fn span(&mut self) -> Option<Span>;
}

impl Connection for CustomerConnection {
    type Frame = CustomerFrame;

    fn queue(&self) -> &Arc<SendQueue> {
        self.queue()
    }

    async fn handle(&self, frame: CustomerFrame) {
        self.handle(frame).await;
    }

    fn ping(&self) {
        self.ping();
    }
}

impl Connection for StaffConnection {
    type Frame = StaffFrame;

    fn queue(&self) -> &Arc<SendQueue> {
        self.queue()
    }

    async fn handle(&self, frame: StaffFrame) {
        self.handle(frame).await;
    }

    fn ping(&self) {
        self.ping();
    }
}

impl ClientFrame for CustomerFrame {
    fn span(&mut self) -> Option<Span> {
        match self {
            Self::Say { traceparent, .. } => Some(traced("say", traceparent)),
            Self::Stop { .. } => Some(span("stop")),
            Self::Regenerate { .. } => Some(span("regenerate")),
            Self::Rate { .. } => Some(span("rate")),
            Self::Escalate { .. } => Some(span("escalate")),
            Self::HandBack { .. } => Some(span("hand_back")),
            Self::Close { .. } => Some(span("close")),
            Self::Hello { .. } | Self::Typing { .. } | Self::Resume { .. } | Self::Ping {} | Self::Pong {} => None,
        }
    }
}

impl ClientFrame for StaffFrame {
    fn span(&mut self) -> Option<Span> {
        match self {
            Self::Say { traceparent, .. } => Some(traced("say", traceparent)),
            Self::Claim { .. } => Some(span("claim")),
            Self::TakeOver { .. } => Some(span("take_over")),
            Self::HandBack { .. } => Some(span("hand_back")),
            Self::Close { .. } => Some(span("close")),
            _ => None,
        }
    }
}

fn span(kind: &'static str) -> Span {
    tracing::info_span!("frame", kind)
}

fn traced(kind: &'static str, traceparent: &mut Option<String>) -> Span {
    let span = span(kind);
    traceparent::adopt(&span, traceparent.as_deref());
    *traceparent = traceparent::outgoing(&span, traceparent.as_deref());
    span
}

/// Reads a frame. A refusal names the command if that much can be read.
pub(super) fn read<F: DeserializeOwned>(text: &[u8]) -> Result<F, Refusal> {
    json::read(text).map_err(|error| Refusal {
        // Read past our own bounds: the name of a command whose text is refused is what its sender needs.
        client_msg_id: serde_json::from_slice::<Named>(text).ok().and_then(|named| named.client_msg_id),
        ..refusal(ErrorCode::BadRequest, format!("no frame of this protocol: {error}"))
    })
}

/// A refusal that the edge itself found.
pub(super) fn refusal(code: ErrorCode, message: impl Into<String>) -> Refusal {
    metrics::counter!(REJECTIONS_TOTAL, "code" => code.as_str()).increment(1);
    Refusal::new(code, message)
}

#[derive(Deserialize)]
struct Named {
    client_msg_id: Option<ClientMsgId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_command_where_it_can() {
        let refused = |text: &str| read::<CustomerFrame>(text.as_bytes()).unwrap_err();
        let named = refused(r#"{"type":"say","client_msg_id":"a1","text":7}"#);
        assert_eq!(named.client_msg_id.map(|id| id.to_string()).as_deref(), Some("a1"));
        assert_eq!(named.code, ErrorCode::BadRequest);
        let with_nul = refused(r#"{"type":"say","client_msg_id":"a1","text":"a\u0000b"}"#);
        assert_eq!(with_nul.client_msg_id.map(|id| id.to_string()).as_deref(), Some("a1"));
        for unnamed in ["", "{", "[]", r#"{"type":"fly"}"#, r#"{"type":"say","client_msg_id":"a b","text":"x"}"#] {
            assert_eq!(refused(unnamed).client_msg_id, None, "{unnamed}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let frame: CustomerFrame = read(br#"{"type":"typing","active":true,"mood":"good"}"#).unwrap();
        assert_eq!(frame, CustomerFrame::Typing { active: true });
    }

    #[test]
    fn a_malformed_trace_context_is_dropped() {
        let mut frame: CustomerFrame =
            read(br#"{"type":"say","client_msg_id":"a","text":"x","traceparent":"nonsense"}"#).unwrap();
        frame.span();
        assert!(matches!(frame, CustomerFrame::Say { traceparent: None, .. }));
    }
}
