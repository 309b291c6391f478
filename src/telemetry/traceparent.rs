//! How a trace crosses a wire: the W3C `traceparent` (<https://www.w3.org/TR/trace-context/>, version 00).
//!
//! A client's frame may carry one; it becomes the parent of our span, and the span's own goes to the model. Without a
//! collector there are no spans to name, and what came in goes out unchanged.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header that carries one over HTTP.
pub const HEADER: &str = "traceparent";

/// Reads a `traceparent`; `None` when it is malformed, which a reader must ignore.
#[must_use]
pub fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let version = lower_hex(parts.next()?, 2)?;
    let trace = lower_hex(parts.next()?, 32)?;
    let span = lower_hex(parts.next()?, 16)?;
    let flags = lower_hex(parts.next()?, 2)?;
    // A later version may append parts, ours may not; ff is reserved.
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

/// Makes the sender's span the parent of `span`. Does nothing when the text is malformed or traces are off; call it
/// before the span is entered.
pub fn adopt(span: &Span, traceparent: Option<&str>) {
    if let Some(remote) = traceparent.and_then(parse) {
        // The only failures are "traces are off" and "entered already"; neither may disturb the caller.
        let _ = span.set_parent(Context::new().with_remote_span_context(remote));
    }
}

/// The `traceparent` for a request that is made within `span`: its own, else the one that came in, if that is well formed.
#[must_use]
pub fn outgoing(span: &Span, incoming: Option<&str>) -> Option<String> {
    let context = span.context();
    let own = context.span().span_context().clone();
    let chosen = if own.is_valid() { Some(own) } else { incoming.and_then(parse) };
    chosen.map(|context| render(&context))
}

/// Writes a `traceparent`.
#[must_use]
pub fn render(context: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
}

fn lower_hex(part: &str, length: usize) -> Option<&str> {
    let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (part.len() == length && part.bytes().all(is_lower_hex)).then_some(part)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_and_written() {
        assert_eq!(render(&parse(GOOD).unwrap()), GOOD);
        let later = GOOD.replacen("00-", "01-", 1) + "-more";
        assert_eq!(render(&parse(&later).unwrap()), GOOD);
    }

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_span = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
        let forms =
            ["".to_owned(), "00".to_owned(), GOOD.to_uppercase(), format!("{GOOD}-more"), GOOD[..54].to_owned()];
        let more =
            [GOOD.replacen("00-", "ff-", 1), zero_trace, zero_span, format!(" {GOOD}"), format!("{GOOD}\r\nx: y")];
        for text in forms.into_iter().chain(more) {
            assert!(parse(&text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_span_continues_the_senders_trace() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("turn");
            adopt(&span, Some(GOOD));
            let sent = outgoing(&span, Some(GOOD)).unwrap();
            assert!(sent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && sent.ends_with("-01"), "{sent}");
            assert_ne!(sent, GOOD, "the span is a child of its own");
        });
    }

    #[test]
    fn without_traces_what_came_in_goes_out() {
        assert_eq!(outgoing(&Span::none(), Some(GOOD)).as_deref(), Some(GOOD));
        assert_eq!(outgoing(&Span::none(), Some("nonsense")), None);
        assert_eq!(outgoing(&Span::none(), None), None);
    }
}
