//! Keeps links to all members, and sends on what waits: commands whose way was not known, readers who are adrift.
//!
//! One task looks after everything that waits, whenever something has changed and ten times a second while something
//! waits; one task a member keeps the link to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onya_core::Incarnation;
use onya_core::cluster::Member;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{OwnerLink, Peers};
use crate::ports::{LinkLost, Placement};
use crate::system::System;

/// How often is looked at what waits.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Pauses between attempts to reach a member.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Starts what runs until the node ends.
pub(crate) fn start(system: &Arc<System>) {
    let courier = Courier { system: Arc::clone(system), links: BTreeMap::new() };
    system.tasks.spawn(courier.run());
    system.tasks.spawn(super::balance::run(Arc::clone(system)));
    system.tasks.spawn(super::digest::run(Arc::clone(system)));
}

struct Courier {
    system: Arc<System>,
    /// Ends the link to a member.
    links: BTreeMap<Incarnation, CancellationToken>,
}

impl Courier {
    async fn run(mut self) {
        let system = Arc::clone(&self.system);
        let Some(peers) = &system.peers else { return };
        let mut placements = peers.placements();
        loop {
            let placement = Arc::clone(&placements.borrow_and_update());
            self.keep_links(peers, &placement);
            system.directory.members_changed(&system, peers);
            loop {
                self.send_on(peers);
                tokio::select! {
                    biased;
                    () = peers.ended.cancelled() => return,
                    changed = placements.changed() => match changed {
                        Ok(()) => break,
                        // The membership has ended, and with it the node.
                        Err(_) => return,
                    },
                    () = peers.stirred.notified() => {}
                    () = sleep(LOOK_EVERY), if peers.has_waiting() => {}
                }
            }
        }
    }

    fn keep_links(&mut self, peers: &Peers, placement: &Placement) {
        self.links.retain(|member, link| {
            let stays = placement.view.member(*member).is_some();
            if !stays {
                link.cancel();
            }
            stays
        });
        for member in &placement.view.members {
            if member.incarnation != peers.me() && !self.links.contains_key(&member.incarnation) {
                let ended = peers.ended.child_token();
                self.system.tasks.spawn(keep_link(Arc::clone(&self.system), member.clone(), ended.clone()));
                self.links.insert(member.incarnation, ended);
            }
        }
    }

    fn send_on(&self, peers: &Peers) {
        for conversation in peers.waiting() {
            self.system.directory.forward_waiting(&self.system, peers, conversation);
        }
        let adrift = peers.take_adrift();
        if !adrift.is_empty() {
            let system = Arc::clone(&self.system);
            self.system.tasks.spawn(async move {
                system.directory.reattach(&system, adrift).await;
                let Some(peers) = system.peers.as_ref().filter(|peers| peers.has_adrift()) else { return };
                sleep(LOOK_EVERY).await;
                peers.stir();
            });
        }
    }
}

/// Keeps a link to a member until it is no member any more.
async fn keep_link(system: Arc<System>, member: Member, ended: CancellationToken) {
    let Some(peers) = &system.peers else { return };
    let mut pause = FIRST_PAUSE;
    loop {
        let link = OwnerLink::new(member.incarnation, &system);
        let lost = tokio::select! {
            biased;
            () = ended.cancelled() => LinkLost::Closed,
            lost = peers.transport.dial(member.clone(), Arc::clone(&link)) => lost,
        };
        let was_open = link.is_open();
        link.lost();
        peers.link_lost(&link);
        if was_open {
            system.directory.lost(peers, member.incarnation);
            peers.stir();
        }
        if ended.is_cancelled() {
            return;
        }
        if was_open {
            tracing::warn!(member = %member.name, %lost, "the link to a member is lost");
            pause = FIRST_PAUSE;
        } else {
            tracing::debug!(member = %member.name, %lost, "a member cannot be reached");
        }
        peers.membership().unreachable(member.incarnation);
        tokio::select! {
            biased;
            () = ended.cancelled() => return,
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
