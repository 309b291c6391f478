//! Where a command goes: to the conversation's actor on this node, or to the node that owns it.

use std::sync::Arc;

use onya_core::{ConversationId, Incarnation};

use super::Directory;
use super::course::{Course, Owner};
use super::row::Row;
use crate::conversation::{Command, Refused, text_bytes};
use crate::guard::guarded;
use crate::relay::{OwnerLink, Peers};
use crate::system::System;

/// Times that an actor is looked for which takes a command: one that leaves meanwhile is replaced by the next look-up.
const HAND_OVER_ATTEMPTS: usize = 3;

/// Which way a conversation is.
pub(super) enum Way {
    /// On this node, or to be activated here.
    Here,
    /// On another one, to which there is a link.
    There(Arc<OwnerLink>),
    /// Not known, or not reachable now.
    Nowhere,
}

impl Way {
    pub(super) fn node(&self, peers: &Peers) -> Option<Incarnation> {
        match self {
            Self::Here => Some(peers.me()),
            Self::There(link) => Some(link.owner),
            Self::Nowhere => None,
        }
    }
}

impl Directory {
    /// Sends a command where its conversation is.
    pub(crate) fn dispatch(&self, system: &Arc<System>, conversation: ConversationId, command: Command) {
        let Some(peers) = &system.peers else {
            if let Err(command) = self.submit_here(system, conversation, command) {
                command.reply.busy("the conversation is being loaded again");
            }
            return;
        };
        let row = self.row(conversation);
        let mut course = row.course();
        let settings = &system.settings;
        let has_room =
            course.as_ref().is_none_or(|course| course.has_room(text_bytes(&command.request.action), settings));
        if !has_room {
            drop(course);
            return command.reply.busy("too much waits for the conversation's server");
        }
        let course = course.get_or_insert_default();
        course.push(command);
        self.forward(system, (peers, &row), course);
        if !course.is_empty() {
            peers.awaits(conversation);
        }
    }

    /// Sends what waits in the outbox, as far as it is known where to.
    pub(crate) fn forward_waiting(&self, system: &Arc<System>, peers: &Peers, conversation: ConversationId) {
        let Some(row) = self.find(conversation) else { return peers.awaits_no_more(conversation) };
        let mut course = row.course();
        let Some(course) = course.as_mut() else { return peers.awaits_no_more(conversation) };
        self.forward(system, (peers, &row), course);
        course.give_up_late();
        if course.is_empty() {
            peers.awaits_no_more(conversation);
        }
    }

    fn forward(&self, system: &Arc<System>, (peers, row): (&Peers, &Arc<Row>), course: &mut Course) {
        if course.is_moving() || !course.has_unsent() {
            return;
        }
        let way = self.way(system, row, course);
        if course.is_under_way_elsewhere(way.node(peers)) {
            return;
        }
        match &way {
            Way::Here => {
                while let Some(command) = course.pop_unsent() {
                    if let Err(command) = self.submit_here(system, row.id, command) {
                        return course.unpop(*command);
                    }
                }
            }
            Way::There(link) => course.send_to(link.owner, |command| link.submit(row.id, command)),
            Way::Nowhere => {}
        }
    }

    /// Takes a command that another node sends.
    pub(crate) fn dispatch_from_edge(&self, system: &Arc<System>, conversation: ConversationId, command: Command) {
        let row = self.row(conversation);
        let command = match self.submit_here(system, conversation, command) {
            Ok(()) => return,
            Err(command) => command,
        };
        let mut course = row.course();
        if let Some(course) = course.as_mut().filter(|course| course.is_moving()) {
            return course.push(*command);
        }
        drop(course);
        let system = Arc::clone(system);
        system.tasks.clone().spawn(async move {
            let hint = system.directory.let_go(&system, &row).await;
            // Its own node sends it again.
            drop(command.reply.elsewhere(hint));
        });
    }

