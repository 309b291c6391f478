//! What must hold in every state.

use onya_core::conversation::Outcome;
use stateright::Model as _;

use crate::client::Told;
use crate::log::{self, Attempt, Control, Entry, Event};
use crate::store::Member;
use crate::world::{Cluster, World};

type Property = stateright::Property<Cluster>;

/// A promise to senders.
pub const ACKNOWLEDGED: &str = "an acknowledged command stands where the acknowledgement says";
/// A promise to senders.
pub const ONCE: &str = "a command stands in the log at most once";
/// A promise to senders.
pub const REFUSED: &str = "a command that was refused each time it was sent is not stored";
/// A promise to readers.
pub const NO_GAP: &str = "positions are 1 to n, and the row knows n";
/// A promise to readers.
pub const READERS: &str = "a reader has seen the log from its start, and nothing that is not stored";
/// What ownership is for.
pub const EPOCHS: &str = "epochs never go down along the log";
/// What ownership is for.
pub const ONE_CLAIM: &str = "the entries of an epoch were written under one claim";
/// What ownership is for.
pub const ALL_READ: &str = "who may write knows all that others have written";
/// What ownership is for.
pub const NOT_ROBBED: &str = "who lives and has not let go is the owner";
/// A promise to customers.
pub const ONE_END: &str = "a turn begins once, ends at most once, and its attempts count up";
/// A promise to customers and agents.
pub const CONTROL: &str = "no answer of the assistant stands where somebody else is in control";
/// A promise to everybody.
pub const AT_REST: &str =
    "where nothing has to happen any more, each command has its outcome and each question its answer";

/// What must hold in every state.
#[must_use]
pub fn always() -> Vec<Property> {
    vec![
        Property::always(ACKNOWLEDGED, |_, world| acknowledged(world)),
        Property::always(ONCE, |_, world| once(world)),
        Property::always(REFUSED, |_, world| refused(world)),
        Property::always(NO_GAP, |_, world| no_gap(world)),
        Property::always(READERS, |_, world| world.store.log.starts_with(&world.shown)),
        Property::always(EPOCHS, |_, world| neighbours(world).all(|(one, next)| one.fence.epoch <= next.fence.epoch)),
        Property::always(ONE_CLAIM, |_, world| one_claim(world)),
        Property::always(ALL_READ, |_, world| all_read(world)),
        Property::always(NOT_ROBBED, |_, world| not_robbed(world)),
        Property::always(ONE_END, |_, world| one_end(&world.store.log)),
        Property::always(CONTROL, |_, world| in_control(&world.store.log)),
        Property::always(AT_REST, |cluster, world| is_settled(world) || !is_at_rest(cluster, world)),
    ]
}

fn acknowledged(world: &World) -> bool {
    world.sendings.iter().enumerate().all(|(command, sending)| match sending.told {
        Told::Acked(ack) => log::at(&world.store.log, ack.seq).is_some_and(|entry| entry.answers(command)),
        _ => true,
    })
}

fn once(world: &World) -> bool {
    let times = |command: usize| world.store.log.iter().filter(|entry| entry.answers(command)).count();
    (0..world.sendings.len()).all(|command| times(command) <= 1)
}

fn refused(world: &World) -> bool {
    world.sendings.iter().enumerate().all(|(command, sending)| {
        let refused = matches!(sending.told, Told::NotStored | Told::Refused);
        let sure = refused && !sending.doubtful && world.under_way(command) == 0;
        !sure || !world.store.log.iter().any(|entry| entry.answers(command))
    })
}

fn no_gap(world: &World) -> bool {
    let log = &world.store.log;
    log.iter().zip(1..).all(|(entry, seq)| entry.seq == seq) && log::last_seq(log) == world.store.last_seq
}

fn neighbours(world: &World) -> impl Iterator<Item = (&Entry, &Entry)> {
    world.store.log.iter().zip(world.store.log.iter().skip(1))
}

fn one_claim(world: &World) -> bool {
    neighbours(world).all(|(one, next)| one.fence.epoch != next.fence.epoch || one.fence == next.fence)
}

/// Pods of an older history are left out: what they know may never have happened.
fn all_read(world: &World) -> bool {
    world.pods.iter().filter(|pod| pod.history == world.history).all(|pod| match &pod.owned {
        Some(owned) if world.store.is_fence(owned.fence) => {
            let others = world.store.log.strip_prefix(owned.known.as_slice());
            others.is_some_and(|mine| mine.iter().all(|entry| entry.fence == owned.fence))
        }
        _ => true,
    })
}

fn not_robbed(world: &World) -> bool {
    world.pods.iter().enumerate().all(|(number, pod)| {
        let who = world.incarnation(number);
        let lives = pod.up && pod.history == world.history && world.store.member(who) != Member::Dead;
        let holds = lives && pod.owned.is_some() && !pod.is_releasing();
        !holds || world.store.owner == Some(who)
    })
}

/// One look along the log.
fn one_end(log: &[Entry]) -> bool {
    let mut open: Option<Attempt> = None;
    log.iter().all(|entry| {
        let (fits, next) = match (entry.event, open) {
            (Event::TurnOpened(_), None) => (true, Some(Attempt { turn: entry.seq, attempt: 1 })),
            (Event::TurnOpened(_), Some(_)) => (false, open),
            (Event::AttemptStarted(begun), Some(before)) => {
                (begun == Attempt { attempt: before.attempt + 1, ..before }, Some(begun))
            }
            (Event::TurnEnded(ended, _), _) => (open == Some(ended), None),
            (Event::AttemptStarted(_), None) => (false, None),
            _ => (true, open),
        };
        open = next;
        fits
    })
}

fn in_control(log: &[Entry]) -> bool {
    let mut control = Control::Assistant;
    log.iter().all(|entry| {
        if let Event::ControlChanged(now, _) = entry.event {
            control = now;
        }
        !matches!(entry.event, Event::TurnEnded(_, Outcome::Final)) || control == Control::Assistant
    })
}

/// Whether nothing has to happen any more.
#[must_use]
pub fn is_at_rest(cluster: &Cluster, world: &World) -> bool {
    let mut steps = Vec::new();
    cluster.actions(world, &mut steps);
    !steps.into_iter().any(|step| cluster.is_due(world, step))
}

/// Whether each command that was sent is acknowledged or refused, and each question answered or with a person.
#[must_use]
pub fn is_settled(world: &World) -> bool {
    let log = &world.store.log;
    let newest = log.iter().rev().find(|entry| matches!(entry.event, Event::TurnEnded(..) | Event::Said));
    let answered = newest.is_none_or(|entry| matches!(entry.event, Event::TurnEnded(_, Outcome::Final)));
    world.sendings.iter().all(|sending| !sending.sent || sending.is_settled())
        && log::open_turn(log).is_none()
        && (answered || log::control(log) != Control::Assistant)
}
