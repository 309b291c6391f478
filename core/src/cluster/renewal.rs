//! When a member renews its lease, and looks at those of others with it.

use std::collections::BTreeSet;

use super::suspicion::Lease;
use super::times::Times;
use crate::Incarnation;

/// Pauses of one member between two renewals.
#[derive(Clone, Debug)]
pub struct Renewal {
    times: Times,
    /// Those watched whose lease has been there.
    known: BTreeSet<Incarnation>,
}

impl Renewal {
    /// The pause after a failure, and while a lease has ended, in milliseconds.
    pub const SHORT_PAUSE_MS: u64 = 250;
    /// A lease is looked at so many milliseconds after it should have ended.
    const AFTER_THE_END_MS: u64 = 10;

    /// Has seen no lease yet.
    #[must_use]
    pub const fn new(times: Times) -> Self {
        Self { times, known: BTreeSet::new() }
    }

    /// Milliseconds until the own lease is to be renewed, or the first of the others should have ended.
    pub fn pause_ms(&mut self, leases: &[(Incarnation, Lease)]) -> u64 {
        self.known.retain(|member| leases.iter().any(|(other, _)| other == member));
        let mut pause = self.times.renew_ms();
        for (member, lease) in leases {
            match lease {
                Lease::Held { for_ms } => {
                    self.known.insert(*member);
                    pause = pause.min(for_ms.saturating_add(Self::AFTER_THE_END_MS));
                }
                Lease::Missing if self.known.contains(member) => pause = pause.min(Self::SHORT_PAUSE_MS),
                Lease::Missing => {}
            }
        }
        pause
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const OTHER: Incarnation = Incarnation(Uuid::from_u128(2));

    #[test]
    fn a_lease_is_looked_at_when_it_should_have_ended_and_often_once_it_has() {
        let mut renewal = Renewal::new(Times::default());
        assert_eq!(renewal.pause_ms(&[(OTHER, Lease::Missing)]), 1_000, "one that was never there is no reason");
        assert_eq!(renewal.pause_ms(&[(OTHER, Lease::Held { for_ms: 2_900 })]), 1_000);
        assert_eq!(renewal.pause_ms(&[(OTHER, Lease::Held { for_ms: 400 })]), 410);
        assert_eq!(renewal.pause_ms(&[(OTHER, Lease::Missing)]), 250);
        assert_eq!(renewal.pause_ms(&[]), 1_000);
        assert_eq!(renewal.pause_ms(&[(OTHER, Lease::Missing)]), 1_000, "it is watched anew");
    }
}
