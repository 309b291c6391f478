//! The pages and what they load: the customer's app as `web/` builds it (`web/dist`), the desk and the description of the
//! API as they stand in `web/embedded`.
//!
//! No script stands in a page, so that its policy can forbid that everywhere. Which file is served in which coding is in
//! `files.rs`, what a page may do and who may show it in `policy.rs`.

mod coding;
mod files;
mod policy;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use self::files::{App, Delivery, REVALIDATE, StaffPages, deliver, extension};
pub use self::policy::Pages;
use crate::edge::Edge;
use crate::edge::error::Failure;

/// A fingerprint stands in the name: other content has another name.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Any site may load it as a script.
const ANY_SITE: &str = "cross-origin";

pub(in crate::edge) async fn customer(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    page::<App>("index.html", &headers, edge.pages.own.clone())
}

/// The chat as other sites show it, in a frame.
pub(in crate::edge) async fn embed(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    page::<App>("embed.html", &headers, edge.pages.embed.clone())
}

/// The script of a site that shows the chat. Its name stays the same, so it is asked for each time.
pub(in crate::edge) async fn widget(headers: HeaderMap) -> Response {
    let mut response = script("widget.js", &headers);
    response
        .headers_mut()
        .insert(header::HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static(ANY_SITE));
    response
}

/// What the app loads.
pub(in crate::edge) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let is_asset = matches!(extension(&name), "css" | "ico" | "js" | "png" | "svg" | "webp" | "woff2");
    if !is_asset || name.contains(['/', '\\']) {
        return Failure::no_such_route().into_response();
    }
    deliver::<App>(&format!("assets/{name}"), &headers, Delivery { cache: FOREVER, policy: None })
}

/// A site that shows the chat, for those who want to see how it looks.
pub(in crate::edge) async fn example(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    match &edge.pages.example {
        Some(policy) => page::<App>("example.html", &headers, policy.clone()),
        None => Failure::no_such_route().into_response(),
    }
}

/// What the example loads.
pub(in crate::edge) async fn example_script(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    if edge.pages.example.is_some() { script("example.js", &headers) } else { Failure::no_such_route().into_response() }
}

pub(in crate::edge) async fn desk(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    page::<StaffPages>("desk.html", &headers, edge.pages.own.clone())
}

pub(in crate::edge) async fn docs(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    page::<StaffPages>("docs.html", &headers, edge.pages.own.clone())
}

/// What the desk and the description load. A page itself has its own address, and tests are none of them.
pub(in crate::edge) async fn staff_file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let is_loaded = matches!(extension(&name), "css" | "js" | "svg") && !name.contains(['/', '\\']);
    if !is_loaded {
        return Failure::no_such_route().into_response();
    }
    deliver::<StaffPages>(&name, &headers, Delivery { cache: REVALIDATE, policy: None })
}

fn page<F: rust_embed::RustEmbed>(name: &str, headers: &HeaderMap, policy: HeaderValue) -> Response {
    deliver::<F>(name, headers, Delivery { cache: REVALIDATE, policy: Some(policy) })
}

fn script(name: &str, headers: &HeaderMap) -> Response {
    deliver::<App>(name, headers, Delivery { cache: REVALIDATE, policy: None })
}
