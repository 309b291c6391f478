//! A pod: its process, which starts, lets go and ends, and what its actor knows. What the actor does is in
//! [`crate::owner`].

use crate::log::{self, Attempt, Fence, Log};
use crate::store::{Answer, Append, Incarnation, Member, Stage, Statement, What};
use crate::world::World;

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pod {
    /// Which start of its process this is.
    pub start: u8,
    /// Whether the process runs.
    pub up: bool,
    /// The history that it read at its start.
    pub history: u8,
    /// Whether it lets go of what it owns.
    pub leaving: Leaving,
    /// What its actor believes, once a claim has succeeded.
    pub owned: Option<Owned>,
    /// What it waits for.
    pub statement: Option<Statement>,
}

/// Why a pod lets go of what it owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaving {
    /// It does not.
    No,
    /// Another is to own the conversation.
    HandOver,
    /// The process ends in good order.
    Drain,
}

/// A conversation as its owner knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owned {
    /// The right to write.
    pub fence: Fence,
    /// All that is stored, as far as the owner knows.
    pub known: Log,
    /// What the model is working on.
    pub reply: Option<Attempt>,
}

impl Pod {
    /// One that has just started.
    #[must_use]
    pub const fn started(start: u8, history: u8) -> Self {
        Self { start, up: true, history, leaving: Leaving::No, owned: None, statement: None }
    }

    /// Whether its statement has not reached the store.
    #[must_use]
    pub const fn has_sent(&self) -> bool {
        matches!(&self.statement, Some(Statement { stage: Stage::Sent, .. }))
    }

    /// Whether it owns a conversation in which nothing is to be done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let rests = self.leaving == Leaving::No && self.statement.is_none();
        rests && self.owned.as_ref().is_some_and(|owned| log::open_turn(&owned.known).is_none())
    }

    /// The append whose outcome it waits for.
    #[must_use]
    pub const fn append(&self) -> Option<&Append> {
        match &self.statement {
            Some(Statement { what: What::Append(append), .. }) => Some(append),
            _ => None,
        }
    }

    /// Whether it has asked for its right to write to be taken back.
    #[must_use]
    pub const fn is_releasing(&self) -> bool {
        matches!(&self.statement, Some(Statement { what: What::Release(_), .. }))
    }
}

impl World {
    /// The process that runs, or ran last, in a pod.
    #[must_use]
    pub fn incarnation(&self, pod: usize) -> Incarnation {
        Incarnation { pod, start: self.pods[pod].start }
    }

    /// A pod's statement goes out.
    pub fn send(&mut self, pod: usize, what: What) {
        let statement = Statement { by: self.incarnation(pod), what, stage: Stage::Sent };
        self.pods[pod].statement = Some(statement);
    }

    /// The store answers that it takes nothing.
    pub fn turn_away(&mut self, pod: usize) {
        if let Some(statement) = &mut self.pods[pod].statement {
            statement.stage = Stage::Answered(Answer::NotNow);
        }
    }

    /// What a pod waits for is no longer heard; what the store has not answered yet may still be carried out.
    pub fn abandon_statement(&mut self, pod: usize) -> Option<Statement> {
        let statement = self.pods[pod].statement.take()?;
        if !matches!(statement.stage, Stage::Answered(_)) {
            self.orphans.push(statement.clone());
            self.orphans.sort();
        }
        Some(statement)
    }

    /// The process ends.
    pub fn stop(&mut self, pod: usize) {
        let Pod { start, history, .. } = self.pods[pod];
        self.pods[pod] = Pod { up: false, ..Pod::started(start, history) };
    }

    /// The process starts again, as a new incarnation; the one before it is dead.
    pub fn restart(&mut self, pod: usize) {
        let start = self.pods[pod].start + 1;
        self.pods[pod] = Pod::started(start, self.history);
        self.store.members[pod] = (start, Member::Live);
    }

    /// A pod is asked to let go.
    pub fn leave(&mut self, pod: usize, leaving: Leaving) {
        self.pods[pod].leaving = leaving;
        if leaving == Leaving::Drain {
            self.set_member(pod, Member::Draining);
        }
        self.settle(pod);
    }

    /// A pod waits no longer for the model.
    pub fn abandon_reply(&mut self, pod: usize) {
        if let Some(owned) = &mut self.pods[pod].owned {
            owned.reply = None;
        }
        self.settle(pod);
    }

    /// A pod that has let go of everything ends in good order.
    pub fn retire(&mut self, pod: usize) {
        self.set_member(pod, Member::Dead);
        self.stop(pod);
    }

    /// Lets go if that is asked for and nothing is under way.
    pub fn settle(&mut self, pod: usize) {
        let state = &mut self.pods[pod];
        if state.leaving == Leaving::No || state.statement.is_some() {
            return;
        }
        match &state.owned {
            Some(owned) if owned.reply.is_none() => {
                let fence = owned.fence;
                self.send(pod, What::Release(fence));
            }
            None if state.leaving == Leaving::HandOver => state.leaving = Leaving::No,
            _ => {}
        }
    }
}
