//! Leaving a conversation to another node.
//!
//! Commands are taken no more and wait in the row; what was admitted before arrives, what is being stored is stored. Then
//! ownership is given up, and once that is stored, all that waits and everybody who reads goes to the next owner. State is
//! never shipped: the next owner loads it.

use std::sync::Arc;

use onya_core::Incarnation;

use super::actor::Conversation;
use super::handle::{Command, busy};
use super::live::Origin;
use crate::guard::guarded;
use crate::ports::Fence;
use crate::release::Release;

/// Why an actor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// This node owns the conversation and gives it up.
    GivenUp(Fence),
    /// Somebody else owns it, or should: this member, as far as is known.
    Gone(Option<Incarnation>),
    /// What it sent was refused: somebody else has claimed the conversation, or the store is not what it was.
    Fenced,
}

impl Conversation {
    /// Another node should own it; it is left where it is while something is under way.
    pub(super) fn hand_over(&mut self) {
        if let Some(live) = self.live.as_ref().filter(|live| !live.is_busy()) {
            self.depart(Departure::GivenUp(live.fence));
        }
    }

    /// In a cluster a drain gives up what is idle, and what a reply kept once that has ended.
    pub(super) fn depart_if_draining(&mut self) {
        if self.is_draining()
            && self.system.peers.is_some()
            && let Some(live) = self.live.as_ref().filter(|live| live.reply.is_none())
        {
            self.depart(Departure::GivenUp(live.fence));
        }
    }

    /// The conversation is not this node's.
    pub(super) fn gone(&mut self, owner: Option<Incarnation>) {
        if self.system.peers.is_some() {
            self.depart(Departure::Gone(owner));
        } else {
            self.leave(true);
        }
    }

    /// An append was refused, since somebody else has claimed the conversation. What it answers was not stored.
    pub(super) fn fenced(&mut self, origin: Origin) {
        if self.system.peers.is_none() {
            self.refuse_origin(origin, busy("the conversation has moved"));
            return self.leave(true);
        }
        if let Origin::Request(submission) = origin {
            self.inbox.push_front(submission);
        }
        self.live = None;
        // Whatever it was leaving for: it has nothing to give up any more.
        self.departing = None;
        self.depart(Departure::Fenced);
    }

    fn depart(&mut self, departure: Departure) {
        if self.departing.is_none() && !self.leaving {
            // In this order: whoever finds the admission closed must find that the conversation moves.
            self.system.directory.begin_move(&self.row);
            self.admission.close();
            self.departing = Some(departure);
        }
    }

    /// Whether the actor is on its way. It goes when all that was admitted has arrived and nothing is under way.
    pub(super) fn depart_if_idle(&mut self) -> bool {
        let Some(departure) = self.departing else { return false };
        let waits = self.live.as_ref().is_some_and(|live| live.waits_for_store());
        if waits || self.admission.commands() != self.inbox.len() {
            return true;
        }
        let commands: Vec<Command> = self.inbox.drain(..).map(|submission| Command::from(*submission)).collect();
        let (system, row) = (Arc::clone(&self.system), Arc::clone(&self.row));
        match departure {
            Departure::GivenUp(fence) => {
                self.release(fence, move || system.directory.moved(&system, &row, (None, commands)));
            }
            Departure::Gone(owner) => system.directory.moved(&system, &row, (owner, commands)),
            Departure::Fenced => {
                let known = system.history_epoch;
                self.system.tasks.spawn(async move {
                    // A store that was restored counts in another history: what was asked and shown in this one ends with
                    // this process, which does so as soon as it finds out.
                    match guarded(system.log.history_epoch()).await {
                        Ok(history) if history != known => {
                            commands.into_iter().for_each(|command| command.reply.busy("the store was restored"));
                        }
                        _ => system.directory.moved(&system, &row, (None, commands)),
                    }
                });
            }
        }
        self.leave(false);
        true
    }

    /// Gives up ownership; `then` once it is stored. Until then this conversation counts as live.
    pub(super) fn release(&self, fence: Fence, then: impl FnOnce() + Send + 'static) {
        let counts = self.system.live_actors.token();
        let then = Box::new(move || {
            then();
            drop(counts);
        });
        self.system.releases.give_up(&self.system, Release { conversation: self.row.id, fence, then });
    }
}
