//! The owner's end of a link: what an edge asks of this node, and what it is shown.

use std::collections::VecDeque;

use onya_core::Incarnation;
use onya_protocol::peer::{ToEdge, ToOwner};

use super::queue::LinkQueue;
use crate::ports::LinkEnd;

/// The way to one edge, while a transport carries its frames.
#[derive(Debug)]
pub struct EdgeLink {
    pub(crate) edge: Incarnation,
    queue: LinkQueue<ToEdge>,
}

impl EdgeLink {
    /// A link from this edge.
    #[must_use]
    pub fn new(edge: Incarnation) -> Self {
        Self { edge, queue: LinkQueue::new() }
    }

    /// The link is no more: nothing is shown to the edge from now on.
    pub fn lost(&self) {
        self.queue.close();
    }
}

impl LinkEnd for EdgeLink {
    type Sent = ToEdge;
    type Received = ToOwner;

    async fn next(&self) -> Option<VecDeque<ToEdge>> {
        self.queue.next().await
    }

    fn received(&self, _: ToOwner) {}
}
