//! What surrounds every request: the origin gate, the time limit, a span, metrics, and headers that browsers obey.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use onya_actors::Refused;
use onya_protocol::ErrorCode;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::Edge;
use super::error::{About, Failure};
use super::meters::{Answer, Meters};
use crate::telemetry::traceparent;

/// Pages set a policy of their own; everything else is data and may do nothing.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// How a policy says that no page may show this one.
const NO_FRAME: &str = "frame-ancestors 'none'";

/// What surrounds the routes needs.
pub(super) struct Observer {
    edge: Arc<Edge>,
    meters: Meters,
}

impl Observer {
    pub(super) fn new(edge: Arc<Edge>) -> Arc<Self> {
        Arc::new(Self { edge, meters: Meters::default() })
    }
}

/// The gate, the limit and the measurements.
pub(super) async fn observe(State(observer): State<Arc<Observer>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let edge = &observer.edge;
    let method = method_label(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!("http", method = %request.method(), route, status = tracing::field::Empty);
    traceparent::adopt(&span, header_text(&request, traceparent::HEADER));
    let response = answer(edge, request, next).instrument(span.clone()).await;
    if let Some(about) = response.extensions().get::<About>() {
        let who = about.who.map(|(id, role)| (id, role.name()));
        let route = format!("{method} {route}");
        edge.sessions.note_refusal(Refused { who, route: &route, conversation: None, code: about.code });
    }
    let status = response.status();
    span.record("status", status.as_u16());
    observer.meters.count(route, Answer { method, status }, began.elapsed());
    // What follows a handshake is no page.
    if status == StatusCode::SWITCHING_PROTOCOLS { response } else { with_headers(response) }
}

async fn answer(edge: &Edge, request: Request, next: Next) -> Response {
    if must_show_origin(&request) && !edge.origins.allow(request.headers()) {
        return Failure::new(ErrorCode::Forbidden, "this page may not call this server").into_response();
    }
    match timeout(Duration::from_millis(edge.limits.request_timeout_ms), next.run(request)).await {
        Ok(response) if response.status() == StatusCode::METHOD_NOT_ALLOWED => not_allowed(response),
        Ok(response) => response,
        Err(_) => Failure::new(ErrorCode::Unknown, "no answer in time; the outcome is not known").into_response(),
    }
}

/// Whatever changes something, and every WebSocket: those are not protected by the same-origin policy.
fn must_show_origin(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD) || request.headers().contains_key(header::UPGRADE)
}

/// The router's own answer has no body; the methods that it lists are kept.
fn not_allowed(response: Response) -> Response {
    let mut answer = Failure::method_not_allowed().into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    answer
}

fn with_headers(mut response: Response) -> Response {
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let unless_set = [
        (header::CONTENT_SECURITY_POLICY, DATA_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in unless_set {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // The same for browsers that know no policy. It cannot list sites, and would forbid those that the policy allows.
    let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
    if policy.is_some_and(|policy| policy.contains(NO_FRAME)) {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    response
}

/// A method of the client's own making must not become a label.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn header_text<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}
