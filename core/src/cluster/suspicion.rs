//! What one member has seen of others, and whom it should accuse.
//!
//! There are two kinds of evidence. A *lease* that has ended is seen at once, but lies in Redis, whose memory may be lost
//! and whose clock may jump. A *heartbeat* is a time in the store, by the store's clock; it is sure, and slow. Each counts
//! only for somebody who was well placed to see it:
//!
//! - leases, if Redis has answered this member without a break for as long as a lease lasts and has kept its own one
//!   meanwhile; a lease counts as ended once the time that was left when it was last seen is over, and never if most of
//!   those watched are gone, because then it was Redis that died;
//! - heartbeats, if this member's own were stored without a break for as long as makes others stale, and the store's clock
//!   went on evenly.
//!
//! An accusation is no verdict: the store asks for a second accuser, or for a heartbeat that is stale. It also refuses a
//! verdict on anybody whose heartbeat is not late, and so does this.
//!
//! Times are milliseconds of any clock of this machine that never jumps; only differences matter.

use std::collections::BTreeMap;

use super::member::View;
use super::steadiness::Steadiness;
use super::times::Times;
use crate::{Incarnation, Timestamp};

/// How many others each member watches: what all of them do together grows with their number only.
const WATCHED: usize = 3;

/// A lease, as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It lasts for so many milliseconds more if it is not renewed.
    Held {
        /// From the moment in which it was asked for.
        for_ms: u64,
    },
    /// There is none.
    Missing,
}

/// What speaks against a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// Its lease has ended and its heartbeat is late.
    Lease,
    /// Its heartbeat is stale.
    Heartbeat,
}

impl Evidence {
    /// The evidence as it is counted.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// Somebody who is probably dead, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accusation {
    /// Who.
    pub suspect: Incarnation,
    /// Why.
    pub evidence: Evidence,
}

/// What one member has seen.
#[derive(Clone, Debug)]
pub struct Observer {
    me: Incarnation,
    times: Times,
    beats: Steadiness,
    /// The store's clock and this machine's, as they were last seen together.
    clocks: Option<(Timestamp, u64)>,
    /// Age of each heartbeat at the newest look, and when that was.
    ages: BTreeMap<Incarnation, u64>,
    looked_at: u64,
    leases: Sighting,
    /// When each lease would end that has ever been seen.
    ends: BTreeMap<Incarnation, u64>,
}

/// The newest look at the leases.
#[derive(Clone, Debug, Default)]
struct Sighting {
    at: u64,
    steady_ms: u64,
    seen: BTreeMap<Incarnation, Lease>,
}

impl Observer {
    /// Has seen nothing yet.
    #[must_use]
    pub fn new(me: Incarnation, times: Times) -> Self {
        Self {
            me,
            times,
            beats: Steadiness::new(2 * times.heartbeat_ms),
            clocks: None,
            ages: BTreeMap::new(),
            looked_at: 0,
            leases: Sighting::default(),
            ends: BTreeMap::new(),
        }
    }

    /// Whom this member watches: those who follow it by name.
    #[must_use]
    pub fn watched(&self, view: &View) -> Vec<Incarnation> {
        let Some(mine) = view.members.iter().position(|member| member.incarnation == self.me) else {
            return Vec::new();
        };
        let (before, after) = view.members.split_at(mine);
        let others = after.iter().skip(1).chain(before);
        others.take(WATCHED).map(|member| member.incarnation).collect()
    }

    /// This member's own heartbeat was stored, at this time of the store's clock.
    pub fn beat(&mut self, now_ms: u64, at: Timestamp) {
        self.compare_clocks(now_ms, at);
        self.beats.succeeded(now_ms);
    }

    /// The store told how old the heartbeats of those watched are, in milliseconds, at this time of its clock.
    pub fn looked(&mut self, now_ms: u64, at: Timestamp, ages: impl IntoIterator<Item = (Incarnation, u64)>) {
        self.compare_clocks(now_ms, at);
        self.ages = ages.into_iter().collect();
        self.looked_at = now_ms;
    }

    /// The store did not answer.
    pub fn store_failed(&mut self) {
        self.beats.failed();
        self.clocks = None;
    }

    /// The leases of those watched, asked for at this time. For `steady_ms` before it Redis has answered without a break,
    /// and has kept this member's own lease.
    pub fn leases_seen(
        &mut self,
        asked_ms: u64,
        steady_ms: u64,
        leases: impl IntoIterator<Item = (Incarnation, Lease)>,
    ) {
        let seen: BTreeMap<_, _> = leases.into_iter().collect();
        self.ends.retain(|member, _| seen.contains_key(member));
        for (member, lease) in &seen {
            if let Lease::Held { for_ms } = lease {
                self.ends.insert(*member, asked_ms + for_ms.min(&self.times.lease_ms));
            }
        }
        self.leases = Sighting { at: asked_ms, steady_ms, seen };
    }

    /// Whether this member may judge by heartbeats.
    #[must_use]
    pub fn trusts_heartbeats(&self, now_ms: u64) -> bool {
        self.beats.steady_ms(now_ms) >= self.times.stale_after_ms
    }

