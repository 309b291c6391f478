//! Who is sent where: what a proxy in front of the nodes does that knows which of them are ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::target::Target;

/// The nodes that sockets may go to, in turn.
pub(super) struct Balancer {
    nodes: Vec<(Arc<Target>, AtomicBool)>,
    turn: AtomicUsize,
}

impl Balancer {
    pub(super) fn new(targets: Vec<Arc<Target>>) -> Self {
        let nodes = targets.into_iter().map(|target| (target, AtomicBool::new(true))).collect();
        Self { nodes, turn: AtomicUsize::new(0) }
    }

    /// Sends nobody to a node any more.
    pub(super) fn leave_out(&self, index: usize) {
        self.nodes[index].1.store(false, Relaxed);
    }

    /// The number of a node and how to reach it: `home` if one is named and ready, else whose turn it is.
    pub(super) fn pick(&self, home: Option<usize>) -> (usize, Arc<Target>) {
        let ready: Vec<_> = (0..self.nodes.len()).filter(|index| self.nodes[*index].1.load(Relaxed)).collect();
        let next = ready.get(self.turn.fetch_add(1, Relaxed) % ready.len().max(1)).copied().unwrap_or(0);
        let index = home.filter(|home| ready.contains(home)).unwrap_or(next);
        (index, Arc::clone(&self.nodes[index].0))
    }
}
