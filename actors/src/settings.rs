//! Sizes and times of the running parts; `app` fills them from the configuration.

use onya_core::conversation::Policy;
use onya_protocol::Notices;

use crate::ports::TailLimit;

/// Sizes and times in force. Fields say their unit.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the rules use.
    pub policy: Policy,
    /// Texts that customers are shown by the server.
    pub notices: Notices,
    /// Commands that may wait for one conversation before it answers `busy`.
    pub inbox_commands: usize,
    /// Bytes of text that may wait for one conversation before it answers `busy`.
    pub inbox_bytes: usize,
    /// How much of the log's end an actor holds, for readers and for the prompt.
    pub window: TailLimit,
    /// Entries sent to a reader who has none of the log.
    pub snapshot_entries: usize,
    /// Text of the log that the model is shown, in bytes.
    pub prompt_bytes: usize,
    /// Longest reply, in bytes of UTF-8.
    pub max_reply_bytes: usize,
    /// For how long text of the model is collected after the first, before more is sent, in ms.
    pub delta_window_ms: u64,
    /// Idle time after which an actor leaves memory, in ms.
    pub passivate_after_ms: u64,
    /// Entries between two stored snapshots.
    pub snapshot_every: u64,
    /// Conversations that are loaded from the store at the same time.
    pub activations: usize,
    /// Lanes on which appends run at the same time; a conversation is always on one.
    pub lanes: usize,
    /// Most entries in one batch.
    pub batch_entries: usize,
    /// Bytes of text that may wait to be stored, over all conversations, before appends are refused.
    pub append_queue_bytes: usize,
    /// Frames that may wait for one socket before it is closed as too slow.
    pub send_queue_frames: usize,
    /// Bytes that may wait for one socket before it is closed as too slow.
    pub send_queue_bytes: usize,
    /// How long replies in progress may go on after a shutdown began, in ms.
    pub drain_reply_limit_ms: u64,
    /// Over which time clients are told to come back when a shutdown begins, in ms.
    pub goaway_spread_ms: u64,
    /// How often timers and abandoned turns are looked for, in ms.
    pub sweep_interval_ms: u64,
    /// How long an agent to whom a customer has said something may be connected nowhere before the customer goes back to
    /// the queue, in ms; 0 means for ever.
    pub agent_lost_after_ms: u64,
    /// Time after which a conversation in which work waits and nothing is done counts as stuck, in ms; after twice that its
    /// actor is replaced.
    pub stuck_after_ms: u64,
}

impl Settings {
    /// What a reader is shown of a log: texts of the server, and how many of the newest entries.
    pub(crate) const fn shown(&self) -> (&Notices, usize) {
        (&self.notices, self.snapshot_entries)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            notices: Notices::default(),
            inbox_commands: 32,
            inbox_bytes: 256 * 1024,
            window: TailLimit { entries: 200, bytes: 256 * 1024 },
            snapshot_entries: 50,
            prompt_bytes: 64 * 1024,
            max_reply_bytes: 256 * 1024,
            delta_window_ms: 40,
            passivate_after_ms: 60_000,
            snapshot_every: 64,
            activations: 4,
            lanes: 2,
            batch_entries: 512,
            append_queue_bytes: 64 * 1024 * 1024,
            send_queue_frames: 1_024,
            send_queue_bytes: 1024 * 1024,
            drain_reply_limit_ms: 20_000,
            goaway_spread_ms: 5_000,
            sweep_interval_ms: 500,
            agent_lost_after_ms: 15_000,
            stuck_after_ms: 30_000,
        }
    }
}
