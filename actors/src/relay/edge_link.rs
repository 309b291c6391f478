//! The owner's end of a link: what an edge asks of this node, and what it is shown.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use onya_core::conversation::Request;
use onya_core::{ConversationId, Incarnation};
use onya_protocol::Cursor;
use onya_protocol::peer::{Reached, Tag, ToEdge, ToOwner};
use tokio::sync::oneshot;

use super::Peers;
use super::queue::LinkQueue;
use crate::connection::{Published, Viewer};
use crate::conversation::{Command, Reply};
use crate::ports::LinkEnd;
use crate::system::System;

/// The way to one edge, while a transport carries its frames.
pub struct EdgeLink {
    pub(crate) edge: Incarnation,
    myself: Weak<Self>,
    system: Weak<System>,
    queue: LinkQueue<ToEdge>,
    confirmations: Mutex<Confirmations>,
}

/// Confirmations that are awaited.
#[derive(Debug, Default)]
struct Confirmations {
    next: Tag,
    awaited: HashMap<Tag, oneshot::Sender<()>>,
}

impl EdgeLink {
    pub(crate) fn new(edge: Incarnation, system: &Arc<System>) -> Arc<Self> {
        Self::of(edge, Arc::downgrade(system))
    }

    pub(crate) fn of(edge: Incarnation, system: Weak<System>) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            edge,
            myself: Weak::clone(myself),
            system,
            queue: LinkQueue::new(),
            confirmations: Mutex::default(),
        })
    }

    /// The link is no more: nothing is shown to the edge from now on.
    pub fn lost(&self) {
        self.queue.close();
        self.lock().awaited.clear();
        if let Some(system) = self.system.upgrade()
            && let Some(peers) = &system.peers
        {
            peers.edge_lost(self);
            for row in system.directory.all() {
                row.forgotten_by(self);
            }
        }
    }

    /// Shows something to the edge.
    pub(crate) fn push(&self, frame: ToEdge) {
        self.queue.push(frame);
    }

    /// A conversation has left this node.
    pub(crate) fn moved(&self, conversation: ConversationId, owner: Option<Incarnation>) {
        self.push(ToEdge::Moved { conversation, owner });
    }

    /// Resolves when the edge's sockets have been given all that was published until now; `false` if the link is lost.
    pub(crate) fn confirmed(&self) -> impl Future<Output = bool> + Send + use<> {
        let (sender, confirmed) = oneshot::channel();
        let mut confirmations = self.lock();
        confirmations.next += 1;
        let tag = confirmations.next;
        confirmations.awaited.insert(tag, sender);
        drop(confirmations);
        self.push(ToEdge::Confirm { tag });
        async move { confirmed.await.is_ok() }
    }

    fn submit(&self, (tag, conversation): (Tag, ConversationId), request: Request, traceparent: Option<String>) {
        let (Some(system), Some(myself)) = (self.system.upgrade(), self.myself.upgrade()) else { return };
        let reply = Reply::to_edge(conversation, &request, (myself, tag));
        system.directory.dispatch_from_edge(&system, conversation, Command { request, traceparent, reply });
    }

    fn watch(&self, viewer: Viewer, tag: Tag, cursor: Option<Cursor>) {
        let Some(system) = self.system.upgrade() else { return };
        // At once: a `forget` that follows must find it.
        system.directory.watched_by(&viewer);
        let tasks = system.tasks.clone();
        tasks.spawn(async move {
            let answer = match system.directory.watch_from_edge(&system, &viewer, cursor).await {
                Ok(None) => None,
                Ok(Some(owner)) => Some(ToEdge::Elsewhere { tag, owner }),
                Err(refusal) => Some(ToEdge::NotShown { tag, refusal }),
            };
            if let (Some(answer), Viewer::There { edge, .. }) = (answer, &viewer) {
                edge.push(answer);
            }
        });
    }

    /// Has readers brought up to date again that have missed something, or that nothing is shown to from here.
    fn compare(&self, reached: &[Reached]) {
        let Some(system) = self.system.upgrade() else { return };
        for Reached { conversation, seq } in reached {
            let standing = system.directory.find(*conversation).map(|row| (row.keeps_up(self, *seq), row));
            let owner = match standing {
                Some((true, _)) => continue,
                Some((false, row)) if row.is_live() => system.peers.as_ref().map(Peers::me),
                _ => system.wished_owner(*conversation),
            };
            tracing::info!(%conversation, edge = %self.edge, seq, "readers of another node were behind");
            metrics::counter!("onya_readers_brought_back_total").increment(1);
            self.forget(*conversation);
            self.moved(*conversation, owner);
        }
    }

    fn forget(&self, conversation: ConversationId) {
        let Some(system) = self.system.upgrade() else { return };
        if let Some(row) = system.directory.find(conversation) {
            row.forgotten_by(self);
        }
        system.directory.tidy(conversation);
    }

    fn lock(&self) -> MutexGuard<'_, Confirmations> {
        self.confirmations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkEnd for EdgeLink {
    type Sent = ToEdge;
    type Received = ToOwner;

    async fn next(&self) -> Option<VecDeque<ToEdge>> {
        self.queue.next().await
    }

    fn received(&self, frame: ToOwner) {
        match frame {
            ToOwner::Watch { tag, conversation, view, reader, cursor } => {
                let Some(edge) = self.myself.upgrade() else { return };
                self.watch(Viewer::There { edge, tag, conversation, view, reader }, tag, cursor);
            }
            ToOwner::Forget { conversation } => self.forget(conversation),
            ToOwner::Digest { reached } => self.compare(&reached),
            ToOwner::Submit { tag, conversation, request, traceparent } => {
                self.submit((tag, conversation), request, traceparent);
            }
            ToOwner::Typing(typing) => {
                let Some(system) = self.system.upgrade() else { return };
                if let Some(row) = system.directory.find(typing.conversation) {
                    let typing = Published::Typing(typing);
                    row.show(&typing);
                    row.relay(&typing, self.myself.upgrade().as_ref());
                }
            }
            ToOwner::Confirmed { tag } => {
                if let Some(awaited) = self.lock().awaited.remove(&tag) {
                    // Who waited may have given up.
                    let _ = awaited.send(());
                }
            }
        }
    }
}

impl fmt::Debug for EdgeLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeLink").field("edge", &self.edge).finish_non_exhaustive()
    }
}
