//! What must be reachable, or the properties hold of nothing: the rare events that the protocol is about.

use onya_core::conversation::Outcome;

use crate::client::{Ack, Told};
use crate::log::{self, Event};
use crate::pod::Leaving;
use crate::store::{Answer, Append, Member, Stage, Statement, What};
use crate::world::{Cluster, World};

type Property = stateright::Property<Cluster>;

/// An append meets a row that another claim has changed.
pub const FENCED: &str = "an append is fenced";
/// The same, of a process that only was slow.
pub const ZOMBIE: &str = "what a process writes that was declared dead is refused";
/// An append meets a row that a claim has locked.
pub const LOCKED: &str = "an append waits for a claim";
/// An unknown outcome, one way.
pub const STORED: &str = "an unknown outcome was stored";
/// An unknown outcome, the other way.
pub const NOT_STORED: &str = "an unknown outcome was not stored";
/// An unknown outcome, still open.
pub const LATE: &str = "an append may be carried out after its owner has given it up";
/// Memory tells a repeat.
pub const REPEATED: &str = "a repeat is answered with the first position";
/// The store tells a repeat.
pub const REPEATED_BY_STORE: &str = "the store tells a repeat that memory has forgotten";
/// Two pods claim at once.
pub const LOST_RACE: &str = "a claim finds another owner";
/// A verdict while a claim is under way.
pub const DEAD_CLAIMS: &str = "a process is declared dead while its claim holds the lock";
/// A claim of the dead.
pub const DEAD_REFUSED: &str = "a claim of a dead process is refused";
/// The agent is faster than the model.
pub const TAKEN_OVER: &str = "an agent takes over in an open turn";
/// The turn's second owner.
pub const GONE_ON: &str = "another owner goes on with a turn";
/// One attempt too many.
pub const GIVEN_UP: &str = "a turn is given up, and a person asked for";
/// Nobody owns what is owed.
pub const RELEASED: &str = "a conversation is handed over in an open turn";
/// The same, by a pod that ends.
pub const DRAINED: &str = "a pod drains while it owns an open turn";
/// The store went back.
pub const NONCE_ALONE: &str = "only the nonce tells an append of an older history";
/// A handed back question.
pub const HANDED_BACK: &str = "an agent hands a question back";

/// All of them.
#[must_use]
pub fn all() -> Vec<Property> {
    vec![
        Property::sometimes(FENCED, |_, world| appends(world).any(|(_, _, stage)| answered(stage, &Answer::Fenced))),
        Property::sometimes(ZOMBIE, |_, world| {
            let dead = |pod| world.store.member(world.incarnation(pod)) == Member::Dead;
            appends(world).any(|(pod, _, stage)| dead(pod) && answered(stage, &Answer::Fenced))
        }),
        Property::sometimes(LOCKED, |_, world| {
            world.store.locked && appends(world).any(|(_, _, stage)| *stage == Stage::Sent)
        }),
        Property::sometimes(STORED, |_, world| unknown(world).any(|command| is_stored(world, command))),
        Property::sometimes(NOT_STORED, |_, world| {
            unknown(world).any(|command| {
                let lost = world.under_way(command) == 0 && world.orphans.is_empty();
                lost && !is_stored(world, command)
            })
        }),
        Property::sometimes(LATE, |_, world| world.orphans.iter().any(|orphan| would_fit(world, orphan))),
        Property::sometimes(REPEATED, |_, world| {
            world.sendings.iter().any(|sending| matches!(sending.told, Told::Acked(Ack { repeated: true, .. })))
        }),
        Property::sometimes(REPEATED_BY_STORE, |_, world| {
            appends(world).any(|(_, _, stage)| matches!(stage, Stage::Answered(Answer::Repeated(_))))
        }),
        Property::sometimes(LOST_RACE, |_, world| {
            claims(world).any(|(_, stage)| answered(stage, &Answer::OwnedByOther))
        }),
        Property::sometimes(DEAD_CLAIMS, |_, world| {
            let dead = |pod| world.store.member(world.incarnation(pod)) == Member::Dead;
            claims(world).any(|(pod, stage)| dead(pod) && *stage == Stage::Locked)
        }),
        Property::sometimes(DEAD_REFUSED, |_, world| claims(world).any(|(_, stage)| answered(stage, &Answer::NotLive))),
        Property::sometimes(TAKEN_OVER, |_, world| ended(world, Outcome::TakenOver)),
        Property::sometimes(GONE_ON, |_, world| gone_on(world)),
        Property::sometimes(GIVEN_UP, |_, world| ended(world, Outcome::Failed)),
        Property::sometimes(RELEASED, |_, world| {
            let released = world.store.owner.is_none() && world.store.epoch > 0;
            released && log::open_turn(&world.store.log).is_some()
        }),
        Property::sometimes(DRAINED, |_, world| {
            let drains = world.pods.iter().any(|pod| pod.leaving == Leaving::Drain && pod.owned.is_some());
            drains && log::open_turn(&world.store.log).is_some()
        }),
        Property::sometimes(NONCE_ALONE, |_, world| {
            appends(world).any(|(_, append, stage)| {
                let fits = append.fence.epoch == world.store.epoch && append.expected == world.store.last_seq;
                *stage == Stage::Sent && fits && !world.store.is_fence(append.fence)
            })
        }),
        Property::sometimes(HANDED_BACK, |_, world| {
            let back = |event| matches!(event, Event::ControlChanged(log::Control::Assistant, _));
            world.store.log.iter().any(|entry| back(entry.event))
        }),
    ]
}

fn statements(world: &World) -> impl Iterator<Item = (usize, &Statement)> {
    world.pods.iter().enumerate().filter_map(|(number, pod)| Some((number, pod.statement.as_ref()?)))
}

fn appends(world: &World) -> impl Iterator<Item = (usize, &Append, &Stage)> {
    statements(world).filter_map(|(pod, statement)| match &statement.what {
        What::Append(append) => Some((pod, append, &statement.stage)),
        _ => None,
    })
}

fn claims(world: &World) -> impl Iterator<Item = (usize, &Stage)> {
    statements(world).filter(|(_, statement)| statement.what == What::Claim).map(|(pod, claim)| (pod, &claim.stage))
}

fn answered(stage: &Stage, wanted: &Answer) -> bool {
    matches!(stage, Stage::Answered(answer) if answer == wanted)
}

fn unknown(world: &World) -> impl Iterator<Item = usize> {
    world.sendings.iter().enumerate().filter(|(_, sending)| sending.told == Told::Unknown).map(|(command, _)| command)
}

fn is_stored(world: &World, command: usize) -> bool {
    world.store.log.iter().any(|entry| entry.answers(command))
}

fn would_fit(world: &World, orphan: &Statement) -> bool {
    match &orphan.what {
        What::Append(append) => world.store.is_fence(append.fence) && world.store.last_seq == append.expected,
        _ => false,
    }
}

fn ended(world: &World, how: Outcome) -> bool {
    world.store.log.iter().any(|entry| matches!(entry.event, Event::TurnEnded(_, outcome) if outcome == how))
}

fn gone_on(world: &World) -> bool {
    let log = &world.store.log;
    let other = |turn, fence| log::at(log, turn).is_some_and(|opened| opened.fence != fence);
    log.iter().any(|entry| matches!(entry.event, Event::AttemptStarted(begun) if other(begun.turn, entry.fence)))
}
