//! Whether every path ends: the graph of all states has no cycle. With [`crate::properties::AT_REST`], which says what is
//! settled by then, this is what `eventually` would mean; stateright's own may miss a path that joins another.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use stateright::Model as _;

use crate::world::{Cluster, World};

/// All states and the steps between them.
#[derive(Debug, Default)]
pub struct Graph {
    /// For each state, those that follow.
    following: Vec<Vec<u32>>,
}

impl Graph {
    /// Looks at every state that can be reached.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let mut graph = Self::default();
        let mut numbers = HashMap::new();
        let mut waiting: VecDeque<World> = cluster.init_states().into();
        waiting.iter().zip(0_u32..).for_each(|(world, number)| {
            numbers.insert(fingerprint(world), number);
        });
        while let Some(world) = waiting.pop_front() {
            let mut following = Vec::new();
            for next in cluster.next_states(&world) {
                let new = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                let number = *numbers.entry(fingerprint(&next)).or_insert(new);
                if number == new {
                    waiting.push_back(next);
                }
                following.push(number);
            }
            graph.following.push(following);
        }
        graph
    }

    /// The number of states.
    #[must_use]
    pub const fn states(&self) -> usize {
        self.following.len()
    }

    /// The number of states in which nothing can happen any more.
    #[must_use]
    pub fn ends(&self) -> usize {
        self.following.iter().filter(|following| following.is_empty()).count()
    }

    /// The most steps that can be taken; `None` if there is a cycle, and so no end to them.
    #[must_use]
    pub fn longest_path(&self) -> Option<usize> {
        let mut missing = vec![0_u32; self.states()];
        self.following.iter().flatten().for_each(|next| missing[*next as usize] += 1);
        let mut ready: Vec<usize> = (0..self.states()).filter(|state| missing[*state] == 0).collect();
        let mut depth = vec![0; self.states()];
        let mut sorted = 0;
        while let Some(state) = ready.pop() {
            sorted += 1;
            for next in self.following[state].iter().map(|next| *next as usize) {
                depth[next] = depth[next].max(depth[state] + 1);
                missing[next] -= 1;
                if missing[next] == 0 {
                    ready.push(next);
                }
            }
        }
        (sorted == self.states()).then(|| depth.into_iter().max().unwrap_or_default())
    }
}

fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}
