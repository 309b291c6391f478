//! What is late, among the members of a cluster.

/// The times of a cluster, in milliseconds; the same at every member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Between two heartbeats of a member in the store.
    pub heartbeat_ms: u64,
    /// A member without a heartbeat for so long may be found dead on the word of one observer.
    pub stale_after_ms: u64,
    /// A lease that is not renewed ends after so long.
    pub lease_ms: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self { heartbeat_ms: 2_000, stale_after_ms: 6_000, lease_ms: 3_000 }
    }
}

impl Times {
    /// Between two looks at the others in the store: a change of the view is seen so soon.
    #[must_use]
    pub const fn look_ms(&self) -> u64 {
        self.heartbeat_ms / 4
    }

    /// Between two renewals of a lease: two may be lost.
    #[must_use]
    pub const fn renew_ms(&self) -> u64 {
        self.lease_ms / 3
    }

    /// A heartbeat that is older is late. Whoever beats in time is never found dead, whatever became of its lease.
    #[must_use]
    pub const fn late_after_ms(&self) -> u64 {
        self.heartbeat_ms + self.heartbeat_ms / 2
    }

    /// A jump of the store's clock that is not told from a slow answer. Less than what makes a heartbeat late, so that
    /// it makes none late that is in time.
    #[must_use]
    pub const fn unnoticed_jump_ms(&self) -> u64 {
        self.heartbeat_ms / 4
    }

    /// For so long an accusation counts as one of two.
    #[must_use]
    pub const fn accused_for_ms(&self) -> u64 {
        self.lease_ms
    }
}
