//! Anchors of the audit.

use std::path::PathBuf;

use serde::Deserialize;

use super::auth::decode_hex;
use super::rule::{Rule, is_some_text};

/// Section `[audit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// File that anchors are added to; under the data folder for the embedded database when none is configured.
    pub anchor_file: Option<PathBuf>,
    /// File of the key that signs them; under the data folder for the embedded database when none is configured.
    pub anchor_key_file: Option<PathBuf>,
    /// Public keys that may have signed, 64 hexadecimal digits each.
    pub anchor_public_keys: Vec<String>,
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("audit.anchor_file", "a path", is_some_text).optional(),
    Rule::text("audit.anchor_key_file", "a path", is_some_text).optional(),
    Rule::list("audit.anchor_public_keys", "a list of 64 hexadecimal digits", is_public_key),
];

fn is_public_key(text: &str) -> bool {
    decode_hex(text).is_some_and(|bytes| bytes.len() == 32)
}
