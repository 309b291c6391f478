//! Leaves conversations to the node that should own them, a few at a time, and keeps the desk right.
//!
//! The ring is a wish. A conversation that is live here and should be elsewhere stays at least [`RESIDENCE`], and while
//! members come or go: a restart of one node after the other would otherwise move everything twice. A member of an older
//! release, which the ring gives nothing, leaves nothing to others either before it drains.

use std::sync::Arc;
use std::time::Duration;

use onya_core::cluster::Standing;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Peers;
use crate::guard::guarded;
use crate::ports::Placement;
use crate::system::System;

/// How often conversations are left to others.
pub const EVERY: Duration = Duration::from_secs(1);
/// How long the members must have been the same, and a conversation here.
pub const RESIDENCE: Duration = Duration::from_secs(5);
/// Conversations left at a time.
pub const AT_A_TIME: usize = 100;
/// How often the desk is compared with the store, in multiples of [`EVERY`]. What it shows is provisional.
const DESK_EVERY: u32 = 10;

/// Runs until the node ends.
pub(super) async fn run(system: Arc<System>) {
    let Some(peers) = &system.peers else { return };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut settled = Settled { version: peers.placement().view.version, since: Instant::now() };
    for tick in 1_u32.. {
        tokio::select! {
            biased;
            () = peers.ended.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let placement = peers.placement();
        let takes_part = placement.view.placed_on().iter().any(|member| member.incarnation == peers.me());
        if settled.long_enough(&placement) && takes_part && !system.is_draining() {
            leave_some(&system, peers, &placement);
        }
        if tick.is_multiple_of(DESK_EVERY)
            && let Ok(waiting) = guarded(system.log.waiting()).await
        {
            system.desk.refresh(waiting);
        }
    }
}

/// Since when the members are the same.
struct Settled {
    version: u64,
    since: Instant,
}

impl Settled {
    fn long_enough(&mut self, placement: &Placement) -> bool {
        let view = &placement.view;
        if view.version != self.version {
            *self = Self { version: view.version, since: Instant::now() };
        }
        self.since.elapsed() >= RESIDENCE && view.members.iter().all(|member| member.standing == Standing::Live)
    }
}

fn leave_some(system: &Arc<System>, peers: &Peers, placement: &Placement) {
    let elsewhere = system.directory.all().into_iter().filter(|row| {
        row.lives_for().is_some_and(|lived| lived >= RESIDENCE)
            && placement.owner(row.id).is_some_and(|owner| owner != peers.me())
    });
    for row in elsewhere.take(AT_A_TIME) {
        row.hand_over();
    }
}
