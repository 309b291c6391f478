//! How long conversations of killed nodes took no command: a figure, and no promise of the checker's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use uuid::Uuid;

use crate::history::Event;
use crate::tables::Tables;

/// Times from a kill until each conversation of the killed nodes had stored a command again, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// Where fewer than half of the nodes were killed.
    minority: Vec<u64>,
    majority: Vec<u64>,
    /// Where nodes were killed while another fault lasted.
    meanwhile: Vec<u64>,
    /// Conversations that took none until the next kill, or the end.
    never: usize,
}

/// How nodes were killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    Minority,
    Majority,
    Meanwhile,
}

impl Recovery {
    pub(crate) fn of(history: &[(u64, Event)], tables: &Tables) -> Self {
        let (mut recovery, mut orphans) = (Self::default(), BTreeMap::<Uuid, (u64, u64, Kill)>::new());
        // Nobody says anything there any more.
        let forsaken = history.iter().filter_map(|(_, event)| match event {
            Event::Forsaken { conversation } => Some(*conversation),
            _ => None,
        });
        let forsaken: BTreeSet<_> = forsaken.collect();
        let mut last = 0_usize;
        for (at_ms, event) in history {
            match event {
                Event::Fault { .. } => last += 1,
                Event::FaultEnded { .. } => last = last.saturating_sub(1),
                Event::Orphaned { minority, conversations } => {
                    let kill = match (last, minority) {
                        (2.., _) => Kill::Meanwhile,
                        (_, true) => Kill::Minority,
                        (_, false) => Kill::Majority,
                    };
                    for (conversation, epoch) in conversations.iter().filter(|(id, _)| !forsaken.contains(id)) {
                        let before = orphans.insert(*conversation, (*at_ms, *epoch, kill));
                        recovery.never += usize::from(before.is_some());
                    }
                }
                Event::Acked { conversation, seq, .. } => {
                    let Some((killed_ms, epoch, kill)) = orphans.get(conversation).copied() else { continue };
                    // What was on its way when the node was killed is of its epoch.
                    if epoch_of(tables, *conversation, *seq) > epoch {
                        orphans.remove(conversation);
                        recovery.times(kill).push(at_ms - killed_ms);
                    }
                }
                _ => {}
            }
        }
        recovery.never += orphans.len();
        for kill in [Kill::Minority, Kill::Majority, Kill::Meanwhile] {
            recovery.times(kill).sort_unstable();
        }
        recovery
    }

    const fn times(&mut self, kill: Kill) -> &mut Vec<u64> {
        match kill {
            Kill::Minority => &mut self.minority,
            Kill::Majority => &mut self.majority,
            Kill::Meanwhile => &mut self.meanwhile,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.minority.is_empty() && self.majority.is_empty() && self.meanwhile.is_empty()
    }
}

fn epoch_of(tables: &Tables, conversation: Uuid, seq: u64) -> u64 {
    let entries = tables.entries.get(&conversation).map(Vec::as_slice).unwrap_or_default();
    let at = entries.binary_search_by_key(&seq, |entry| entry.seq);
    at.map_or(0, |at| entries[at].epoch)
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a minority killed: {}; more: {}", Times(&self.minority), Times(&self.majority))?;
        write!(f, "; beside another fault: {}", Times(&self.meanwhile))?;
        if self.never > 0 {
            write!(f, "; {} took none before the next kill", self.never)?;
        }
        Ok(())
    }
}

/// Sorted times.
struct Times<'a>(&'a [u64]);

impl fmt::Display for Times<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(max) = self.0.last() else { return f.write_str("none") };
        let part = |percent: usize| self.0[(self.0.len() * percent).div_ceil(100) - 1];
        write!(f, "p50 {} ms, p99 {} ms, max {max} ms of {}", part(50), part(99), self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tables::Entry;

    #[test]
    fn a_conversation_is_back_with_the_first_command_of_a_later_epoch() {
        let conversation = Uuid::from_u128(1);
        let entry = |seq, epoch| Entry {
            seq,
            epoch,
            kind: "message_said".to_owned(),
            customer_sees: true,
            participant: None,
            id: None,
            body: json!({}),
        };
        let entries = [(conversation, vec![entry(1, 1), entry(2, 1), entry(3, 2)])].into();
        let tables = Tables { entries, ..Tables::default() };
        let acked = |seq| Event::Acked { who: Uuid::nil(), conversation, id: String::new(), seq, repeated: false };
        let killed = Event::Orphaned { minority: true, conversations: vec![(conversation, 1)] };
        let history = [(0, acked(1)), (100, killed), (110, acked(2)), (3100, acked(3))];
        let recovery = Recovery::of(&history, &tables);
        assert_eq!((recovery.minority, recovery.never), (vec![3000], 0));
        let fault = |name: &str| Event::Fault { name: name.to_owned() };
        let killed = Event::Orphaned { minority: true, conversations: vec![(conversation, 1)] };
        let history = [(0, fault("freeze-redis")), (50, fault("kill-node")), (100, killed), (3100, acked(3))];
        let recovery = Recovery::of(&history, &tables);
        assert_eq!((recovery.minority, recovery.meanwhile), (vec![], vec![3000]), "another fault lasted");
        let killed = Event::Orphaned { minority: true, conversations: vec![(conversation, 1)] };
        let history = [(0, killed), (50, Event::Forsaken { conversation }), (60_000, acked(3))];
        let recovery = Recovery::of(&history, &tables);
        assert!(recovery.is_empty() && recovery.never == 0, "nobody says anything there any more");
    }
}
