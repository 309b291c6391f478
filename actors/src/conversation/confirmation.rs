//! A takeover is acknowledged when no text of the assistant waits anywhere, on other nodes neither.
//!
//! Their readers' queues drop what waits of the reply when the entry that ends it arrives. So the nodes are asked whether
//! it has; one that does not say so in time closes the sockets of its customers of this conversation when it hears of it,
//! and the agent does not wait for that.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use onya_core::ConversationId;
use onya_core::conversation::{Ack, Action};
use onya_protocol::peer::ToEdge;
use tokio::time::timeout;

use super::actor::Conversation;
use super::handle::Submission;
use crate::relay::EdgeLink;

/// Longest wait for the confirmations of other nodes.
const LIMIT: Duration = Duration::from_millis(300);

impl Conversation {
    /// Acknowledges a command; one that takes over, once it has arrived wherever somebody reads.
    pub(super) fn acknowledge(&mut self, submission: Box<Submission>, ack: Ack) {
        let takes_over = matches!(submission.request.action, Action::TakeOver { .. });
        let edges = if takes_over { self.row.edges() } else { Vec::new() };
        if edges.is_empty() {
            return self.answer(submission, Ok(ack));
        }
        let reply = self.answered(submission);
        let conversation = self.row.id;
        self.system.tasks.spawn(async move {
            join_all(edges.iter().map(|edge| confirmed(edge, conversation))).await;
            reply.ack(ack);
        });
    }
}

async fn confirmed(edge: &Arc<EdgeLink>, conversation: ConversationId) {
    if timeout(LIMIT, edge.confirmed()).await.is_err() {
        tracing::warn!(%conversation, "a node did not confirm a takeover in time: its customers connect again");
        edge.push(ToEdge::CutCustomers { conversation });
    }
}
