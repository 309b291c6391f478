//! Limits and times of a conversation.

use serde::Deserialize;

use super::rule::Rule;

/// Section `[conversation]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversationConfig {
    /// Longest life of a turn, in milliseconds.
    pub turn_timeout_ms: u64,
    /// Silence after which a conversation is closed, in milliseconds.
    pub idle_close_ms: u64,
    /// Wait for a person after which the customer is told again, in milliseconds.
    pub queue_notice_ms: u64,
    /// Longest message, in bytes of UTF-8.
    pub max_message_bytes: usize,
    /// Longest comment of a rating and summary of an escalation, in bytes of UTF-8.
    pub max_comment_bytes: usize,
    /// Most entries of one conversation.
    pub max_entries: u64,
    /// Runs of a turn before it ends as failed.
    pub max_attempts: u32,
    /// Idleness after which a conversation leaves the memory, in milliseconds.
    pub passivate_after_ms: u64,
    /// Time without a socket after which an agent loses a customer who waits, in milliseconds; 0 means never.
    pub agent_lost_after_ms: u64,
    /// Time after which work that waits while nothing is done is reported, in milliseconds.
    pub stuck_after_ms: u64,
    /// Commands that may wait for one conversation.
    pub inbox_commands: usize,
    /// Bytes that those commands may hold together.
    pub inbox_bytes: usize,
    /// Newest entries that are kept in memory.
    pub window_entries: usize,
    /// Bytes that those entries may hold together.
    pub window_bytes: usize,
    /// Time over which pieces of a reply are collected, in milliseconds.
    pub delta_window_ms: u64,
}

pub(super) const RULES: &[Rule] = &[
    Rule::integer("conversation.turn_timeout_ms", 1000, 900_000),
    Rule::integer("conversation.idle_close_ms", 60_000, 31_536_000_000),
    Rule::integer("conversation.queue_notice_ms", 1000, 86_400_000),
    Rule::integer("conversation.max_message_bytes", 1, 65_536),
    Rule::integer("conversation.max_comment_bytes", 1, 16_384),
    Rule::integer("conversation.max_entries", 1000, 100_000_000),
    Rule::integer("conversation.max_attempts", 1, 10),
    Rule::integer("conversation.passivate_after_ms", 1000, 86_400_000),
    Rule::integer("conversation.agent_lost_after_ms", 0, 86_400_000),
    Rule::integer("conversation.stuck_after_ms", 1000, 3_600_000),
    Rule::integer("conversation.inbox_commands", 1, 1024),
    Rule::integer("conversation.inbox_bytes", 4096, 16_777_216),
    Rule::integer("conversation.window_entries", 16, 4096),
    Rule::integer("conversation.window_bytes", 65_536, 16_777_216),
    Rule::integer("conversation.delta_window_ms", 0, 1000),
];
