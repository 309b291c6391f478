//! For how long what people said is kept.

use serde::Deserialize;

use super::rule::Rule;

/// Section `[retention]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// Days after its end for which a conversation is kept before it is erased; 0: for ever.
    pub closed_days: u64,
}

impl RetentionConfig {
    /// The same in milliseconds; `None`: for ever.
    #[must_use]
    pub const fn closed_ms(&self) -> Option<u64> {
        const DAY_MS: u64 = 86_400_000;
        if self.closed_days == 0 { None } else { Some(self.closed_days.saturating_mul(DAY_MS)) }
    }
}

/// A century is as long as for ever, and its milliseconds fit every column.
pub(super) const RULES: &[Rule] = &[Rule::integer("retention.closed_days", 0, 36_500)];
