//! What is the same for all: settings, times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use onya_actors::Settings;
use onya_actors::ports::TailLimit;
use onya_core::ConversationId;
use onya_core::cluster::Times;
use onya_core::conversation::Policy;

use crate::record::Record;

/// The nodes.
pub(crate) const NODES: [&str; 3] = ["node-a", "node-b", "node-c"];

/// Half of the defaults, so that a simulation sees more of what follows from them.
pub(crate) const fn times() -> Times {
    Times { heartbeat_ms: 1_000, stale_after_ms: 3_000, lease_ms: 1_500 }
}

/// Small bounds, so that they are met.
pub(crate) fn settings() -> Settings {
    Settings {
        policy: Policy { turn_timeout_ms: 12_000, ..Policy::default() },
        window: TailLimit { entries: 12, bytes: 8_192 },
        snapshot_entries: 6,
        inbox_commands: 4,
        passivate_after_ms: 3_000,
        snapshot_every: 8,
        goaway_spread_ms: 300,
        drain_reply_limit_ms: 1_500,
        ..Settings::default()
    }
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// People talk, things break.
    Trouble,
    /// Nothing breaks any more, nobody says anything new; what was begun is brought to its end.
    Rest,
    /// All are to leave.
    Over,
}

/// The phase, as everybody sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course(Arc<AtomicU8>);

impl Course {
    pub(crate) fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Trouble,
            1 => Phase::Rest,
            _ => Phase::Over,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }
}

/// All conversations that somebody was brought to.
pub(crate) fn conversations(record: &Record) -> Vec<ConversationId> {
    record.story().conversations.iter().copied().collect()
}
