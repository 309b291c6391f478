//! The other nodes, as this one knows them: who should own what, the links to them, and what waits for one of them.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::{DashMap, DashSet};
use onya_core::cluster::Standing;
use onya_core::{ConversationId, Incarnation};
use onya_protocol::peer::ToEdge;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{EdgeLink, OwnerLink};
use crate::order::SameOrder;
use crate::ports::{Cluster, Membership, Placement, Transport};

/// The other nodes.
pub(crate) struct Peers {
    me: Incarnation,
    membership: Arc<dyn Membership>,
    pub(super) transport: Arc<dyn Transport>,
    placement: watch::Receiver<Arc<Placement>>,
    /// Links to owners that are open.
    owners: DashMap<Incarnation, Arc<OwnerLink>>,
    /// Links from edges.
    edges: Mutex<BTreeMap<Incarnation, Arc<EdgeLink>>>,
    /// Conversations whose readers must be brought up to date from somewhere else.
    adrift: Mutex<Vec<ConversationId>>,
    /// Conversations with commands that are not answered.
    waiting: DashSet<ConversationId, SameOrder>,
    /// Something is adrift, waits, or may go on.
    pub(super) stirred: Notify,
    /// The node ends.
    pub(super) ended: CancellationToken,
}

impl Peers {
    pub(crate) fn new(Cluster { membership, transport }: Cluster) -> Self {
        Self {
            me: membership.me(),
            placement: membership.placement(),
            membership,
            transport,
            owners: DashMap::new(),
            edges: Mutex::default(),
            adrift: Mutex::default(),
            waiting: DashSet::default(),
            stirred: Notify::new(),
            ended: CancellationToken::new(),
        }
    }

    pub(crate) const fn me(&self) -> Incarnation {
        self.me
    }

    pub(crate) fn membership(&self) -> &dyn Membership {
        &*self.membership
    }

    /// Who should own what, as far as is known now.
    pub(crate) fn placement(&self) -> Arc<Placement> {
        Arc::clone(&self.placement.borrow())
    }

    /// Who should own the conversation, if that is another node.
    pub(crate) fn wished_elsewhere(&self, conversation: ConversationId) -> Option<Incarnation> {
        self.placement.borrow().owner(conversation).filter(|wished| *wished != self.me)
    }

    /// Whether somebody else could own what this node owns.
    pub(crate) fn has_heir(&self) -> bool {
        let placement = self.placement();
        let mut others = placement.view.members.iter().filter(|member| member.incarnation != self.me);
        others.any(|member| member.standing == Standing::Live && member.role.owns())
    }

    pub(super) fn placements(&self) -> watch::Receiver<Arc<Placement>> {
        self.placement.clone()
    }

    /// The link to a member, if it is open.
    pub(crate) fn owner_link(&self, owner: Incarnation) -> Option<Arc<OwnerLink>> {
        self.owners.get(&owner).map(|link| Arc::clone(link.value())).filter(|link| link.is_open())
    }

    pub(crate) fn link_opened(&self, link: &Arc<OwnerLink>) {
        self.owners.insert(link.owner, Arc::clone(link));
        self.stir();
    }

    pub(super) fn link_lost(&self, link: &Arc<OwnerLink>) {
        self.owners.remove_if(&link.owner, |_, known| Arc::ptr_eq(known, link));
    }

    /// Takes a link from an edge. One that the same edge had before is closed.
    pub(crate) fn accept(&self, link: &Arc<EdgeLink>) {
        let before = self.edges().insert(link.edge, Arc::clone(link));
        if let Some(before) = before {
            before.lost();
        }
    }

    pub(super) fn edge_lost(&self, link: &EdgeLink) {
        let mut edges = self.edges();
        if edges.get(&link.edge).is_some_and(|known| std::ptr::eq(Arc::as_ptr(known), link)) {
            edges.remove(&link.edge);
        }
    }

    /// The link from an edge, if it has one.
    pub(crate) fn edge(&self, edge: Incarnation) -> Option<Arc<EdgeLink>> {
        self.edges().get(&edge).cloned()
    }

    /// Closes all links, for good.
    pub(crate) fn end(&self) {
        self.ended.cancel();
        let edges: Vec<_> = self.edges().values().cloned().collect();
        edges.iter().for_each(|edge| edge.lost());
    }

    /// Tells every edge something.
    pub(crate) fn tell_edges(&self, frame: &ToEdge) {
        for edge in self.edges().values() {
            edge.push(frame.clone());
        }
    }

    /// The readers of this conversation must be brought up to date from somewhere else.
    pub(crate) fn adrift(&self, conversation: ConversationId) {
        self.lock_adrift().push(conversation);
        self.stir();
    }

    /// They still must, and cannot be now: at the next look.
    pub(crate) fn still_adrift(&self, conversation: ConversationId) {
        self.lock_adrift().push(conversation);
    }

    pub(super) fn has_adrift(&self) -> bool {
        !self.lock_adrift().is_empty()
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn take_adrift(&self) -> Vec<ConversationId> {
        mem::take(&mut *self.lock_adrift())
    }

    /// This conversation has commands that are not answered.
    pub(crate) fn awaits(&self, conversation: ConversationId) {
        // The first is what the courier's clock is started for.
        if self.waiting.insert(conversation) && self.waiting.len() == 1 {
            self.stir();
        }
    }

    /// Something that waits may go on now.
    pub(crate) fn stir(&self) {
        self.stirred.notify_one();
    }

    pub(crate) fn awaits_no_more(&self, conversation: ConversationId) {
        self.waiting.remove(&conversation);
    }

    pub(super) fn waiting(&self) -> Vec<ConversationId> {
        self.waiting.iter().map(|conversation| *conversation).collect()
    }

    fn edges(&self) -> MutexGuard<'_, BTreeMap<Incarnation, Arc<EdgeLink>>> {
        self.edges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_adrift(&self) -> MutexGuard<'_, Vec<ConversationId>> {
        self.adrift.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
