//! Limits and times of a WebSocket.

use serde::Deserialize;

use super::rule::Rule;

/// Section `[socket]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketConfig {
    /// Time for the first frame, in milliseconds.
    pub hello_timeout_ms: u64,
    /// Time between two pings, in milliseconds.
    pub ping_interval_ms: u64,
    /// Longest wait for a pong, in milliseconds.
    pub pong_timeout_ms: u64,
    /// Longest time for writing a frame, in milliseconds.
    pub write_timeout_ms: u64,
    /// Largest frame and message, in bytes.
    pub max_frame_bytes: usize,
    /// Frames that may wait for a slow reader.
    pub send_queue_frames: usize,
    /// Bytes that those frames may hold together.
    pub send_queue_bytes: usize,
}

pub(super) const RULES: &[Rule] = &[
    Rule::integer("socket.hello_timeout_ms", 100, 60_000),
    Rule::integer("socket.ping_interval_ms", 1000, 300_000),
    Rule::integer("socket.pong_timeout_ms", 100, 60_000),
    Rule::integer("socket.write_timeout_ms", 100, 120_000),
    Rule::integer("socket.max_frame_bytes", 4096, 1_048_576),
    Rule::integer("socket.send_queue_frames", 8, 65_536),
    Rule::integer("socket.send_queue_bytes", 65_536, 67_108_864),
];
