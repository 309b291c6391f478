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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::TargetArgs;

    async fn target(port: u16) -> Arc<Target> {
        let url = format!("http://127.0.0.1:{port}").parse().unwrap();
        let args = TargetArgs { url, token: None, pid: None, metrics_url: None, bare: false, i_own_this_host: false };
        Arc::new(args.resolve().await.unwrap())
    }

    #[tokio::test]
    async fn customers_go_where_they_belong_and_else_to_those_who_are_ready_in_turn() {
        let balancer = Balancer::new(vec![target(1).await, target(2).await, target(3).await]);
        assert_eq!(balancer.pick(Some(1)).0, 1);
        balancer.leave_out(1);
        let picked: Vec<_> = (0..4).map(|_| balancer.pick(Some(1)).0).collect();
        assert!(picked == [0, 2, 0, 2] || picked == [2, 0, 2, 0], "{picked:?}");
    }
}
