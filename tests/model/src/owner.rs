//! The actor of a pod: it decides, has stored what it decided, and only then tells and shows.
//!
//! It waits for at most one statement at a time. Whatever it does not learn the outcome of makes it leave, and load again
//! if it is still needed.

use std::sync::Arc;

use crate::client::{Ack, Told};
use crate::log::{self, Attempt, Entry, Fence, Key, Log};
use crate::planted::Planted;
use crate::pod::{Leaving, Owned, Pod};
use crate::rules::{Asked, Decided};
use crate::store::{Answer, Append, Stage, Statement, What};
use crate::world::{Cluster, World};

impl Cluster {
    /// A pod takes up a copy of a command. One that counts in an older history answers at most once from its memory
    /// before it finds out.
    pub fn take(&self, world: &mut World, pod: usize, command: usize) {
        let key = world.sendings[command].take(command, self.scenario.planted);
        let told = match self.decide(world, pod, Asked::Request(key)) {
            Decided::Append(entries, start) => return self.append(world, pod, entries, (Some(key), start)),
            Decided::Nothing => Told::Refused,
            Decided::Repeat(seq) => Told::Acked(Ack { seq, repeated: true }),
        };
        self.tell(world, pod, key, told);
        if world.pods[pod].history != world.history {
            self.exit(world, pod);
        }
    }

    /// The model has ended.
    pub fn finish(&self, world: &mut World, pod: usize) {
        let Some(reply) = world.pods[pod].owned.as_ref().and_then(|owned| owned.reply) else { return };
        match self.decide(world, pod, Asked::Finish(reply)) {
            Decided::Append(entries, start) => self.append(world, pod, entries, (None, start)),
            Decided::Nothing | Decided::Repeat(_) => world.abandon_reply(pod),
        }
    }

    fn decide(&self, world: &World, pod: usize, asked: Asked) -> Decided {
        let Some(owned) = &world.pods[pod].owned else { return Decided::Nothing };
        let decided = self.rules.decide(&owned.known, owned.fence, asked, None);
        match asked {
            // What memory has forgotten is looked up before a command is refused.
            Asked::Request(_) if decided == Decided::Nothing && self.scenario.forgets => {
                self.rules.decide(&owned.known, owned.fence, asked, Some(&world.store.log))
            }
            _ => decided,
        }
    }

    fn append(
        &self,
        world: &mut World,
        pod: usize,
        entries: Vec<Entry>,
        (origin, start): (Option<Key>, Option<Attempt>),
    ) {
        let Some(owned) = &world.pods[pod].owned else { return };
        let append = Append { fence: owned.fence, expected: log::last_seq(&owned.known), entries, origin, start };
        if self.scenario.is(Planted::AckBeforeCommit) {
            self.acknowledge(world, pod, &append);
        }
        if self.scenario.is(Planted::PublishBeforeCommit) {
            world.publish(pod, &append.entries);
        }
        world.send(pod, What::Append(append));
    }

    /// A pod hears what the store answered.
    pub fn hear(&self, world: &mut World, pod: usize) {
        let Some(Statement { what, stage: Stage::Answered(answer), .. }) = world.pods[pod].statement.take() else {
            return;
        };
        match (what, answer) {
            (What::Append(append), Answer::Accepted) => self.commit(world, pod, append),
            (What::Append(append), answer) => self.not_stored(world, pod, &append, &answer),
            (_, Answer::Owned(fence, known)) => self.begin(world, pod, fence, known),
            (_, Answer::NotLive) if world.pods[pod].leaving != Leaving::Drain => self.exit(world, pod),
            (What::Release(_), _) => world.pods[pod].owned = None,
            (What::Claim, _) => {}
        }
        world.settle(pod);
    }

    /// The claim succeeded: readers see what they have missed, and an open turn goes on.
    fn begin(&self, world: &mut World, pod: usize, fence: Fence, known: Log) {
        world.publish(pod, &known);
        world.pods[pod].owned = Some(Owned { fence, known, reply: None });
        self.resume(world, pod);
    }

    /// Goes on with an open turn that nobody works on.
    fn resume(&self, world: &mut World, pod: usize) {
        let Pod { leaving, owned, .. } = &world.pods[pod];
        let rests = owned.as_ref().is_some_and(|owned| owned.reply.is_none() && log::open_turn(&owned.known).is_some());
        if !rests || *leaving != Leaving::No || self.scenario.is(Planted::TurnForgotten) {
            return;
        }
        if let Decided::Append(entries, start) = self.decide(world, pod, Asked::Resume) {
            self.append(world, pod, entries, (None, start));
        }
    }

    /// Stored: the owner knows it, readers see it, the sender is told, and the model is asked, in this order.
    fn commit(&self, world: &mut World, pod: usize, append: Append) {
        let Some(owned) = &mut world.pods[pod].owned else { return };
        Arc::make_mut(&mut owned.known).extend(append.entries.iter().copied());
        let open = log::open_turn(&owned.known);
        owned.reply = owned.reply.filter(|reply| Some(reply.turn) == open);
        world.publish(pod, &append.entries);
        self.acknowledge(world, pod, &append);
        let stays = world.pods[pod].leaving == Leaving::No;
        if let (Some(owned), Some(start), true) = (&mut world.pods[pod].owned, append.start, stays) {
            owned.reply = Some(start);
        }
    }

    fn acknowledge(&self, world: &mut World, pod: usize, append: &Append) {
        let answers = |entry: &&Entry| entry.key.is_some() && entry.key == append.origin;
        if let (Some(key), Some(entry)) = (append.origin, append.entries.iter().find(answers)) {
            self.tell(world, pod, key, Told::Acked(Ack { seq: entry.seq, repeated: false }));
        }
    }

    fn not_stored(&self, world: &mut World, pod: usize, append: &Append, answer: &Answer) {
        let told = match answer {
            Answer::Repeated(seq) => Told::Acked(Ack { seq: *seq, repeated: true }),
            _ => Told::NotStored,
        };
        if *answer == Answer::Fenced {
            world.pods[pod].owned = None;
        }
        match append.origin {
            Some(key) => self.tell(world, pod, key, told),
            None => self.resume(world, pod),
        }
    }

    /// Answers a sender. A pod that counts in an older history is not believed: the sender has been told of the new one.
    fn tell(&self, world: &mut World, pod: usize, key: Key, told: Told) {
        let believed = world.pods[pod].history == world.history;
        let told = if believed { told } else { Told::Unknown };
        world.sendings[usize::from(key.command)].hear(told, self.scenario.planted);
    }

    /// The outcome of what a pod waits for will not be known: its actor leaves.
    pub fn cut(&self, world: &mut World, pod: usize) {
        let Some(Statement { what, .. }) = world.abandon_statement(pod) else { return };
        if let What::Append(append) = what {
            if self.scenario.is(Planted::BlindRetry) {
                return world.send(pod, What::Append(append));
            }
            if let Some(key) = append.origin {
                self.tell(world, pod, key, Told::Unknown);
            }
        }
        world.pods[pod].owned = None;
        world.settle(pod);
    }

    /// The process ends at once: killed, or because it found that it is dead or that the history has changed.
    pub fn exit(&self, world: &mut World, pod: usize) {
        let statement = world.abandon_statement(pod);
        if let Some(Statement { what: What::Append(Append { origin: Some(key), .. }), .. }) = statement {
            self.tell(world, pod, key, Told::Unknown);
        }
        world.stop(pod);
    }
}
