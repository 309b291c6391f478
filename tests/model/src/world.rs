//! The whole of it: one store, two pods, whoever sends commands, one reader, and what faults are left.

use std::sync::Arc;

use onya_core::InvalidClientMsgId;

use crate::client::{Sending, Told};
use crate::log::{self, Entry, Log};
use crate::pod::Pod;
use crate::rules::Rules;
use crate::scenario::{Faults, Scenario};
use crate::store::{Member, PODS, Stage, Statement, Store};

/// A scenario and the rules that its owners decide by.
#[derive(Debug)]
pub struct Cluster {
    /// What is varied.
    pub scenario: Scenario,
    pub(crate) rules: Rules,
}

impl Cluster {
    /// Fails if the core does not take the model's names.
    pub fn new(scenario: Scenario) -> Result<Self, InvalidClientMsgId> {
        let rules = Rules::new(&scenario)?;
        Ok(Self { scenario, rules })
    }
}

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// What is stored.
    pub store: Store,
    /// The pods.
    pub pods: [Pod; PODS],
    /// Statements whose outcome nobody hears any more: each may still be carried out, or not.
    pub orphans: Vec<Statement>,
    /// The commands of [`Scenario::commands`].
    pub sendings: Vec<Sending>,
    /// What a reader has been shown, from the first entry.
    pub shown: Log,
    /// Faults that may still strike.
    pub left: Faults,
    /// How often the store went back.
    pub history: u8,
    /// A copy of the store that it may go back to.
    pub backup: Option<Arc<Store>>,
    /// Nonces that have been drawn.
    pub nonces: u8,
}

impl World {
    /// Two pods that have just started, and a conversation in which nothing was said yet.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            store: Store::new(),
            pods: [Pod::started(1, 0), Pod::started(1, 0)],
            orphans: Vec::new(),
            sendings: vec![Sending::default(); scenario.commands.len()],
            shown: log::opened(),
            left: scenario.faults,
            history: 0,
            backup: None,
            nonces: 0,
        }
    }

    /// Shows entries to the reader, who takes what follows what it has seen. If something is missing it reads the store.
    /// A pod that counts in an older history shows the reader of the new one nothing.
    pub fn publish(&mut self, pod: usize, entries: &[Entry]) {
        if self.pods[pod].history != self.history {
            return;
        }
        for entry in entries {
            let seen = log::last_seq(&self.shown);
            if entry.seq == seen + 1 {
                Arc::make_mut(&mut self.shown).push(*entry);
            } else if entry.seq > seen {
                self.shown = Arc::clone(&self.store.log);
            }
        }
    }

    /// Writes what a pod's newest incarnation is, unless it is dead already.
    pub fn set_member(&mut self, pod: usize, state: Member) {
        let (newest, member) = &mut self.store.members[pod];
        if *newest == self.pods[pod].start && *member != Member::Dead {
            *member = state;
        }
    }

    /// The store goes back to its copy. Statements that had not been answered may still reach it. Senders and readers
    /// are told, and senders offer again what is not there.
    pub fn restore(&mut self) {
        let Some(backup) = self.backup.take() else { return };
        self.store = Store { locked: false, ..Store::clone(&backup) };
        self.history += 1;
        let statements = self.pods.iter_mut().filter_map(|pod| pod.statement.as_mut());
        for statement in statements.chain(&mut self.orphans).filter(|statement| statement.stage == Stage::Locked) {
            statement.stage = Stage::Sent;
        }
        for (command, sending) in self.sendings.iter_mut().enumerate() {
            let there = self.store.log.iter().any(|entry| entry.answers(command));
            if matches!(sending.told, Told::Acked(_)) && !there {
                *sending = Sending { told: Told::Nothing, doubtful: true, ..*sending };
            }
        }
        self.shown = Arc::clone(&self.store.log);
    }

    /// Copies of a command that are under way.
    #[must_use]
    pub fn under_way(&self, command: usize) -> u8 {
        let origins = self.pods.iter().filter_map(|pod| pod.append()?.origin);
        let deciding = origins.filter(|key| usize::from(key.command) == command).count();
        self.sendings[command].waiting + u8::try_from(deciding).unwrap_or(u8::MAX)
    }
}
