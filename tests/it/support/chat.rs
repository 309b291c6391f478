//! A customer with a chat window.

use std::collections::BTreeMap;

use onya_core::Seq;
use onya_core::conversation::Outcome;
use onya_protocol::{Ack, Refusal, ServerFrame};
use serde_json::{Value, json};
use uuid::Uuid;

use super::wire::{Dialled, Wire};
use super::{Replica, TestNode, Visitor};

/// A customer's socket with a strict copy of the conversation. Lives on over reconnects.
pub struct ChatClient {
    pub visitor: Visitor,
    pub replica: Replica,
    pub acks: BTreeMap<String, Ack>,
    pub refusals: Vec<Refusal>,
    /// When to come back, if the server has said goodbye.
    pub goaway: Option<u64>,
    /// Places in the queue that were shown.
    pub places: Vec<usize>,
    wire: Option<Wire>,
}

impl ChatClient {
    /// A first visit.
    pub async fn visit(node: &TestNode) -> Self {
        Self::open(node, node.visitor().await).await
    }

    /// Another window of the same visitor, or the first.
    pub async fn open(node: &TestNode, visitor: Visitor) -> Self {
        let mut client = Self::closed(visitor);
        client.connect(node).await;
        client
    }

    fn closed(visitor: Visitor) -> Self {
        Self {
            replica: Replica::new(visitor.conversation),
            visitor,
            acks: BTreeMap::new(),
            refusals: Vec::new(),
            goaway: None,
            places: Vec::new(),
            wire: None,
        }
    }

    /// Tries to open a window where none can be had now; why not.
    pub async fn open_refused(node: &TestNode, visitor: Visitor) -> String {
        let mut client = Self::closed(visitor);
        client.try_connect(node).await.unwrap_err()
    }

    /// Opens a socket from where the copy ends, and waits until it is up to date.
    pub async fn connect(&mut self, node: &TestNode) {
        if let Err(refusal) = self.try_connect(node).await {
            panic!("{refusal:?}");
        }
    }

    /// As [`ChatClient::connect`], for a server that may not want it now.
    pub async fn try_connect(&mut self, node: &TestNode) -> Result<(), String> {
        self.cut();
        let path = format!("/v1/conversations/{}/socket", self.visitor.conversation);
        let mut wire = match Wire::dial(&node.socket_url(&path), &[]).await {
            Dialled::Open(wire) => *wire,
            Dialled::Refused(status, body) => return Err(format!("{status}: {body}")),
        };
        let cursor = self.replica.cursor();
        wire.send(json!({"type": "hello", "versions": [1], "token": self.visitor.token, "cursor": cursor})).await;
        match wire.next().await {
            Ok(ServerFrame::Hello { version: 1, participant, .. }) => assert_eq!(participant, self.visitor.participant),
            other => return Err(format!("{other:?}")),
        }
        self.wire = Some(wire);
        match self.next().await {
            Some(ServerFrame::Synced(_)) => Ok(()),
            other => panic!("hello is followed by synced, not by {other:?}"),
        }
    }

    /// Ends the connection without a word.
    pub fn cut(&mut self) {
        if let Some(wire) = self.wire.take() {
            wire.cut();
        }
    }

    /// The next frame, applied; `None` when the socket is closed.
    pub async fn next(&mut self) -> Option<ServerFrame> {
        let frame = self.wire.as_mut().unwrap().next().await.ok()?;
        self.replica.apply(&frame);
        match &frame {
            ServerFrame::Ack(ack) => {
                self.acks.insert(ack.client_msg_id.to_string(), ack.clone());
            }
            ServerFrame::Refused(refusal) => self.refusals.push(refusal.clone()),
            ServerFrame::Goaway { retry_after_ms } => self.goaway = Some(*retry_after_ms),
            ServerFrame::QueuePosition { position, .. } => self.places.push(*position),
            ServerFrame::Ping { .. } => self.send(json!({"type": "pong"})).await,
            _ => {}
        }
        Some(frame)
    }

    /// Reads until something is so.
    pub async fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            assert!(self.next().await.is_some(), "the socket was closed before it was so: {:?}", self.replica);
        }
    }

    /// Reads until the socket is closed; the close code, 0 for none.
    pub async fn until_closed(&mut self) -> u16 {
        let mut wire = self.wire.take().unwrap();
        loop {
            match wire.next().await {
                Ok(frame) => {
                    self.replica.apply(&frame);
                    if let ServerFrame::Ack(ack) = &frame {
                        self.acks.insert(ack.client_msg_id.to_string(), ack.clone());
                    }
                    if let ServerFrame::Goaway { retry_after_ms } = frame {
                        self.goaway = Some(retry_after_ms);
                    }
                }
                Err(code) => return code,
            }
        }
    }

    pub async fn send(&mut self, frame: Value) {
        self.wire.as_mut().unwrap().send(frame).await;
    }

    /// Sends a command under a name of its own, and gives that name.
    pub async fn command(&mut self, mut frame: Value) -> String {
        let id = Uuid::now_v7().to_string();
        frame["client_msg_id"] = json!(id);
        self.send(frame).await;
        id
    }

    /// Says something and waits until it is stored.
    pub async fn say(&mut self, text: &str) -> Ack {
        let id = self.command(json!({"type": "say", "text": text})).await;
        self.ack(&id).await
    }

    /// Waits until a command is stored.
    pub async fn ack(&mut self, id: &str) -> Ack {
        let refused = |client: &Self| client.refusals.iter().any(|refusal| names(refusal, id));
        self.until(|client| client.acks.contains_key(id) || refused(client)).await;
        let ack = self.acks.get(id).cloned();
        ack.unwrap_or_else(|| panic!("refused: {:?}", self.refusals))
    }

    /// Waits until a command is refused.
    pub async fn refusal(&mut self, id: &str) -> Refusal {
        let refused = |client: &Self| client.refusals.iter().find(|refusal| names(refusal, id)).cloned();
        self.until(|client| refused(client).is_some() || client.acks.contains_key(id)).await;
        refused(self).unwrap_or_else(|| panic!("it is stored: {:?}", self.acks))
    }

    /// Waits until at least so many bytes of a reply are shown, and gives its turn.
    pub async fn until_shown(&mut self, bytes: usize) -> Seq {
        self.until(|client| client.replica.live.as_ref().is_some_and(|live| live.text.len() >= bytes)).await;
        self.replica.live.as_ref().unwrap().turn
    }

    /// Waits until the turn that answers this message has ended.
    pub async fn answered(&mut self, message: Seq) -> (Outcome, String) {
        let end = |client: &Self| client.replica.turn_of(message).and_then(|turn| client.replica.turn_end(turn));
        self.until(|client| end(client).is_some()).await;
        end(self).unwrap()
    }
}

fn names(refusal: &Refusal, id: &str) -> bool {
    refusal.client_msg_id.as_ref().is_some_and(|named| named.as_str() == id)
}
