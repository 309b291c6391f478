//! The customer's app inside other sites.

use serde::Deserialize;

use super::rule::Rule;
use super::server::is_origin;

/// Section `[web]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebConfig {
    /// Origins of the sites that may show the chat in a frame; this server itself always may.
    pub frame_ancestors: Vec<String>,
    /// Whether `/example` is served.
    pub example_page: bool,
}

pub(super) const RULES: &[Rule] = &[
    Rule::list("web.frame_ancestors", "a list of scheme://host[:port], without a path", is_origin),
    Rule::boolean("web.example_page"),
];
