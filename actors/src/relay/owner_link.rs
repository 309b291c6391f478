//! The edge's end of a link: what this node asks of an owner, and what it is shown.

use std::collections::VecDeque;

use onya_core::Incarnation;
use onya_protocol::peer::{ToEdge, ToOwner};

use super::queue::LinkQueue;
use crate::ports::LinkEnd;

/// The way to one member, while a transport carries its frames.
#[derive(Debug)]
pub struct OwnerLink {
    pub(crate) owner: Incarnation,
    queue: LinkQueue<ToOwner>,
}

impl OwnerLink {
    /// A link to this member, not open yet.
    #[must_use]
    pub fn new(owner: Incarnation) -> Self {
        Self { owner, queue: LinkQueue::new() }
    }

    /// The transport has reached the member and knows that it is the one meant.
    pub fn opened(&self) {}
}

impl LinkEnd for OwnerLink {
    type Sent = ToOwner;
    type Received = ToEdge;

    async fn next(&self) -> Option<VecDeque<ToOwner>> {
        self.queue.next().await
    }

    fn received(&self, _: ToEdge) {}
}
