//! Where a conversation's commands go when it may be on another node.
//!
//! Commands that were sent to another node, or that wait until it is known where to, stay in the outbox until they are
//! answered. They leave in the order in which they came, and not before what was sent elsewhere earlier is answered or
//! given back: so a move never changes a sender's order. A command that waits too long is refused: as `busy` if no node
//! has seen it, as `unknown` otherwise. Sending it again is safe: it keeps its `client_msg_id`.

use std::collections::VecDeque;
use std::time::Duration;

use onya_core::Incarnation;
use onya_protocol::peer::{Outcome, Tag};
use onya_protocol::{ErrorCode, Refusal};
use tokio::time::Instant;

use crate::conversation::{Command, text_bytes};
use crate::settings::Settings;

/// Longest time that a command waits for its conversation to be found.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long an owner that is in no view is believed in: either this view is old, or that owner is dead.
const BELIEVED_FOR: Duration = Duration::from_secs(1);

/// Times that a command which was given back goes on at once.
const AT_ONCE_RETURNS: u8 = 2;

/// Where commands and readers go, as far as this node knows.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Who owns the conversation, and when that was heard of.
    owner: Option<(Incarnation, Instant)>,
    /// It is on its way from here to another node: commands wait.
    moving: bool,
    /// The node that shows the conversation to the readers of this one; `None` while they are adrift.
    attached: Option<Incarnation>,
    /// How often that has changed: readers who were brought up to date before the last change must be again.
    attachment: u64,
    outbox: VecDeque<Forwarded>,
}

/// A command on its way.
#[derive(Debug)]
struct Forwarded {
    command: Command,
    since: Instant,
    /// Where it is now, and under which name; `None` while it waits here.
    sent: Option<(Incarnation, Tag)>,
    /// Whether any node has seen it.
    was_sent: bool,
    /// How often a node has given it back.
    returns: u8,
}

impl Course {
    /// Whether nothing is remembered that matters.
    pub(super) fn is_idle(&self) -> bool {
        !self.moving && self.outbox.is_empty()
    }

    pub(super) const fn is_moving(&self) -> bool {
        self.moving
    }

    /// Whether a command waits here to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        self.outbox.iter().any(|waits| waits.sent.is_none())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Commands wait from now on: the conversation leaves this node.
    pub(super) const fn begin_move(&mut self) {
        self.moving = true;
    }

    /// The conversation has left, and this may be known of its new owner.
    pub(super) fn end_move(&mut self, owner: Option<Incarnation>) {
        self.moving = false;
        self.heard(owner);
    }

    /// This is who owns it.
    pub(crate) fn heard(&mut self, owner: Option<Incarnation>) {
        self.owner = owner.map(|owner| (owner, Instant::now()));
    }

    /// Who owns it, if that was heard, and whether the view still has it or may not have it yet.
    pub(super) fn owner(&mut self, is_member: impl Fn(Incarnation) -> bool) -> Option<Owner> {
        let (owner, heard_at) = self.owner?;
        if is_member(owner) {
            return Some(Owner::Member(owner));
        }
        if heard_at.elapsed() < BELIEVED_FOR {
            return Some(Owner::NotInView);
        }
        self.owner = None;
        None
    }

    /// Who was heard to own it last, known to this node's view or not.
    pub(super) fn heard_of(&self) -> Option<Incarnation> {
        self.owner.map(|(owner, _)| owner)
    }

    pub(crate) const fn attached(&self) -> Option<Incarnation> {
        self.attached
    }

    /// Readers are shown what this node publishes; who showed it to them before.
    pub(crate) fn attach(&mut self, to: Option<Incarnation>) -> Option<Incarnation> {
        self.attachment += u64::from(self.attached != to);
        std::mem::replace(&mut self.attached, to)
    }

    /// Which attachment it is; `None` while the readers are adrift.
    pub(crate) fn attachment(&self) -> Option<u64> {
        self.attached.map(|_| self.attachment)
    }

    /// Whether one more command of so many bytes may wait.
    pub(super) fn has_room(&self, bytes: usize, settings: &Settings) -> bool {
        let waiting: usize = self.outbox.iter().map(|waits| text_bytes(&waits.command.request.action)).sum();
        self.outbox.len() < settings.inbox_commands
            && (self.outbox.is_empty() || waiting + bytes <= settings.inbox_bytes)
    }

