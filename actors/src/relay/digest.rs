//! Compares, now and then, how far readers are with what their conversations' owners have shown.
//!
//! A link loses no entry while it stays, and when it is lost readers are brought up to date again. Should an owner all the same have
//! forgotten that this node reads, or an entry not have arrived, a reader of a conversation in which nothing more happens would never
//! know. So each owner is told how far the readers are, and says for which of them that is not where they should be; those are
//! brought up to date as after a move. Neither side asks the store for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onya_core::Incarnation;
use onya_protocol::peer::Reached;
use tokio::time::{MissedTickBehavior, interval};

use super::Peers;
use crate::system::System;

/// How often.
const EVERY: Duration = Duration::from_secs(30);
/// Conversations in one frame.
const IN_ONE_FRAME: usize = 500;

/// Runs until the node ends.
pub(super) async fn run(system: Arc<System>) {
    let Some(peers) = &system.peers else { return };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = peers.ended.cancelled() => return,
            _ = ticks.tick() => tell(&system, peers),
        }
    }
}

fn tell(system: &System, peers: &Peers) {
    let mut by_owner: BTreeMap<Incarnation, Vec<Reached>> = BTreeMap::new();
    for row in system.directory.all() {
        if let Some((owner, seq)) = row.reached().filter(|(owner, _)| *owner != peers.me()) {
            by_owner.entry(owner).or_default().push(Reached { conversation: row.id, seq });
        }
    }
    for (owner, reached) in by_owner {
        let Some(link) = peers.owner_link(owner) else { continue };
        reached.chunks(IN_ONE_FRAME).for_each(|reached| link.digest(reached.to_vec()));
    }
}
