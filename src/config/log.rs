//! What is logged, and in which form.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::rule::Rule;

/// Section `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// A level, or a list of `module=level`.
    pub level: String,
    /// Form of a line.
    pub format: LogFormat,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Readable,
    /// One JSON object a line.
    Json,
}

pub(super) const RULES: &[Rule] = &[
    Rule::text("log.level", "error, warn, info, debug, trace, or a list such as info,onya::edge=debug", is_filter),
    Rule::one_of("log.format", &["readable", "json"]),
];

/// A filter takes any unknown word for the name of a module, so a misspelt level has to be found before it is asked.
fn is_filter(text: &str) -> bool {
    let is_level = |word: &str| ["error", "warn", "info", "debug", "trace", "off"].contains(&word);
    let mut parts = text.split(',');
    parts.all(|part| match part.rsplit_once('=') {
        Some((_, level)) => is_level(&level.to_ascii_lowercase()),
        None => is_level(&part.to_ascii_lowercase()),
    }) && EnvFilter::try_new(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_a_list_is_a_filter() {
        for good in ["info", "WARN", "info,onya::edge=debug", "onya=trace,sqlx=off"] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["", "verbose", "infoo", "onya", "onya=loud", "info,,debug", "on ya=info=", "5"] {
            assert!(!is_filter(bad), "{bad}");
        }
    }
}