    /// Whether this member may judge by leases. That a heartbeat is late besides is for the store's clock to say.
    #[must_use]
    pub fn trusts_leases(&self, now_ms: u64) -> bool {
        let is_new = now_ms.saturating_sub(self.leases.at) <= self.times.lease_ms;
        let is_steady = is_new && self.leases.steady_ms >= self.times.lease_ms;
        is_steady && self.beats.steady_ms(now_ms) >= self.times.late_after_ms() && !self.most_leases_are_gone()
    }

    /// Whether leases have ended of members whose heartbeats may be late by now: a reason to look at those.
    #[must_use]
    pub fn should_look(&self, now_ms: u64) -> bool {
        let since = now_ms.saturating_sub(self.looked_at);
        let may_be_late = |member: &Incarnation| self.ages.get(member).is_none_or(|age| self.is_late(age + since));
        self.trusts_leases(now_ms)
            && self.leases.seen.keys().any(|member| self.has_ended(member) && may_be_late(member))
    }

    /// Whom to accuse, by what was seen last.
    #[must_use]
    pub fn accusations(&self, now_ms: u64) -> Vec<Accusation> {
        let (heartbeats, leases) = (self.trusts_heartbeats(now_ms), self.trusts_leases(now_ms));
        let mut accusations = Vec::new();
        for (suspect, age) in &self.ages {
            let is_stale = *age >= self.times.stale_after_ms;
            let evidence = if heartbeats && is_stale {
                Evidence::Heartbeat
            } else if leases && self.is_late(*age) && self.has_ended(suspect) {
                Evidence::Lease
            } else {
                continue;
            };
            accusations.push(Accusation { suspect: *suspect, evidence });
        }
        accusations
    }

    /// A store whose clock jumped tells wrong ages until everybody has beaten again.
    fn compare_clocks(&mut self, now_ms: u64, at: Timestamp) {
        if let Some((store, own)) = self.clocks {
            let here = i64::try_from(now_ms.saturating_sub(own)).unwrap_or(i64::MAX);
            let difference = at.0.saturating_sub(store.0).abs_diff(here);
            if difference > self.times.unnoticed_jump_ms() {
                self.beats.failed();
            }
        }
        self.clocks = Some((at, now_ms));
    }

    const fn is_late(&self, age_ms: u64) -> bool {
        age_ms > self.times.late_after_ms()
    }

    /// A lease that nobody here has ever seen says nothing: its member may have no Redis.
    fn has_ended(&self, member: &Incarnation) -> bool {
        let ended = self.ends.get(member).is_some_and(|end| *end <= self.leases.at);
        ended && self.leases.seen.get(member) == Some(&Lease::Missing)
    }

