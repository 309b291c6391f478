//! Whether the process lives, wants work, and what it is made of.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use futures::future::join_all;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::edge::Edge;
use crate::edge::health::{Probe, ProbeOutcome};

/// Longest wait for the answer of a part.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The state of the process.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct HealthView {
    /// `ok`, or `degraded` if a part does not answer.
    status: &'static str,
    /// Version of Onya.
    version: &'static str,
    /// Name of this process.
    node: String,
    /// What it is made of.
    components: Vec<ComponentView>,
}

/// A part of the process.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct ComponentView {
    /// `store`, `model` or `redis`.
    name: &'static str,
    /// `ok` or `down`.
    status: &'static str,
    /// What it is, with its version where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Yes or no.
#[derive(Serialize, ToSchema)]
pub(in crate::edge) struct StatusView {
    /// `ok` or `draining`.
    status: &'static str,
}

/// Components and versions
#[utoipa::path(get, path = "/health", tag = "health", security(()),
    responses((status = 200, body = HealthView, description = "every part answers"),
        (status = 503, body = HealthView, description = "a part does not answer")))]
pub(in crate::edge) async fn all(State(edge): State<Arc<Edge>>) -> (StatusCode, Json<HealthView>) {
    let components = join_all(edge.probes.iter().map(|probe| ask(&**probe))).await;
    let ok = components.iter().all(|component| component.status == "ok");
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let view = HealthView {
        status: if ok { "ok" } else { "degraded" },
        version: env!("CARGO_PKG_VERSION"),
        node: edge.node.clone(),
        components,
    };
    (status, Json(view))
}

/// Whether the process lives
#[utoipa::path(get, path = "/health/live", tag = "health", security(()),
    responses((status = 200, body = StatusView, description = "it answers, so it lives")))]
pub(in crate::edge) async fn live() -> Json<StatusView> {
    Json(StatusView { status: "ok" })
}

/// Whether the process wants work
///
/// Says nothing about its database: one that is gone for all processes must not take them all out of service.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, body = StatusView, description = "send work"),
        (status = 503, body = StatusView, description = "it is shutting down")))]
pub(in crate::edge) async fn ready(State(edge): State<Arc<Edge>>) -> (StatusCode, Json<StatusView>) {
    if edge.ready.get() {
        (StatusCode::OK, Json(StatusView { status: "ok" }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(StatusView { status: "draining" }))
    }
}

async fn ask(probe: &dyn Probe) -> ComponentView {
    let name = probe.name();
    match timeout(PROBE_TIMEOUT, probe.probe()).await {
        Ok(ProbeOutcome::Up(detail)) => ComponentView { name, status: "ok", detail: Some(detail) },
        Ok(ProbeOutcome::Down) | Err(_) => ComponentView { name, status: "down", detail: None },
    }
}
