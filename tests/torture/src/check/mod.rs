//! The offline checker: linear scans of a history and of the final tables, one function per promise.
//!
//! | number | promise | scan |
//! |---|---|---|
//! | 1 | an acknowledged command stands in the log, where it was said to, with the same text | `commands` |
//! | 2 | each command stands there at most once; what was refused each time never does | `commands` |
//! | 3 | positions are 1 to n without a gap, and what a reader was shown is a slice of the log as it is now | `log`, `readers` |
//! | 4 | nothing overtakes what its sender sent before it | `commands` |
//! | 5 | epochs never go down along the log, and each was claimed once | `log`, `claims` |
//! | 6 | whoever claimed had read all that was stored under earlier epochs | `claims` |
//! | 7 | each turn ends once | `turns` |
//! | 8 | of a reply in progress no socket is shown an older attempt after a newer one | `replies` |
//! | 9 | no answer of the assistant stands where somebody else is in control | `turns` |
//! | 10 | a reader who was told to have recovered has missed nothing | `readers` |
//! | 11 | the chains verify to their anchored heads; what staff was shown is on record | `chains`, `record` |
//! | 12 | no reader is brought to less than it had been shown or told before, on whatever node | `readers` |
//! | 13 | no conversation is taken from an owner that lives and has not given it up, and an epoch has one owner | `owners` |
//! | 14 | assignments never overlap: one party is in control at a time, and each hand-over names the version it changes | `control` |
//! | 15 | nobody is found dead because of Redis, links or clocks | `verdicts` |
//!
//! The other promises are checked elsewhere: the text of a reply by `tests/it`, memory by the load client.

mod audit;
mod commands;
mod control;
mod log;
mod readers;
#[cfg(test)]
mod tests;
mod turns;
mod verdicts;

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

use crate::history::Event;
use crate::tables::{Entry, Tables};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Its number.
    pub promise: u8,
    /// Where and how.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.promise, self.text)
    }
}

/// What is scanned, and what was found.
pub(crate) struct Check<'a> {
    history: &'a [Event],
    /// The same, each with the milliseconds since the beginning.
    timed: &'a [(u64, Event)],
    tables: &'a Tables,
    by_command: BTreeMap<(Uuid, Uuid, &'a str), Vec<&'a Entry>>,
    found: Vec<Violation>,
}

/// Everything that is wrong. Turns may be open unless the campaign was brought to its end (`settled`).
pub(crate) fn check(timed: &[(u64, Event)], tables: &Tables, settled: bool) -> Vec<Violation> {
    let history: Vec<Event> = timed.iter().map(|(_, event)| event.clone()).collect();
    let mut by_command: BTreeMap<_, Vec<&Entry>> = BTreeMap::new();
    for (conversation, entries) in &tables.entries {
        for entry in entries {
            if let (Some(who), Some(id)) = (entry.participant, &entry.id) {
                by_command.entry((*conversation, who, id.as_str())).or_default().push(entry);
            }
        }
    }
    let mut check = Check { history: &history, timed, tables, by_command, found: Vec::new() };
    check.log();
    check.claims();
    check.commands();
    check.readers();
    check.replies();
    check.owners();
    check.verdicts();
    check.turns(settled);
    check.control();
    check.chains();
    check.record();
    check.found
}

impl Check<'_> {
    fn report(&mut self, promise: u8, text: String) {
        self.found.push(Violation { promise, text });
    }

    fn entries(&self, conversation: Uuid) -> &[Entry] {
        self.tables.entries.get(&conversation).map_or(&[], Vec::as_slice)
    }
}
