//! A socket of staff: the queue, and any number of conversations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onya_core::conversation::{Action, Actor, Overlap, Request, View};
use onya_core::{ClientMsgId, ConversationId};
use onya_protocol::{CloseCode, Cursor, ErrorCode, Position, Refusal, ServerFrame, StaffFrame};

use super::customer::{new_queue, push_ping, typing};
use super::queue::SendQueue;
use super::registry::Registration;
use super::subscriber::Subscriber;
use crate::Sessions;
use crate::conversation::{Command, Reply};
use crate::record::Looked;

/// Conversations that one socket may watch.
const MAX_WATCHED: usize = 200;

/// One socket of an agent or a supervisor. Dropping it unsubscribes.
pub struct StaffConnection {
    sessions: Sessions,
    who: Actor,
    queue: Arc<SendQueue>,
    watched: Mutex<BTreeMap<ConversationId, Arc<Subscriber>>>,
    _registration: Registration,
}

impl StaffConnection {
    pub(crate) fn connect(sessions: Sessions, who: Actor) -> Self {
        let queue = new_queue(&sessions);
        let registration = sessions.system.registry.register(&queue, &who);
        sessions.system.desk.watch(&queue);
        Self { sessions, who, queue, watched: Mutex::default(), _registration: registration }
    }

    /// What waits to be written to the socket.
    #[must_use]
    pub const fn queue(&self) -> &Arc<SendQueue> {
        &self.queue
    }

    /// Acts on a frame. What is to be answered is queued.
    pub async fn handle(&self, frame: StaffFrame) {
        match frame {
            StaffFrame::Hello { .. } => {
                self.refuse(None, Refusal::new(ErrorCode::BadRequest, "hello comes first, once"))
            }
            StaffFrame::Ping {} => self.queue.push(ServerFrame::Pong {}),
            StaffFrame::Pong {} => {}
            StaffFrame::Watch { conversation, cursor } => self.watch(conversation, cursor).await,
            StaffFrame::Unwatch { conversation } => self.unwatch(conversation),
            StaffFrame::Typing { conversation, active } => {
                let typing = typing(&self.who, conversation, active);
                self.sessions.system.directory.publish_typing(&self.sessions.system, typing);
            }
            StaffFrame::Say { conversation, client_msg_id, after, text, traceparent } => {
                let action = Action::Say { text, overlap: Overlap::Queue };
                self.submit(conversation, (client_msg_id, after), action, traceparent);
            }
            StaffFrame::Claim { conversation, client_msg_id, control_version } => {
                let action = Action::Claim { control_version, assignment: self.sessions.new_assignment() };
                self.submit(conversation, (client_msg_id, None), action, None);
            }
            StaffFrame::TakeOver { conversation, client_msg_id, control_version } => {
                let action = Action::TakeOver { control_version, assignment: self.sessions.new_assignment() };
                self.submit(conversation, (client_msg_id, None), action, None);
            }
            StaffFrame::HandBack { conversation, client_msg_id, control_version, to } => {
                self.submit(conversation, (client_msg_id, None), Action::HandBack { control_version, to }, None);
            }
            StaffFrame::Close { conversation, client_msg_id, control_version } => {
                let action = Action::Close { control_version: Some(control_version) };
                self.submit(conversation, (client_msg_id, None), action, None);
            }
        }
    }

    /// Asks the client for a sign of life and tells where each watched conversation stands.
    pub fn ping(&self) {
        let positions = self
            .watched()
            .iter()
            .filter_map(|(conversation, reader)| {
                Some(Position { conversation: *conversation, seq: reader.position()? })
            })
            .collect();
        push_ping(&self.queue, positions);
    }

    async fn watch(&self, conversation: ConversationId, cursor: Option<Cursor>) {
        if let Err(refusal) = self.sessions.looks(&self.who, Looked::Live(conversation)).await {
            return self.refuse(Some(conversation), refusal);
        }
        let watched_before = self.watched().contains_key(&conversation);
        let subscriber =
            {
                let mut watched = self.watched();
                if watched.len() >= MAX_WATCHED && !watched.contains_key(&conversation) {
                    drop(watched);
                    let refusal = Refusal::new(ErrorCode::Busy, "this socket watches as many conversations as it may");
                    return self.refuse(Some(conversation), refusal);
                }
                Arc::clone(watched.entry(conversation).or_insert_with(|| {
                    Subscriber::new(conversation, self.who.id, View::Staff, Arc::clone(&self.queue))
                }))
            };
        let system = &self.sessions.system;
        if let Err(refusal) = system.directory.subscribe(system, &subscriber, cursor).await {
            self.watched().remove(&conversation);
            self.refuse(Some(conversation), refusal);
            if watched_before {
                // It would hear nothing of it any more: better to connect again.
                self.queue.close(CloseCode::InsufficientState);
            }
        }
    }

    fn unwatch(&self, conversation: ConversationId) {
        let subscriber = self.watched().remove(&conversation);
        if let Some(subscriber) = subscriber {
            self.sessions.system.directory.unsubscribe(&self.sessions.system, &subscriber);
        }
    }

    fn submit(
        &self,
        conversation: ConversationId,
        (client_msg_id, after): (ClientMsgId, Option<ClientMsgId>),
        action: Action,
        traceparent: Option<String>,
    ) {
        let request = Request { by: self.who.clone(), client_msg_id, after, action };
        let reply = Reply::to_socket(conversation, &request, &self.queue);
        self.sessions.submit(conversation, Command { request, traceparent, reply });
    }

    fn refuse(&self, conversation: Option<ConversationId>, refusal: Refusal) {
        metrics::counter!("onya_rejections_total", "code" => refusal.code.as_str()).increment(1);
        self.queue.push(ServerFrame::Refused(Refusal { conversation, ..refusal }));
    }

    fn watched(&self) -> MutexGuard<'_, BTreeMap<ConversationId, Arc<Subscriber>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StaffConnection {
    fn drop(&mut self) {
        for subscriber in std::mem::take(&mut *self.watched()).into_values() {
            self.sessions.system.directory.unsubscribe(&self.sessions.system, &subscriber);
        }
    }
}
