//! Every route.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse as _;
use axum::routing::{any, get};
use onya_actors::ports::Membership;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Failure;
use super::http::{
    commands, conversations, description, entries, erasure, health, members, pages, queue, search, tokens, transcript,
};
use super::observe::{self, Observer};
use super::{Edge, ws};
use crate::telemetry::Metrics;

/// The routes that are described in `/openapi.json`.
fn described() -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::with_openapi(description::about())
        .routes(routes!(tokens::anonymous))
        .routes(routes!(tokens::renew))
        .routes(routes!(conversations::create, conversations::list))
        .routes(routes!(conversations::show))
        .routes(routes!(entries::page))
        .routes(routes!(transcript::show))
        .routes(routes!(commands::say))
        .routes(routes!(commands::stop))
        .routes(routes!(commands::regenerate))
        .routes(routes!(commands::rate))
        .routes(routes!(commands::escalate))
        .routes(routes!(commands::close))
        .routes(routes!(commands::hand_back))
        .routes(routes!(search::show))
        .routes(routes!(queue::show))
        .routes(routes!(queue::claim))
        .routes(routes!(queue::take_over))
        .routes(routes!(erasure::conversation))
        .routes(routes!(erasure::customer))
        .routes(routes!(erasure::hold, erasure::place_hold, erasure::lift_hold))
        .routes(routes!(health::all))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

/// Everything on the server's port.
pub fn router(edge: Arc<Edge>) -> Router {
    let (described, _) = described().split_for_parts();
    described
        .route("/openapi.json", get(description::json))
        .route("/", get(pages::customer))
        .route("/embed", get(pages::embed))
        .route("/widget.js", get(pages::widget))
        .route("/assets/{file}", get(pages::asset))
        .route("/example", get(pages::example))
        .route("/example.js", get(pages::example_script))
        .route("/desk", get(pages::desk))
        .route("/docs", get(pages::docs))
        .route("/pages/{file}", get(pages::staff_file))
        .fallback(async || Failure::no_such_route())
        .layer(DefaultBodyLimit::max(edge.limits.max_body_bytes))
        // No body of theirs is ever read.
        .route("/v1/conversations/{id}/socket", any(ws::customer))
        .route("/v1/desk/socket", any(ws::staff))
        .layer(from_fn_with_state(Observer::new(Arc::clone(&edge)), observe::observe))
        .with_state(edge)
}

/// Everything on the port of the metrics; `members` if this node is one of several.
pub fn metrics_router(metrics: Metrics, members: Option<Arc<dyn Membership>>) -> Router {
    let render = async |State(metrics): State<Metrics>| {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
    };
    let router = Router::new().route("/metrics", get(render)).with_state(metrics);
    match members {
        Some(members) => router.merge(Router::new().route("/members", get(members::show)).with_state(members)),
        None => router,
    }
}

/// The description of the described routes, and of the sockets beside them.
#[must_use]
pub fn openapi() -> OpenApi {
    described().into_openapi().merge_from(description::sockets())
}