    /// Adds a command behind all that wait.
    pub(super) fn push(&mut self, command: Command) {
        self.outbox.push_back(Forwarded { command, since: Instant::now(), sent: None, was_sent: false, returns: 0 });
    }

    /// Puts commands that were given back before all that came after them.
    pub(super) fn push_front(&mut self, commands: Vec<Command>) {
        let since = Instant::now();
        for command in commands.into_iter().rev() {
            self.outbox.push_front(Forwarded { command, since, sent: None, was_sent: false, returns: 0 });
        }
    }

    /// Whether something is under way to another node than this one: what comes later must wait.
    pub(super) fn is_under_way_elsewhere(&self, to: Option<Incarnation>) -> bool {
        self.outbox.iter().any(|waits| waits.sent.is_some_and(|(at, _)| Some(at) != to))
    }

    /// Gives back to other nodes what they sent and what waits here: they send it where the conversation is now.
    pub(super) fn send_back(&mut self, owner: Option<Incarnation>) {
        let waiting = std::mem::take(&mut self.outbox);
        self.outbox = waiting
            .into_iter()
            .filter_map(|waits| {
                let Forwarded { command: Command { request, traceparent, reply }, .. } = waits;
                let reply = reply.elsewhere(owner)?;
                Some(Forwarded { command: Command { request, traceparent, reply }, ..waits })
            })
            .collect();
    }

    /// Sends what waits, in order; `send` gives each its name, or stops.
    pub(super) fn send_to(&mut self, owner: Incarnation, mut send: impl FnMut(&Command) -> Option<Tag>) {
        for waits in self.outbox.iter_mut().filter(|waits| waits.sent.is_none()) {
            let Some(tag) = send(&waits.command) else { return };
            (waits.sent, waits.was_sent) = (Some((owner, tag)), true);
        }
    }

    /// Takes the first command if it waits to be sent.
    pub(super) fn pop_unsent(&mut self) -> Option<Command> {
        let first = self.outbox.front().is_some_and(|first| first.sent.is_none());
        if first { self.outbox.pop_front().map(|waits| waits.command) } else { None }
    }

    /// Puts a command back that was taken with [`Self::pop_unsent`]: it comes first again.
    pub(super) fn unpop(&mut self, command: Command) {
        self.push_front(vec![command]);
    }

    /// A command is answered.
    pub(crate) fn answered(&mut self, by: Incarnation, tag: Tag, outcome: Outcome) {
        let Some(at) = self.outbox.iter().position(|waits| waits.sent == Some((by, tag))) else { return };
        let Some(Forwarded { command, .. }) = self.outbox.remove(at) else { return };
        match outcome {
            Outcome::Stored(ack) => command.reply.ack(ack),
            Outcome::Refused(refusal) => command.reply.refuse(refusal),
        }
    }

    /// A node has given a command back without looking at it; whether it should go on at once. Two nodes that send it back
    /// and forth, because their views differ, do not do so as fast as they can.
    pub(crate) fn given_back(&mut self, by: Incarnation, tag: Tag) -> bool {
        let returned = self.outbox.iter_mut().find(|waits| waits.sent == Some((by, tag)));
        returned.is_some_and(|waits| {
            waits.sent = None;
            waits.returns = waits.returns.saturating_add(1);
            waits.returns <= AT_ONCE_RETURNS
        })
    }

    /// The link to a node is lost: what was sent there and not answered must be sent again.
    pub(super) fn lost(&mut self, owner: Incarnation) {
        for waits in self.outbox.iter_mut().filter(|waits| waits.sent.is_some_and(|(at, _)| at == owner)) {
            waits.sent = None;
            waits.command.reply.doubt();
        }
    }

    /// Refuses what has waited too long.
    pub(super) fn give_up_late(&mut self) {
        while self.outbox.front().is_some_and(|first| first.since.elapsed() >= PATIENCE) {
            let Some(Forwarded { command, was_sent, .. }) = self.outbox.pop_front() else { return };
            if was_sent {
                let why = "the conversation's server does not answer: send it again with the same id";
                command.reply.refuse(Refusal::new(ErrorCode::Unknown, why));
            } else {
                command.reply.busy("the conversation's server cannot be reached");
            }
        }
    }
}

/// Who was heard to own a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This member.
    Member(Incarnation),
    /// Somebody who is not, or not yet, in this node's view.
    NotInView,
}
