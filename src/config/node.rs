//! This process: its name and its folder.

use std::path::PathBuf;

use serde::Deserialize;

use super::rule::{Rule, is_some_text};

/// Section `[node]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Name in logs, traces and the cluster; the host name when none is configured.
    pub name: String,
    /// Folder of the embedded database and the generated keys.
    pub data_dir: PathBuf,
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("node.name", "1 to 63 letters, digits, '-', '_' or '.'", is_name).optional(),
    Rule::text("node.data_dir", "a path", is_some_text),
];

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=63).contains(&text.len()) && text.bytes().all(allowed)
}

/// The host's name in the form that `node.name` allows, or `onya` where the system gives none.
pub(super) fn host_name() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let name: String = name.trim().chars().take(63).collect();
    if is_name(&name) { name } else { "onya".to_owned() }
}
