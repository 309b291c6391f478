//! Notices conversations that do not move: work waits in them, and for a long time nothing was done with.
//!
//! Everything that an actor waits for has a time limit of its own, far below the one here, so this finds what nobody
//! thought of: a call of the store that never ends, an actor that forgot what it waits for. It is reported, and if it
//! lasts twice as long, the actor is replaced: what waits is answered `unknown`, and the next actor loads what is stored.
//! That is no crash of the conversation's own making, and does not lead to its quarantine: when a store hangs, many stand
//! still that are as good as any.
//!
//! It asks the store for nothing, since that may be what hangs.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::conversation::Handle;
use crate::directory::Row;
use crate::system::System;

/// How often is looked in the time after which a conversation counts as stuck.
const LOOKS: u32 = 8;
/// Conversations that are named in the log with each look; of more, only their number.
const NAMED_AT_ONCE: usize = 20;

pub(crate) struct Watchdog;

#[derive(Debug)]
pub(crate) struct Look;

impl Actor for Watchdog {
    type Msg = Look;
    type State = Arc<System>;
    type Arguments = Arc<System>;

    async fn pre_start(&self, myself: ActorRef<Look>, system: Arc<System>) -> Result<Arc<System>, ActorProcessingErr> {
        metrics::gauge!("onya_conversations_stuck").set(0.0);
        myself.cast(Look)?;
        Ok(system)
    }

    async fn handle(
        &self,
        myself: ActorRef<Look>,
        _: Look,
        system: &mut Arc<System>,
    ) -> Result<(), ActorProcessingErr> {
        look(system);
        myself.send_after(stuck_after(system) / LOOKS, || Look);
        Ok(())
    }
}

fn look(system: &Arc<System>) {
    let limit = stuck_after(system);
    let mut stuck = system.directory.live();
    stuck.retain(|(_, handle)| handle.admission.stands_still() >= limit);
    metrics::gauge!("onya_conversations_stuck").set(stuck.len() as f64);
    let new = stuck.iter().filter(|(_, handle)| handle.admission.tell());
    name(new, |row, handle| {
        let waiting_ms = handle.admission.stands_still().as_millis();
        tracing::warn!(conversation = %row.id, waiting_ms, waiting = handle.admission.commands(), "a conversation is stuck");
    });
    stuck.retain(|(_, handle)| handle.admission.stands_still() >= 2 * limit);
    for (row, handle) in &stuck {
        metrics::counter!("onya_conversations_replaced_total").increment(1);
        system.directory.replace(system, (row, handle));
    }
    name(stuck.iter(), |row, _| {
        tracing::error!(conversation = %row.id, "a conversation is still stuck: its actor is replaced");
    });
}

/// Names the first of them, and says how many more there are.
fn name<'a>(stuck: impl Iterator<Item = &'a (Arc<Row>, Handle)>, say: impl Fn(&Row, &Handle)) {
    let mut unnamed = 0;
    for (number, (row, handle)) in stuck.enumerate() {
        if number < NAMED_AT_ONCE {
            say(row, handle);
        } else {
            unnamed += 1;
        }
    }
    if unnamed > 0 {
        tracing::warn!(conversations = unnamed, "and so many more");
    }
}

fn stuck_after(system: &System) -> Duration {
    Duration::from_millis(system.settings.stuck_after_ms)
}
