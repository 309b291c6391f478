//! What can happen next. Nothing has a time: whatever can happen may also happen much later, which is how a process is
//! slow, a packet is late and a time limit passes.

use crate::client;
use crate::log;
use crate::planted::Planted;
use crate::pod::Leaving;
use crate::steps::Step;
use crate::store::{Incarnation, Member, PODS, Stage};
use crate::world::{Cluster, World};

impl Cluster {
    /// Every step that can be taken, always in the same order.
    pub(crate) fn possible(&self, world: &World, steps: &mut Vec<Step>) {
        let commands = 0..self.scenario.commands.len();
        steps.extend(commands.filter(|command| self.may_send(world, *command)).map(Step::Send));
        for pod in 0..PODS {
            self.steps_of(world, pod, steps);
            faults_of(world, pod, steps);
        }
        for (number, orphan) in world.orphans.iter().enumerate() {
            if world.store.can_advance(orphan) {
                steps.push(Step::AdvanceOrphan(number));
            }
            steps.push(Step::LoseOrphan(number));
        }
        match world.backup {
            None if world.left.restores > 0 => steps.push(Step::Backup),
            Some(_) => steps.push(Step::Restore),
            None => {}
        }
    }

    /// Whether a step happens sooner or later if nothing else does. The others are faults, and what people and operators
    /// may wish for or not. A pod that is down has to come back only where no other one runs.
    pub(crate) fn is_due(&self, world: &World, step: Step) -> bool {
        match step {
            Step::Send(command) => world.sendings[command].sent && !is_repeat(world, command),
            Step::Restart(_) => world.pods.iter().all(|pod| !pod.up),
            Step::Bury(other) => !runs(world, other),
            Step::Cut(_) | Step::TurnAway(_) | Step::Crash(_) | Step::Backup | Step::Restore => false,
            Step::HandOver(_) | Step::Drain(_) | Step::Passivate(_) => false,
            _ => true,
        }
    }

    /// A sender sends when it has not yet, when it knows of no copy that is under way, and sometimes without a reason.
    fn may_send(&self, world: &World, command: usize) -> bool {
        let sending = world.sendings[command];
        if !sending.sent {
            return client::is_wanted(self.scenario.commands, &world.sendings, self.scenario.commands[command]);
        }
        let needed = !sending.is_settled() && world.under_way(command) == 0;
        needed || world.left.repeats > 0
    }

    fn steps_of(&self, world: &World, pod: usize, steps: &mut Vec<Step>) {
        let state = &world.pods[pod];
        if !state.up {
            return steps.push(Step::Restart(pod));
        }
        let is_dead = world.store.member(world.incarnation(pod)) == Member::Dead;
        if is_dead || state.history != world.history {
            steps.push(Step::Exit(pod));
        }
        match &state.statement {
            Some(statement) if matches!(statement.stage, Stage::Answered(_)) => steps.push(Step::Hear(pod)),
            Some(statement) if world.store.can_advance(statement) => steps.push(Step::Advance(pod)),
            Some(_) => {}
            None => self.decisions_of(world, pod, steps),
        }
    }

    fn decisions_of(&self, world: &World, pod: usize, steps: &mut Vec<Step>) {
        let state = &world.pods[pod];
        let stays = state.leaving == Leaving::No;
        match &state.owned {
            Some(owned) => {
                if owned.reply.is_some() {
                    steps.push(Step::Finish(pod));
                }
                if owned.reply.is_some() && !stays {
                    steps.push(Step::Abandon(pod));
                }
                let waiting = world.sendings.iter().enumerate().filter(|(_, sending)| stays && sending.waiting > 0);
                waiting.for_each(|(command, _)| steps.push(Step::Take(pod, command)));
            }
            None if stays && self.may_claim(world, pod) => steps.push(Step::Claim(pod)),
            None if state.leaving == Leaving::Drain => steps.push(Step::Retire(pod)),
            None => {}
        }
    }

    /// A pod claims if something is to be done, and nobody else is known to be the owner.
    fn may_claim(&self, world: &World, pod: usize) -> bool {
        let owed = log::open_turn(&world.store.log).is_some() && !self.scenario.is(Planted::TurnForgotten);
        let wanted = owed || world.sendings.iter().any(|sending| sending.waiting > 0);
        let who = world.incarnation(pod);
        let draining = |owner: Incarnation| world.store.member(owner) == Member::Draining;
        let robs = match self.scenario.planted {
            Some(Planted::LiveOwnerRobbed) => true,
            Some(Planted::DrainingTakenForDead) => world.store.owner.is_some_and(draining),
            _ => false,
        };
        wanted && (world.store.is_free_for(who) || robs)
    }
}

fn faults_of(world: &World, pod: usize, steps: &mut Vec<Step>) {
    let state = &world.pods[pod];
    let other = (pod + 1) % PODS;
    if !state.up {
        return;
    }
    let left = &world.left;
    let judges = world.store.member(world.incarnation(pod)) == Member::Live;
    let may_bury = judges && (left.verdicts > 0 || !runs(world, other));
    let may_leave = state.leaving == Leaving::No;
    let holds = state.owned.is_some() || state.statement.is_some();
    let possible = [
        (left.cuts > 0 && state.statement.is_some(), Step::Cut(pod)),
        (left.refusals > 0 && state.has_sent(), Step::TurnAway(pod)),
        (left.crashes > 0, Step::Crash(pod)),
        (may_bury && world.store.members[other].1 != Member::Dead, Step::Bury(other)),
        (left.handovers > 0 && may_leave && holds, Step::HandOver(pod)),
        (left.drains > 0 && may_leave, Step::Drain(pod)),
        (left.passivations > 0 && state.is_idle(), Step::Passivate(pod)),
    ];
    steps.extend(possible.into_iter().filter(|(possible, _)| *possible).map(|(_, step)| step));
}

/// Whether the process runs that the members' table names.
pub(crate) fn runs(world: &World, pod: usize) -> bool {
    world.pods[pod].up && world.pods[pod].start == world.store.members[pod].0
}

/// Whether a command would be sent again without need.
pub(crate) fn is_repeat(world: &World, command: usize) -> bool {
    let sending = world.sendings[command];
    sending.sent && (sending.is_settled() || world.under_way(command) > 0)
}
