//! What the actors need of a cluster: who belongs to it, and links to the others. One node has none of this.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use onya_core::cluster::{Member, Ring, View};
use onya_core::{ConversationId, Incarnation};
use tokio::sync::watch;

use super::StoreError;
use crate::relay::OwnerLink;

/// The other nodes.
#[derive(Clone)]
pub struct Cluster {
    /// Who they are.
    pub membership: Arc<dyn Membership>,
    /// The way to them.
    pub transport: Arc<dyn Transport>,
}

/// This node's place among the members.
#[async_trait]
pub trait Membership: Send + Sync + 'static {
    /// This start of this process.
    fn me(&self) -> Incarnation;

    /// The newest placement, and its changes. Its view holds this node.
    fn placement(&self) -> watch::Receiver<Arc<Placement>>;

    /// Whether no verdict over this node is possible yet: what it owned at its last heartbeat, it still owns.
    fn is_in_time(&self) -> bool;

    /// Lets the others know that this node gives up what it owns: once it is stored, nothing new is placed here.
    async fn drain(&self) -> Result<(), StoreError>;

    /// Tells that this member cannot be reached now: a reason to look at it soon, and no verdict.
    fn unreachable(&self, member: Incarnation);
}

/// A view of the members, and the ring over it.
#[derive(Clone, Default)]
pub struct Placement {
    /// The members.
    pub view: View,
    /// Who should own what.
    pub ring: Ring,
}

impl Placement {
    /// The placement for a view.
    #[must_use]
    pub fn over(view: View) -> Self {
        let ring = Ring::over(&view);
        Self { view, ring }
    }

    /// Who should own the conversation; `None` if there is nobody.
    #[must_use]
    pub fn owner(&self, conversation: ConversationId) -> Option<Incarnation> {
        self.ring.owner(conversation)
    }
}

/// Carries frames between nodes. Whoever dials is an edge, whoever answers an owner; both have proven who they are
/// before a frame passes.
pub trait Transport: Send + Sync + 'static {
    /// Opens a link to a member and carries its frames until it is lost. Calls [`OwnerLink::opened`] once the member has
    /// proven that it is this incarnation, with the version of the frames that both speak. Dropping the future closes the link.
    fn dial(&self, to: Member, end: Arc<OwnerLink>) -> BoxFuture<'static, LinkLost>;
}

/// One end of a link, as its transport sees it.
pub trait LinkEnd: Send + Sync + 'static {
    /// What this end says.
    type Sent: Send;
    /// What it hears.
    type Received: Send;

    /// Waits for frames to write and takes all there are; `None` if the link is to be closed. Cancel safe.
    fn next(&self) -> impl Future<Output = Option<VecDeque<Self::Sent>>> + Send;

    /// Acts on a frame. Never waits.
    fn received(&self, frame: Self::Received);
}

/// Why a link is no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkLost {
    /// Nothing was sent: the member could not be reached.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The member is not who it should be, or does not take this node for a member.
    #[error("refused: {0}")]
    Refused(String),
    /// The connection broke; what was sent last may or may not have arrived.
    #[error("broke: {0}")]
    Broken(String),
    /// This side closed it.
    #[error("closed")]
    Closed,
}
