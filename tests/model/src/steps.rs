//! The steps of the model, and what each does. When each can be taken is in [`crate::possible`].

use std::sync::Arc;

use stateright::{Model, Property};

use crate::pod::Leaving;
use crate::store::{Member, Stage, Statement, What};
use crate::world::{Cluster, World};
use crate::{possible, properties, reached};

/// One step. A pod is named by its place, a command and an orphaned statement by theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A sender sends a command.
    Send(usize),
    /// A pod claims.
    Claim(usize),
    /// An owner takes up a command and decides.
    Take(usize, usize),
    /// The model has ended, and the owner decides.
    Finish(usize),
    /// The store takes a pod's statement one stage further.
    Advance(usize),
    /// A pod hears what the store answered.
    Hear(usize),
    /// The store takes a statement further that nobody waits for.
    AdvanceOrphan(usize),
    /// Such a statement never arrives, or is undone.
    LoseOrphan(usize),
    /// A pod will not learn the outcome of its statement.
    Cut(usize),
    /// The store does not take a pod's statement just now.
    TurnAway(usize),
    /// A process is killed.
    Crash(usize),
    /// A process finds that it is dead, or that the history has changed, and ends.
    Exit(usize),
    /// A process starts again.
    Restart(usize),
    /// A pod declares the other one dead.
    Bury(usize),
    /// A pod is asked to hand over.
    HandOver(usize),
    /// A pod is shut down in good order.
    Drain(usize),
    /// An idle actor leaves memory.
    Passivate(usize),
    /// A pod that lets go calls off the model.
    Abandon(usize),
    /// A pod that has let go ends.
    Retire(usize),
    /// The store is copied.
    Backup,
    /// The store goes back to its copy.
    Restore,
}

impl Model for Cluster {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.scenario)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        self.possible(world, steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        self.take_step(&mut next, step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        if let Some(planted) = self.scenario.planted {
            let broken = |property: &Property<Self>| property.name == planted.breaks();
            return properties::always().into_iter().filter(broken).collect();
        }
        let reached = reached::all().into_iter().filter(|property| self.scenario.reaches.contains(&property.name));
        properties::always().into_iter().chain(reached).collect()
    }
}

impl Cluster {
    fn take_step(&self, world: &mut World, step: Step) {
        match step {
            Step::Send(command) => {
                world.left.repeats -= u8::from(possible::is_repeat(world, command));
                world.sendings[command].send();
            }
            Step::Claim(pod) => world.send(pod, What::Claim),
            Step::Take(pod, command) => self.take(world, pod, command),
            Step::Finish(pod) => self.finish(world, pod),
            Step::Advance(pod) => self.advance(world, pod),
            Step::Hear(pod) => self.hear(world, pod),
            Step::AdvanceOrphan(number) => self.advance_orphan(world, number),
            Step::LoseOrphan(number) => lose(world, number),
            Step::Cut(pod) => {
                world.left.cuts -= 1;
                self.cut(world, pod);
            }
            Step::TurnAway(pod) => {
                world.left.refusals -= 1;
                world.turn_away(pod);
            }
            Step::Crash(pod) => {
                world.left.crashes -= 1;
                self.exit(world, pod);
            }
            Step::Exit(pod) => self.exit(world, pod),
            Step::Restart(pod) => world.restart(pod),
            Step::Bury(other) => {
                world.left.verdicts -= u8::from(possible::runs(world, other));
                world.store.members[other].1 = Member::Dead;
            }
            Step::HandOver(pod) => {
                world.left.handovers -= 1;
                world.leave(pod, Leaving::HandOver);
            }
            Step::Drain(pod) => {
                world.left.drains -= 1;
                world.leave(pod, Leaving::Drain);
            }
            Step::Passivate(pod) => {
                world.left.passivations -= 1;
                world.pods[pod].owned = None;
            }
            Step::Abandon(pod) => world.abandon_reply(pod),
            Step::Retire(pod) => world.retire(pod),
            Step::Backup => {
                world.left.restores -= 1;
                world.backup = Some(Arc::new(world.store.clone()));
            }
            Step::Restore => world.restore(),
        }
    }

    fn advance(&self, world: &mut World, pod: usize) {
        let Some(mut statement) = world.pods[pod].statement.take() else { return };
        self.carry_out(world, &mut statement);
        world.pods[pod].statement = Some(statement);
    }

    fn advance_orphan(&self, world: &mut World, number: usize) {
        let mut statement = world.orphans.remove(number);
        self.carry_out(world, &mut statement);
        if !matches!(statement.stage, Stage::Answered(_)) {
            world.orphans.push(statement);
            world.orphans.sort();
        }
    }

    fn carry_out(&self, world: &mut World, statement: &mut Statement) {
        let epoch = world.store.epoch;
        world.store.advance(statement, world.nonces + 1, self.scenario.planted);
        world.nonces += u8::from(world.store.epoch != epoch);
    }
}

fn lose(world: &mut World, number: usize) {
    let statement = world.orphans.remove(number);
    if statement.stage == Stage::Locked {
        world.store.locked = false;
    }
}
