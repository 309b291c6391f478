//! Times and sizes that the rules use; the shell fills them from its configuration.

/// Times and sizes in force. A change of policy changes no past decision: entries say what was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Longest time an attempt at a turn may take, in ms.
    pub turn_timeout_ms: u64,
    /// Attempts at a turn before it is given up.
    pub max_attempts: u32,
    /// Silence after which a conversation is closed, in ms; a customer who waits for a person is never closed.
    pub idle_close_ms: u64,
    /// Waiting time after which the customer is told that it goes on, in ms; doubles each time, up to 512 times this.
    pub queue_notice_ms: u64,
    /// Longest message, in bytes of UTF-8.
    pub max_message_bytes: usize,
    /// Longest comment of a rating or summary of an escalation, in bytes of UTF-8.
    pub max_comment_bytes: usize,
    /// Most entries a conversation may have before it takes no more messages. What ends or hands on what is already
    /// there still gets through: stop, escalate, close, and what staff do with control.
    pub max_entries: u64,
    /// Time after its end for which a conversation is kept before it is erased, in ms; `None`: for ever.
    pub retention_ms: Option<u64>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            turn_timeout_ms: 120_000,
            max_attempts: 3,
            idle_close_ms: 86_400_000,
            queue_notice_ms: 120_000,
            max_message_bytes: 16_384,
            max_comment_bytes: 2_048,
            max_entries: 1_000_000,
            retention_ms: None,
        }
    }
}
