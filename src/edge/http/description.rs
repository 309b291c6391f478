//! `/openapi.json`: the routes as their handlers declare them, the wire's types as `onya-protocol` declares them.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use onya_protocol::{Control, CustomerFrame, LogEntry, QueueEntry, Refusal, ServerFrame, StaffFrame};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr, Schema, SecurityRequirement};
use utoipa::{Modify, OpenApi as _};

use super::responses::ErrorBody;
use crate::edge::router;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Onya",
        description = "Chat sessions: an AI in front, people behind it. Failures have one form, `{\"error\": …}`, with a \
                       stable code; commands carry an `Idempotency-Key` and can be repeated without harm.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(ErrorBody)),
    modifiers(&Bearer),
    tags(
        (name = "tokens", description = "Who is calling"),
        (name = "conversations", description = "Create and read"),
        (name = "commands", description = "Say, stop, rate, close …"),
        (name = "desk", description = "For staff"),
        (name = "erasure", description = "For supervisors: what people said goes, or must not go"),
        (name = "sockets", description = "Live, both ways; docs/PROTOCOL.md has the frames"),
        (name = "health", description = "For operators")
    )
)]
struct About;

#[derive(utoipa::OpenApi)]
#[openapi(paths(customer_socket, staff_socket))]
struct SocketRoutes;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi.components.get_or_insert_default().add_security_scheme("token", scheme);
        openapi.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("token", [])]);
    }
}

/// A customer's socket
///
/// One conversation, live. The first frame is `hello` with the token; docs/PROTOCOL.md has the rest.
#[utoipa::path(get, path = "/v1/conversations/{id}/socket", tag = "sockets", security(()),
    params(("id" = uuid::Uuid, Path)),
    responses((status = 101, description = "the socket is open"), (status = 403, description = "forbidden"),
        (status = 426, description = "bad_request"), (status = 503, description = "busy")))]
#[expect(dead_code, reason = "describes a route that takes every method")]
fn customer_socket() {}

/// A socket of staff
///
/// The queue, and any number of conversations, live.
#[utoipa::path(get, path = "/v1/desk/socket", tag = "sockets", security(()),
    responses((status = 101, description = "the socket is open"), (status = 403, description = "forbidden"),
        (status = 426, description = "bad_request"), (status = 503, description = "busy")))]
#[expect(dead_code, reason = "describes a route that takes every method")]
fn staff_socket() {}

/// What is said before any route.
pub(in crate::edge) fn about() -> OpenApi {
    About::openapi()
}

/// The routes of the sockets.
pub(in crate::edge) fn sockets() -> OpenApi {
    SocketRoutes::openapi()
}

pub(super) fn control() -> RefOr<Schema> {
    Ref::from_schema_name("Control").into()
}

pub(super) fn author() -> RefOr<Schema> {
    Ref::from_schema_name("Author").into()
}

pub(super) fn refusal() -> RefOr<Schema> {
    Ref::from_schema_name("Refusal").into()
}

pub(super) fn entries() -> RefOr<Schema> {
    array_of("LogEntry")
}

pub(super) fn queue_entries() -> RefOr<Schema> {
    array_of("QueueEntry")
}

fn array_of(name: &str) -> RefOr<Schema> {
    ArrayBuilder::new().items(Ref::from_schema_name(name)).build().into()
}

/// The description as it is served, made once.
static JSON: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document = serde_json::to_value(router::openapi()).unwrap_or_default();
    add_wire_types(&mut document);
    document.to_string().into()
});

/// Adds the types of `onya-protocol`, which know schemars and not utoipa; both speak JSON Schema 2020-12.
fn add_wire_types(document: &mut Value) {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = SchemaGenerator::new(settings);
    generator.subschema_for::<LogEntry>();
    generator.subschema_for::<Control>();
    generator.subschema_for::<QueueEntry>();
    generator.subschema_for::<Refusal>();
    generator.subschema_for::<CustomerFrame>();
    generator.subschema_for::<StaffFrame>();
    generator.subschema_for::<ServerFrame>();
    let schemas = &mut document["components"]["schemas"];
    if !schemas.is_object() {
        *schemas = json!({});
    }
    if let Some(schemas) = schemas.as_object_mut() {
        schemas.extend(generator.take_definitions(true));
    }
}

/// The description of every route.
pub(in crate::edge) async fn json() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], JSON.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_type_that_is_named_is_described() {
        let document: Value = serde_json::from_slice(&JSON).unwrap();
        let mut named = BTreeSet::new();
        references(&document, &mut named);
        assert!(named.len() > 10, "{named:?}");
        for name in named {
            let path = name.strip_prefix('#').unwrap();
            assert!(document.pointer(path).is_some(), "{name}");
        }
    }

    #[test]
    fn every_route_that_needs_a_token_says_how_it_fails() {
        let document: Value = serde_json::from_slice(&JSON).unwrap();
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() >= 19, "{:?}", paths.keys());
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap();
                let public = operation["security"].is_array();
                assert!(public || responses.contains_key("401"), "{method} {path}");
                assert!(operation["summary"].is_string(), "{method} {path}");
            }
        }
    }
}
