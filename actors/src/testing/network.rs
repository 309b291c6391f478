//! Several nodes in one process: members by decree, links without a network that can be cut.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::future::BoxFuture;
use onya_core::Incarnation;
use onya_core::cluster::{Member, MemberRole, Standing, View};
use onya_protocol::peer::{LINK_VERSIONS, ToEdge};
use tokio::sync::watch;
use uuid::Uuid;

use crate::ports::{Cluster, LinkEnd, LinkLost, Membership, Placement, StoreError, Transport};
use crate::relay::OwnerLink;
use crate::sessions::Sessions;

/// What all nodes share.
#[derive(Clone, Default)]
pub struct MemoryNetwork(Arc<Shared>);

#[derive(Default)]
struct Shared {
    placement: watch::Sender<Arc<Placement>>,
    nodes: Mutex<BTreeMap<Incarnation, Sessions>>,
    /// Changes when links between two nodes are cut or mended.
    cuts: watch::Sender<Vec<(Incarnation, Incarnation)>>,
    /// A node that nothing arrives at.
    frozen: watch::Sender<Option<Incarnation>>,
    /// How many entries are lost on their way, without a trace.
    losing: AtomicUsize,
}

impl MemoryNetwork {
    /// Adds a member of a release, which is live at once, and what its node needs of the cluster.
    #[must_use]
    pub fn join(&self, (name, release): (&str, &str), number: u128) -> (Incarnation, Cluster) {
        let me = Incarnation(Uuid::from_u128(number));
        self.change(|view| {
            view.members.push(Member {
                incarnation: me,
                name: name.to_owned(),
                address: name.to_owned(),
                role: MemberRole::Both,
                standing: Standing::Live,
                release: release.to_owned(),
            });
            view.members.sort_by(|a, b| a.name.cmp(&b.name));
        });
        let place = Arc::new(Place { cluster: self.clone(), me });
        (me, Cluster { membership: Arc::clone(&place) as _, transport: place })
    }

    /// From now on others reach this node.
    pub fn serve(&self, me: Incarnation, sessions: Sessions) {
        self.nodes().insert(me, sessions);
    }

    /// The verdict: this member is dead. Its links are gone.
    pub fn bury(&self, member: Incarnation) {
        self.nodes().remove(&member);
        self.change(|view| view.members.retain(|known| known.incarnation != member));
    }

    /// Cuts the links between two nodes, both ways.
    pub fn cut(&self, a: Incarnation, b: Incarnation) {
        self.0.cuts.send_modify(|cuts| cuts.push((a, b)));
    }

    /// Mends all links and lets frozen ones go on.
    pub fn mend(&self) {
        self.0.cuts.send_modify(Vec::clear);
        self.0.frozen.send_replace(None);
    }

    /// What is sent to this node waits on its way.
    pub fn freeze(&self, node: Incarnation) {
        self.0.frozen.send_replace(Some(node));
    }

    /// Who should own what.
    #[must_use]
    pub fn placement(&self) -> Arc<Placement> {
        Arc::clone(&self.0.placement.borrow())
    }

    fn change(&self, change: impl FnOnce(&mut View)) {
        self.0.placement.send_modify(|placement| {
            let mut view = placement.view.clone();
            change(&mut view);
            view.version += 1;
            *placement = Arc::new(Placement::over(view));
        });
    }

    /// The next entries that are on their way between nodes do not arrive, although the links stay.
    pub fn lose_entries(&self, number: usize) {
        self.0.losing.store(number, Ordering::Relaxed);
    }

    /// Whether all entries that were to be lost are.
    #[must_use]
    pub fn has_lost_all(&self) -> bool {
        self.0.losing.load(Ordering::Relaxed) == 0
    }

    fn loses(&self, frame: &ToEdge) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        matches!(frame, ToEdge::Entry(_))
            && self.0.losing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    fn is_cut(&self, a: Incarnation, b: Incarnation) -> bool {
        are_cut(&self.0.cuts.borrow(), a, b)
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<Incarnation, Sessions>> {
        self.0.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One node's place in it.
struct Place {
    cluster: MemoryNetwork,
    me: Incarnation,
}

#[async_trait]
impl Membership for Place {
    fn me(&self) -> Incarnation {
        self.me
    }

    fn placement(&self) -> watch::Receiver<Arc<Placement>> {
        self.cluster.0.placement.subscribe()
    }

    /// A verdict comes only over a node whose heartbeat is late.
    fn is_in_time(&self) -> bool {
        self.cluster.placement().view.member(self.me).is_some()
    }

    async fn drain(&self) -> Result<(), StoreError> {
        self.cluster.change(|view| {
            let me = view.members.iter_mut().filter(|member| member.incarnation == self.me);
            me.for_each(|member| member.standing = Standing::Draining);
        });
        Ok(())
    }

    fn unreachable(&self, _: Incarnation) {}
}

impl Transport for Place {
    fn dial(&self, to: Member, end: Arc<OwnerLink>) -> BoxFuture<'static, LinkLost> {
        let (cluster, me) = (self.cluster.clone(), self.me);
        Box::pin(async move {
            let node = cluster.nodes().get(&to.incarnation).cloned();
            let (mut cuts, mut frozen) = (cluster.0.cuts.subscribe(), cluster.0.frozen.subscribe());
            let reached = node.filter(|_| !cluster.is_cut(me, to.incarnation));
            let Some(edge) = reached.map(|node| node.accept_edge(me)) else {
                return LinkLost::Unreachable("nobody is there".to_owned());
            };
            end.opened(LINK_VERSIONS[0]);
            loop {
                tokio::select! {
                    frames = end.next() => match frames {
                        Some(frames) => frames.into_iter().for_each(|frame| edge.received(frame)),
                        None => break,
                    },
                    frames = edge.next() => match frames {
                        Some(frames) => {
                            until(&mut frozen, |frozen| *frozen != Some(me)).await;
                            frames.into_iter().filter(|frame| !cluster.loses(frame)).for_each(|frame| end.received(frame));
                        }
                        None => break,
                    },
                    () = until(&mut cuts, |cuts| are_cut(cuts, me, to.incarnation)) => break,
                    () = gone(&cluster, to.incarnation) => break,
                }
            }
            edge.lost();
            LinkLost::Broken("cut".to_owned())
        })
    }
}

/// Resolves when the node is no member any more.
async fn gone(cluster: &MemoryNetwork, node: Incarnation) {
    let mut placements = cluster.0.placement.subscribe();
    until(&mut placements, |placement| placement.view.member(node).is_none()).await;
}

fn are_cut(cuts: &[(Incarnation, Incarnation)], a: Incarnation, b: Incarnation) -> bool {
    cuts.iter().any(|cut| *cut == (a, b) || *cut == (b, a))
}

/// Waits until what is watched is as wanted. The sender lives as long as the cluster.
async fn until<T>(watched: &mut watch::Receiver<T>, wanted: impl FnMut(&T) -> bool) {
    let _ = watched.wait_for(wanted).await;
}
