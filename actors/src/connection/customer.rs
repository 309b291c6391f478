//! A customer's socket: one conversation.

use std::sync::Arc;

use onya_core::conversation::{Action, Actor, Request, View};
use onya_core::{ClientMsgId, ConversationId};
use onya_protocol::{CloseCode, Cursor, CustomerFrame, ErrorCode, Position, Refusal, ServerFrame, Typing};

use super::queue::{SendQueue, SendQueueLimits};
use super::registry::Registration;
use super::subscriber::Subscriber;
use crate::Sessions;
use crate::conversation::{Command, Reply};

/// One socket of a customer. Dropping it unsubscribes.
pub struct CustomerConnection {
    sessions: Sessions,
    who: Actor,
    conversation: ConversationId,
    queue: Arc<SendQueue>,
    subscriber: Arc<Subscriber>,
    _registration: Registration,
}

impl CustomerConnection {
    pub(crate) async fn connect(
        sessions: Sessions,
        who: Actor,
        conversation: ConversationId,
        cursor: Option<Cursor>,
    ) -> Result<Self, Refusal> {
        let queue = new_queue(&sessions);
        let subscriber = Subscriber::new(conversation, who.id, View::Customer, Arc::clone(&queue));
        let registration = sessions.system.registry.register(&queue, &who);
        let connection = Self { sessions, who, conversation, queue, subscriber, _registration: registration };
        connection.synchronise(cursor).await?;
        Ok(connection)
    }

    /// What waits to be written to the socket.
    #[must_use]
    pub const fn queue(&self) -> &Arc<SendQueue> {
        &self.queue
    }

    /// Acts on a frame. What is to be answered is queued.
    pub async fn handle(&self, frame: CustomerFrame) {
        let (client_msg_id, after, action, traceparent) = match frame {
            CustomerFrame::Hello { .. } => {
                return self.refuse(Refusal::new(ErrorCode::BadRequest, "hello comes first, once"));
            }
            CustomerFrame::Ping {} => return self.queue.push(ServerFrame::Pong {}),
            CustomerFrame::Pong {} => return,
            CustomerFrame::Typing { active } => return self.typing(active),
            CustomerFrame::Resume { cursor } => {
                if let Err(refusal) = self.synchronise(Some(cursor)).await {
                    // It hears nothing any more: better to connect again.
                    self.refuse(refusal);
                    self.queue.close(CloseCode::InsufficientState);
                }
                return;
            }
            CustomerFrame::Say { client_msg_id, attachments, .. } if !attachments.is_empty() => {
                return self.refuse(Refusal {
                    client_msg_id: Some(client_msg_id),
                    ..Refusal::new(ErrorCode::Unsupported, "attachments are not served")
                });
            }
            CustomerFrame::Say { client_msg_id, after, text, overlap, traceparent, .. } => {
                (client_msg_id, after, Action::Say { text, overlap }, traceparent)
            }
            CustomerFrame::Stop { client_msg_id, after, turn } => (client_msg_id, after, Action::Stop { turn }, None),
            CustomerFrame::Regenerate { client_msg_id, after, reply } => {
                (client_msg_id, after, Action::Regenerate { reply }, None)
            }
            CustomerFrame::Rate { client_msg_id, after, reply, score, comment } => {
                (client_msg_id, after, Action::Rate { reply, score, comment }, None)
            }
            CustomerFrame::Escalate { client_msg_id, after, summary } => {
                (client_msg_id, after, Action::Escalate { summary }, None)
            }
            CustomerFrame::HandBack { client_msg_id, after, control_version } => {
                let to = onya_core::conversation::ReturnTo::Assistant;
                (client_msg_id, after, Action::HandBack { control_version, to }, None)
            }
            CustomerFrame::Close { client_msg_id, after } => {
                (client_msg_id, after, Action::Close { control_version: None }, None)
            }
        };
        self.submit(client_msg_id, after, action, traceparent);
    }

    /// Asks the client for a sign of life and moves its cursor over hidden entries.
    pub fn ping(&self) {
        let position = self.subscriber.position().map(|seq| Position { conversation: self.conversation, seq });
        push_ping(&self.queue, position.into_iter().collect());
    }

    async fn synchronise(&self, cursor: Option<Cursor>) -> Result<(), Refusal> {
        self.sessions.system.directory.subscribe(&self.sessions.system, &self.subscriber, cursor).await
    }

    fn submit(&self, client_msg_id: ClientMsgId, after: Option<ClientMsgId>, action: Action, trace: Option<String>) {
        let request = Request { by: self.who.clone(), client_msg_id, after, action };
        let reply = Reply::to_socket(self.conversation, &request, &self.queue);
        self.sessions.submit(self.conversation, Command { request, traceparent: trace, reply });
    }

    fn typing(&self, active: bool) {
        let typing = typing(&self.who, self.conversation, active);
        self.sessions.system.directory.publish_typing(&self.sessions.system, typing);
    }

    fn refuse(&self, refusal: Refusal) {
        metrics::counter!("onya_rejections_total", "code" => refusal.code.as_str()).increment(1);
        self.queue.push(ServerFrame::Refused(Refusal { conversation: Some(self.conversation), ..refusal }));
    }
}

impl Drop for CustomerConnection {
    fn drop(&mut self) {
        self.sessions.system.directory.unsubscribe(&self.sessions.system, &self.subscriber);
    }
}

pub(super) fn new_queue(sessions: &Sessions) -> Arc<SendQueue> {
    let settings = &sessions.system.settings;
    Arc::new(SendQueue::new(SendQueueLimits { frames: settings.send_queue_frames, bytes: settings.send_queue_bytes }))
}

pub(super) fn push_ping(queue: &SendQueue, positions: Vec<Position>) {
    // In order with the frames it speaks of, so never in the place of an older ping.
    queue.push(ServerFrame::Ping { positions });
}

pub(super) fn typing(who: &Actor, conversation: ConversationId, active: bool) -> Typing {
    Typing { conversation, participant: who.id, role: who.role, name: who.name.clone(), active }
}
