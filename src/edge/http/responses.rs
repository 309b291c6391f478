//! Which failures a route can answer with, for its description. One list for each kind of route.

use std::collections::BTreeMap;

use onya_protocol::ErrorCode;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// The body of every failure.
#[derive(ToSchema)]
#[expect(dead_code, reason = "this type exists for its schema only")]
pub(in crate::edge) struct ErrorBody {
    /// What is refused, and why.
    #[schema(schema_with = super::description::refusal)]
    error: (),
}

macro_rules! failures {
    ($($(#[doc = $doc:literal])* $name:ident: $($code:ident)*;)*) => {$(
        $(#[doc = $doc])*
        pub(in crate::edge) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                described(&[$(ErrorCode::$code),*])
            }
        }
    )*};
}

failures! {
    /// Anybody may ask.
    PublicErrors: Forbidden Busy Unknown Internal;
    /// A visitor asks for another token.
    RenewErrors: Unauthenticated TokenExpired Forbidden Unknown Internal;
    /// A customer opens a conversation.
    OpenErrors: BadRequest Unauthenticated TokenExpired Forbidden TooLarge Busy Unknown Internal;
    /// Somebody with a token reads a conversation.
    ReadErrors: BadRequest Unauthenticated TokenExpired Forbidden NotFound Busy Unknown Internal;
    /// Staff read a list.
    ListErrors: BadRequest Unauthenticated TokenExpired Forbidden Busy Unknown Internal;
    /// Somebody sends a command.
    CommandErrors: BadRequest Unsupported Unauthenticated TokenExpired Forbidden NotFound TooLarge IdConflict OutOfOrder
        ControlChanged Closed NothingToDo OnHold Full Busy Unknown Internal;
    /// A supervisor places or lifts a legal hold.
    HoldErrors: BadRequest Unauthenticated TokenExpired Forbidden NotFound TooLarge Busy Unknown Internal;
}

fn described(codes: &[ErrorCode]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.http_status().to_string()).or_default().push(code.as_str());
    }
    let response = |codes: Vec<&str>| {
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
        ResponseBuilder::new().description(codes.join(", ")).content("application/json", body).build().into()
    };
    by_status.into_iter().map(|(status, codes)| (status, response(codes))).collect()
}
