//! Customers who wait for an agent who is connected nowhere, and for how long that has been so.
//!
//! The store is asked who they are every two seconds. An agent who was away each time counts as lost once that has lasted for
//! long enough, by a clock that nobody can set. A question without an answer says nothing, and the time begins anew.

use std::collections::BTreeMap;
use std::time::Duration;

use onya_core::{ConversationId, ParticipantId};
use tokio::time::Instant;

use crate::ports::Forsaken;

/// How often the store is asked.
pub(crate) const ASKED_EVERY: Duration = Duration::from_secs(2);

/// Since when this node has known who waits for whom.
#[derive(Debug, Default)]
pub(crate) struct Absences(BTreeMap<(ConversationId, ParticipantId), Instant>);

impl Absences {
    /// Takes what the store says now, and gives those whose agent counts as lost.
    pub(crate) fn seen(&mut self, now: Instant, forsaken: Vec<Forsaken>, patience: Duration) -> Vec<Forsaken> {
        let before = std::mem::take(&mut self.0);
        let since = |at: &Forsaken| *before.get(&(at.conversation, at.agent)).unwrap_or(&now);
        self.0 = forsaken.iter().map(|at| ((at.conversation, at.agent), since(at))).collect();
        forsaken.into_iter().filter(|at| now.duration_since(since(at)) >= patience).collect()
    }

    /// The store did not say.
    pub(crate) fn unknown(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(15);

    fn forsaken(conversation: u128, agent: u128) -> Forsaken {
        let (conversation, agent) =
            (ConversationId(Uuid::from_u128(conversation)), ParticipantId(Uuid::from_u128(agent)));
        Forsaken { conversation, agent, owned: true }
    }

    #[test]
    fn an_agent_is_lost_who_was_away_all_the_time_and_for_long_enough() {
        let (start, mut absences) = (Instant::now(), Absences::default());
        let mut after =
            |s: u64, seen: &[Forsaken]| absences.seen(start + Duration::from_secs(s), seen.to_vec(), PATIENCE);
        let (one, other) = (forsaken(1, 7), forsaken(2, 7));
        assert_eq!(after(0, &[one]), []);
        assert_eq!(after(14, &[one, other]), []);
        assert_eq!(after(15, &[one, other]), [one]);
        assert_eq!(after(17, &[other]), [], "back for a moment");
        assert_eq!(after(29, &[one, other]), [other]);
    }

    #[test]
    fn another_agent_has_time_of_its_own() {
        let (start, mut absences) = (Instant::now(), Absences::default());
        assert_eq!(absences.seen(start, vec![forsaken(1, 7)], PATIENCE), []);
        assert_eq!(absences.seen(start + PATIENCE, vec![forsaken(1, 8)], PATIENCE), []);
    }

    #[test]
    fn a_store_that_does_not_answer_lets_the_time_begin_anew() {
        let (start, mut absences, one) = (Instant::now(), Absences::default(), forsaken(1, 7));
        absences.seen(start, vec![one], PATIENCE);
        absences.unknown();
        assert_eq!(absences.seen(start + PATIENCE, vec![one], PATIENCE), []);
        assert_eq!(absences.seen(start + 2 * PATIENCE, vec![one], PATIENCE), [one]);
    }
}