    /// Hands a command to the actor on this node, started if there is none. Gives it back if the actor is leaving, or if
    /// this node gives up what it owns.
    pub(crate) fn submit_here(
        &self,
        system: &Arc<System>,
        conversation: ConversationId,
        mut command: Command,
    ) -> Result<(), Box<Command>> {
        for _ in 0..HAND_OVER_ATTEMPTS {
            if system.hands_over(&self.row(conversation)) {
                break;
            }
            let handle = match self.activate(system, conversation) {
                Ok(handle) => handle,
                Err(refusal) => {
                    command.reply.refuse(refusal);
                    return Ok(());
                }
            };
            match handle.submit(command) {
                Ok(()) => return Ok(()),
                Err(returned) if returned.why == Refused::Full => {
                    returned.command.reply.busy("too much waits to be stored");
                    return Ok(());
                }
                Err(returned) => command = returned.command,
            }
        }
        Err(Box::new(command))
    }

    /// Which way the conversation is, now.
    pub(super) fn way(&self, system: &System, row: &Row, course: &mut Course) -> Way {
        let Some(peers) = &system.peers else { return Way::Here };
        if row.is_live() {
            return Way::Here;
        }
        let placement = peers.placement();
        let may_own = |owner: Incarnation| {
            placement.view.member(owner).is_some() && !(owner == peers.me() && system.is_draining())
        };
        let owner = match course.owner(may_own) {
            Some(Owner::Member(owner)) => Some(owner),
            Some(Owner::NotInView) => None,
            None => placement.owner(row.id),
        };
        match owner {
            Some(owner) if owner == peers.me() && system.is_draining() => Way::Nowhere,
            Some(owner) if owner == peers.me() => Way::Here,
            Some(owner) => peers.owner_link(owner).map_or(Way::Nowhere, Way::There),
            None => Way::Nowhere,
        }
    }

    /// A conversation has left this node: its commands and its readers, here and on other nodes, go after it.
    pub(crate) fn moved(
        &self,
        system: &Arc<System>,
        row: &Arc<Row>,
        (owner, commands): (Option<Incarnation>, Vec<Command>),
    ) {
        let Some(peers) = &system.peers else {
            return commands
                .into_iter()
                .for_each(|command| command.reply.busy("the conversation is being loaded again"));
        };
        let hint = owner.or_else(|| peers.wished_elsewhere(row.id));
        {
            let mut course = row.course();
            let course = course.get_or_insert_default();
            course.end_move(owner);
            course.push_front(commands);
            course.send_back(hint);
            if course.attached() == Some(peers.me()) {
                course.attach(None);
            }
        }
        for edge in row.take_edges() {
            edge.moved(row.id, hint);
        }
        peers.awaits(row.id);
        // Its readers, if there are any, and its commands go on.
        peers.adrift(row.id);
    }

    /// Gives up a conversation that is owned by this node, is not in memory, and is asked for while the node gives up what it
    /// owns; who should own it now.
    pub(super) async fn let_go(&self, system: &Arc<System>, row: &Row) -> Option<Incarnation> {
        if system.hands_over(row)
            && let Err(error) = guarded(system.log.release_idle(row.id)).await
        {
            tracing::warn!(conversation = %row.id, %error, "ownership could not be given up");
        }
        system.wished_owner(row.id)
    }

    /// The same, for somebody who does not wait for it.
    pub(crate) fn let_go_soon(&self, system: &Arc<System>, conversation: ConversationId) {
        let (system, row) = (Arc::clone(system), self.row(conversation));
        system.tasks.clone().spawn(async move {
            system.directory.let_go(&system, &row).await;
            if let Some(peers) = &system.peers {
                peers.stir();
            }
        });
    }

    /// An actor that was leaving the conversation is no more: what waits goes wherever the conversation is.
    pub(super) fn stay(&self, system: &Arc<System>, row: &Arc<Row>) {
        if row.course().as_ref().is_some_and(|course| course.is_moving()) {
            self.moved(system, row, (None, Vec::new()));
        }
    }

    /// The actor takes no more commands, and the conversation leaves this node: they wait.
    pub(crate) fn begin_move(&self, row: &Row) {
        row.course().get_or_insert_default().begin_move();
    }
}
