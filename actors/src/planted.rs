//! Faults that are built in on purpose, so that a fault campaign can show that its checker finds them.
//!
//! Nothing of this is in the program unless it is built with the feature `planted`, which an optimised build refuses:
//! without it [`is`] is a constant. One fault is chosen for a process, by its name in the variable `PLANTED_FAULT`.
//! The hooks are where the names are used; the variants of the append statement are in the store of Postgres.

#[cfg(all(feature = "planted", not(debug_assertions)))]
compile_error!("the feature `planted` breaks promises on purpose: it is for fault campaigns on debug builds only");

/// A promise that is broken on purpose. A new one is a line here, its name below, and a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An owner takes its entries for stored as soon as it has sent them.
    AckBeforeCommit,
    /// The fence is looked at, but the row is not locked.
    ExistsFence,
    /// An entry that is a repeat is dropped, and its neighbours are stored.
    OnConflict,
    /// A command that is sent again is another command.
    NoDedupe,
    /// Readers are shown entries that are on their way to the store.
    PublishBeforeCommit,
    /// An append whose outcome is unknown is sent again as it was.
    BlindRetry,
    /// A takeover leaves the reply in progress alone, which is then stored as the answer.
    FinalWithoutControl,
    /// Acts that the store did not take are given up, and whoever waits is told that they are on record.
    DroppedAuditRow,
    /// Each entry of an append is linked to the end before the append, not to the entry before it.
    UnchainedEntry,
    /// Neither a claim nor the search for conversations without an owner asks whether the owner lives.
    LiveOwnerRobbed,
    /// A node that may have been found dead shows what it remembers.
    StaleRead,
}

/// Whether this fault is planted in this process.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn is(_: Fault) -> bool {
    false
}

#[cfg(feature = "planted")]
pub use chosen::is;

#[cfg(feature = "planted")]
mod chosen {
    use std::sync::OnceLock;

    use super::Fault;

    /// Whether this fault is planted in this process.
    pub fn is(fault: Fault) -> bool {
        static CHOSEN: OnceLock<String> = OnceLock::new();
        let chosen = CHOSEN.get_or_init(|| {
            let name = std::env::var("PLANTED_FAULT").unwrap_or_default();
            tracing::error!(fault = name, "this program breaks its promises on purpose");
            name
        });
        chosen == name(fault)
    }

    const fn name(fault: Fault) -> &'static str {
        match fault {
            Fault::AckBeforeCommit => "ack-before-commit",
            Fault::ExistsFence => "exists-fence",
            Fault::OnConflict => "on-conflict",
            Fault::NoDedupe => "no-dedupe",
            Fault::PublishBeforeCommit => "publish-before-commit",
            Fault::BlindRetry => "blind-retry",
            Fault::FinalWithoutControl => "final-without-control",
            Fault::DroppedAuditRow => "dropped-audit-row",
            Fault::UnchainedEntry => "unchained-entry",
            Fault::LiveOwnerRobbed => "live-owner-robbed",
            Fault::StaleRead => "stale-read",
        }
    }
}
