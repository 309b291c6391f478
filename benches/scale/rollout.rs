//! A roll-out of all pods, one after the other: how often a conversation that is live all the time moves in it.
//!
//! Each pod drains, which gives all it has to those that the ring names then, ends, and comes back under its name. *In step*, what
//! the ring would have elsewhere is handed over before the next pod drains; *in haste*, only once all are done. What decides is
//! the ring over the view of the moment, and that only pods that conversations are placed on leave any to others.

use std::collections::HashMap;

use onya_core::cluster::{Ring, Standing, View};
use onya_core::{ConversationId, Incarnation};
use uuid::Uuid;

use crate::arguments::Arguments;
use crate::{pods, progress, say};

/// The release that pods come back with.
const NEXT_RELEASE: &str = "0.2.0";
/// Larger clusters are left out: making two rings for each pod takes minutes, and nothing here depends on the size any more.
const MOST_PODS: u32 = 100;

/// How it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) pods: u32,
    pub(crate) to_next_release: bool,
    pub(crate) in_step: bool,
}

/// Conversations in a cluster whose pods are replaced.
struct RollOut {
    view: View,
    ring: Ring,
    of: HashMap<Incarnation, Vec<Followed>>,
    /// Moves in drains.
    drained: usize,
    /// The most that one pod ever had.
    most: usize,
}

#[derive(Clone, Copy)]
struct Followed {
    id: ConversationId,
    moves: u32,
}

/// What came of it.
pub(crate) struct Outcome {
    /// How many conversations moved so many times; the index is the number of times.
    pub(crate) moved: Vec<u32>,
    /// How many of the moves were those of a drain, which waits for nothing but a reply in progress.
    pub(crate) drained: usize,
    /// The most that one pod ever had.
    pub(crate) most: usize,
}

impl Outcome {
    pub(crate) fn mean(&self) -> f64 {
        let count: u32 = self.moved.iter().sum();
        let moves: f64 = self.moved.iter().enumerate().map(|(times, count)| times as f64 * f64::from(*count)).sum();
        moves / f64::from(count)
    }
}

impl Plan {
    pub(crate) fn run(self, conversations: u32) -> Outcome {
        let mut cluster = RollOut::new(self.pods, conversations);
        for at in 0..self.pods as usize {
            cluster.drain(at);
            cluster.come_back(at, self.to_next_release);
            if self.in_step {
                cluster.hand_over();
            }
        }
        cluster.hand_over();
        cluster.outcome()
    }
}

impl RollOut {
    fn new(pods: u32, conversations: u32) -> Self {
        let view = pods::view(pods);
        let mut cluster = Self { ring: Ring::over(&view), view, of: HashMap::new(), drained: 0, most: 0 };
        (0..conversations).for_each(|number| cluster.place(Followed { id: pods::conversation(number), moves: 0 }));
        cluster
    }

    fn place(&mut self, followed: Followed) {
        if let Some(owner) = self.ring.owner(followed.id) {
            let has = self.of.entry(owner).or_default();
            has.push(followed);
            self.most = self.most.max(has.len());
        }
    }

    fn moves(&mut self, followed: Followed) {
        self.place(Followed { moves: followed.moves + 1, ..followed });
    }

    fn drain(&mut self, at: usize) {
        let member = &mut self.view.members[at];
        member.standing = Standing::Draining;
        let left = self.of.remove(&member.incarnation).unwrap_or_default();
        self.ring = Ring::over(&self.view);
        self.drained += left.len();
        left.into_iter().for_each(|followed| self.moves(followed));
    }

    fn come_back(&mut self, at: usize, to_next_release: bool) {
        let member = &mut self.view.members[at];
        member.incarnation = Incarnation(Uuid::from_u128(u128::MAX - at as u128));
        member.standing = Standing::Live;
        if to_next_release {
            NEXT_RELEASE.clone_into(&mut member.release);
        }
        self.ring = Ring::over(&self.view);
    }

    /// Every pod that conversations are placed on leaves to others what the ring gives them.
    fn hand_over(&mut self) {
        let pods: Vec<_> = self.view.placed_on().iter().map(|member| member.incarnation).collect();
        let mut leaving = Vec::new();
        for pod in pods {
            let Some(has) = self.of.get_mut(&pod) else { continue };
            leaving.extend(has.extract_if(.., |followed| self.ring.owner(followed.id) != Some(pod)));
        }
        leaving.into_iter().for_each(|followed| self.moves(followed));
    }

    fn outcome(self) -> Outcome {
        let mut moved = Vec::new();
        for followed in self.of.values().flatten() {
            let times = followed.moves as usize;
            moved.resize(moved.len().max(times + 1), 0);
            moved[times] += 1;
        }
        Outcome { moved, drained: self.drained, most: self.most }
    }
}

pub(crate) fn report(arguments: &Arguments) {
    say(
        "| pods | come back with | pods follow | moves of a conversation, mean | most | of the mean, in drains | fullest pod ever over mean |",
    );
    say("|---|---|---|---|---|---|---|");
    for pods in arguments.pods.iter().copied().filter(|pods| *pods <= MOST_PODS) {
        for (to_next_release, in_step) in [(true, true), (true, false), (false, true), (false, false)] {
            progress(&format!("roll-out of {pods}"));
            let outcome = Plan { pods, to_next_release, in_step }.run(arguments.followed);
            say(&format!(
                "| {pods} | {} | {} | {:.2} | {} | {:.2} | {:.2} |",
                if to_next_release { "a newer release" } else { "the same release" },
                if in_step { "in step" } else { "in haste" },
                outcome.mean(),
                outcome.moved.len().saturating_sub(1),
                outcome.drained as f64 / f64::from(arguments.followed),
                outcome.most as f64 * f64::from(pods) / f64::from(arguments.followed),
            ));
        }
    }
}