    fn most_leases_are_gone(&self) -> bool {
        let gone = self.ends.keys().filter(|member| self.leases.seen.get(member) == Some(&Lease::Missing)).count();
        2 * gone > self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::cluster::{Member, MemberRole, Standing};

    const ME: Incarnation = Incarnation(Uuid::from_u128(1));
    const OTHER: Incarnation = Incarnation(Uuid::from_u128(2));
    const THIRD: Incarnation = Incarnation(Uuid::from_u128(3));
    const HELD: Lease = Lease::Held { for_ms: 3_000 };

    fn at(now_ms: u64) -> Timestamp {
        Timestamp(1_000_000).plus_ms(now_ms)
    }

    /// One that may judge by either kind of evidence at 10,000.
    fn steady() -> Observer {
        let mut observer = Observer::new(ME, Times::default());
        for second in 0..=5 {
            observer.beat(2_000 * second, at(2_000 * second));
        }
        observer.leases_seen(10_000, 10_000, [(OTHER, HELD), (THIRD, HELD)]);
        observer
    }

    fn looked(mut observer: Observer, now_ms: u64, age: u64) -> Option<Evidence> {
        observer.looked(now_ms, at(now_ms), [(OTHER, age), (THIRD, 0)]);
        observer.accusations(now_ms).first().map(|accusation| {
            assert_eq!(accusation.suspect, OTHER);
            accusation.evidence
        })
    }

    #[test]
    fn a_stale_heartbeat_is_evidence_and_an_ended_lease_is_if_the_heartbeat_is_late() {
        assert_eq!(looked(steady(), 10_000, 5_999), None);
        assert_eq!(looked(steady(), 10_000, 6_000), Some(Evidence::Heartbeat));
        let mut observer = steady();
        observer.beat(12_000, at(12_000));
        observer.leases_seen(13_000, 13_000, [(OTHER, Lease::Missing), (THIRD, HELD)]);
        assert_eq!(looked(observer.clone(), 13_000, 3_000), None);
        assert_eq!(looked(observer, 13_000, 3_001), Some(Evidence::Lease));
    }

    #[test]
    fn a_lease_that_is_gone_before_its_time_was_lost_by_redis() {
        let mut observer = steady();
        observer.beat(12_000, at(12_000));
        observer.leases_seen(12_990, 12_990, [(OTHER, Lease::Missing), (THIRD, HELD)]);
        assert_eq!(looked(observer.clone(), 13_000, 4_000), None);
        observer.leases_seen(13_000, 13_000, [(OTHER, Lease::Missing), (THIRD, HELD)]);
        assert_eq!(looked(observer, 13_000, 4_000), Some(Evidence::Lease));
    }

    #[test]
    fn a_lease_whose_end_redis_has_put_off_is_waited_for_no_longer_than_usual() {
        let mut observer = steady();
        observer.leases_seen(10_100, 10_100, [(OTHER, Lease::Held { for_ms: 130_000 }), (THIRD, HELD)]);
        observer.beat(12_000, at(12_000));
        observer.leases_seen(13_100, 13_100, [(OTHER, Lease::Missing), (THIRD, HELD)]);
        assert_eq!(looked(observer, 13_100, 4_000), Some(Evidence::Lease));
    }

    #[test]
    fn leases_count_for_nobody_to_whom_redis_has_not_answered_all_the_time() {
        let mut observer = steady();
        observer.beat(12_000, at(12_000));
        observer.leases_seen(13_000, 2_999, [(OTHER, Lease::Missing), (THIRD, HELD)]);
        assert_eq!(looked(observer, 13_000, 4_000), None);
    }

    #[test]
    fn leases_that_were_seen_long_ago_count_for_nothing() {
        let mut observer = steady();
        observer.beat(12_000, at(12_000));
        observer.leases_seen(13_000, 13_000, [(OTHER, Lease::Missing), (THIRD, HELD)]);
        observer.beat(14_000, at(14_000));
        observer.beat(16_000, at(16_000));
        assert_eq!(looked(observer.clone(), 16_000, 4_000), Some(Evidence::Lease));
        assert_eq!(looked(observer, 16_001, 4_000), None);
    }

    #[test]
    fn when_most_leases_vanish_at_once_none_counts() {
        let mut observer = steady();
        observer.beat(12_000, at(12_000));
        observer.leases_seen(13_000, 13_000, [(OTHER, Lease::Missing), (THIRD, Lease::Missing)]);
        assert_eq!(looked(observer, 13_000, 4_000), None);
    }

    #[test]
    fn a_lease_that_was_never_seen_says_nothing() {
        let mut observer = steady();
        let stranger = Incarnation(Uuid::from_u128(4));
        observer.beat(12_000, at(12_000));
        observer.leases_seen(13_000, 13_000, [(stranger, Lease::Missing), (OTHER, HELD), (THIRD, HELD)]);
        observer.looked(13_000, at(13_000), [(stranger, 4_000)]);
        assert!(observer.accusations(13_000).is_empty() && !observer.should_look(13_000));
    }

    #[test]
    fn heartbeats_count_for_nobody_whose_own_were_not_stored_all_the_time() {
        let mut silent = steady();
        silent.store_failed();
        silent.beat(12_000, at(12_000));
        assert_eq!(looked(silent, 12_000, 8_000), None);
        let mut stopped = steady();
        stopped.beat(15_000, at(15_000));
        assert_eq!(looked(stopped, 15_000, 8_000), None, "it stood still for 5 s");
    }

    #[test]
    fn heartbeats_count_for_nothing_after_the_clock_of_the_store_has_jumped() {
        let mut observer = steady();
        observer.looked(11_000, at(21_000), [(OTHER, 11_000)]);
        assert!(observer.accusations(11_000).is_empty());
        let mut even = steady();
        even.looked(11_000, at(11_400), [(OTHER, 11_000)]);
        assert_eq!(even.accusations(11_000).len(), 1, "an answer may take a moment");
    }

    #[test]
    fn a_lease_that_has_ended_is_a_reason_to_look_once_the_heartbeat_may_be_late() {
        let mut observer = steady();
        observer.beat(12_000, at(12_000));
        observer.looked(12_500, at(12_500), [(OTHER, 2_000), (THIRD, 0)]);
        observer.leases_seen(13_100, 13_100, [(OTHER, Lease::Missing), (THIRD, HELD)]);
        assert!(!observer.should_look(13_500));
        assert!(observer.should_look(13_501));
    }

    #[test]
    fn each_member_watches_the_three_that_follow_by_name_and_together_they_watch_all() {
        let member = |number: u128| Member {
            incarnation: Incarnation(Uuid::from_u128(number)),
            name: format!("onya-{number}"),
            address: String::new(),
            role: MemberRole::Both,
            standing: Standing::Live,
            release: String::new(),
        };
        let watched = |view: &View, number: u128| -> Vec<u128> {
            let observer = Observer::new(Incarnation(Uuid::from_u128(number)), Times::default());
            observer.watched(view).iter().map(|member| member.0.as_u128()).collect()
        };
        let view = View { version: 1, members: (1..=5).map(member).collect() };
        assert_eq!(watched(&view, 4), [5, 1, 2]);
        assert_eq!(watched(&view, 9), [] as [u128; 0], "who is no member watches nobody");
        let pair = View { version: 1, members: (1..=2).map(member).collect() };
        assert_eq!((watched(&pair, 1), watched(&pair, 2)), (vec![2], vec![1]));
    }
}
