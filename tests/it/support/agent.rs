//! An agent at the desk.

use std::collections::BTreeMap;

use onya_core::ConversationId;
use onya_protocol::{Ack, QueueEntry, Refusal, ServerFrame};
use serde_json::{Value, json};
use uuid::Uuid;

use super::wire::Wire;
use super::{Replica, TestNode};

/// A socket of staff, with a strict copy of each conversation that is watched.
pub struct AgentClient {
    pub queue: Vec<QueueEntry>,
    pub watched: BTreeMap<ConversationId, Replica>,
    pub acks: BTreeMap<String, Ack>,
    pub refusals: Vec<Refusal>,
    wire: Wire,
}

impl AgentClient {
    /// An agent comes in.
    pub async fn agent(node: &TestNode, name: &str) -> Self {
        Self::connect(node, node.token(&["--role", "agent", "--name", name])).await
    }

    /// A supervisor comes in.
    pub async fn supervisor(node: &TestNode, name: &str) -> Self {
        Self::connect(node, node.token(&["--role", "supervisor", "--name", name])).await
    }

    /// Somebody with this token comes in.
    pub async fn connect(node: &TestNode, token: String) -> Self {
        let mut wire = Wire::open(&node.socket_url("/v1/desk/socket")).await;
        wire.hello(&token).await;
        assert!(matches!(wire.expect().await, ServerFrame::Hello { version: 1, .. }));
        Self { queue: Vec::new(), watched: BTreeMap::new(), acks: BTreeMap::new(), refusals: Vec::new(), wire }
    }

    /// The next frame, applied.
    pub async fn next(&mut self) -> ServerFrame {
        let frame = self.wire.expect().await;
        if let Some(replica) = about(&frame).and_then(|id| self.watched.get_mut(&id)) {
            replica.apply(&frame);
        }
        match &frame {
            ServerFrame::Ack(ack) => {
                self.acks.insert(ack.client_msg_id.to_string(), ack.clone());
            }
            ServerFrame::Refused(refusal) => self.refusals.push(refusal.clone()),
            ServerFrame::Queue { entries, .. } => self.queue.clone_from(entries),
            ServerFrame::Ping { .. } => {
                self.watched.values_mut().for_each(|replica| replica.apply(&frame));
                self.wire.send(json!({"type": "pong"})).await;
            }
            _ => {}
        }
        frame
    }

    /// Reads until something is so.
    pub async fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            self.next().await;
        }
    }

    /// Follows a conversation, and waits until its copy is up to date.
    pub async fn watch(&mut self, conversation: ConversationId) {
        self.watched.entry(conversation).or_insert_with(|| Replica::new(conversation));
        self.wire.send(json!({"type": "watch", "conversation": conversation})).await;
        self.until(|agent| agent.watched[&conversation].recovered.is_some()).await;
    }

    /// Waits until a conversation is in the queue.
    pub async fn until_queued(&mut self, conversation: ConversationId) -> QueueEntry {
        let queued = |agent: &Self| agent.queue.iter().find(|entry| entry.conversation == conversation).cloned();
        self.until(|agent| queued(agent).is_some()).await;
        queued(self).unwrap()
    }

    /// Sends a command, and gives its name.
    pub async fn command(&mut self, conversation: ConversationId, mut frame: Value) -> String {
        let id = Uuid::now_v7().to_string();
        frame["client_msg_id"] = json!(id);
        frame["conversation"] = json!(conversation);
        self.wire.send(frame).await;
        id
    }

    /// A command that carries the version of control that is known here.
    pub async fn with_version(&mut self, conversation: ConversationId, kind: &str) -> String {
        let version = self.watched[&conversation].control_version;
        self.command(conversation, json!({"type": kind, "control_version": version})).await
    }

    /// Waits until a command is stored.
    pub async fn ack(&mut self, id: &str) -> Ack {
        let refused = |agent: &Self| agent.refusals.iter().any(|refusal| names(refusal, id));
        self.until(|agent| agent.acks.contains_key(id) || refused(agent)).await;
        let ack = self.acks.get(id).cloned();
        ack.unwrap_or_else(|| panic!("refused: {:?}", self.refusals))
    }

    /// Waits until a command is refused.
    pub async fn refusal(&mut self, id: &str) -> Refusal {
        let refused = |agent: &Self| agent.refusals.iter().find(|refusal| names(refusal, id)).cloned();
        self.until(|agent| refused(agent).is_some() || agent.acks.contains_key(id)).await;
        refused(self).unwrap_or_else(|| panic!("it is stored: {:?}", self.acks))
    }
}

fn names(refusal: &Refusal, id: &str) -> bool {
    refusal.client_msg_id.as_ref().is_some_and(|named| named.as_str() == id)
}

/// The conversation that a frame changes the copy of.
fn about(frame: &ServerFrame) -> Option<ConversationId> {
    match frame {
        ServerFrame::Synced(synced) => Some(synced.conversation),
        ServerFrame::Entry { conversation, .. } => Some(*conversation),
        ServerFrame::Delta(delta) => Some(delta.conversation),
        ServerFrame::Reset(reset) => Some(reset.conversation),
        _ => None,
    }
}
