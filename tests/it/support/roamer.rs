//! A customer on a bad network: connects again whenever it is cut, and sends again what has no outcome, in order.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use onya_core::Seq;
use onya_protocol::{Control, EntryBody, ErrorCode, ServerFrame};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use super::wire::Wire;
use super::{PATIENCE, Replica, Visitor};

/// Where the server is just now; `None` while it is not there.
pub type Address = watch::Receiver<Option<SocketAddr>>;

/// A customer who gives nothing up.
pub struct Roamer {
    pub visitor: Visitor,
    pub replica: Replica,
    /// What was said, in order: name and text.
    pub said: Vec<(String, String)>,
    /// Where each acknowledged command stands.
    pub acked: BTreeMap<String, Seq>,
    /// How often an answer said that the command had been stored before.
    pub repeated: usize,
    /// How often a message was refused for now.
    pub refused: usize,
    /// How often a connection was lost.
    pub lost: usize,
    /// How often a connection went on without a gap.
    pub recovered: usize,
    outbox: VecDeque<(String, String)>,
    in_flight: usize,
    wire: Option<Wire>,
    address: Address,
}

impl Roamer {
    pub fn new(visitor: Visitor, address: Address) -> Self {
        Self {
            replica: Replica::new(visitor.conversation),
            visitor,
            said: Vec::new(),
            acked: BTreeMap::new(),
            repeated: 0,
            refused: 0,
            lost: 0,
            recovered: 0,
            outbox: VecDeque::new(),
            in_flight: 0,
            wire: None,
            address,
        }
    }

    /// Says something; it is sent with the next [`Roamer::step`].
    pub fn say(&mut self, text: String) {
        let id = Uuid::now_v7().to_string();
        self.said.push((id.clone(), text.clone()));
        self.outbox.push_back((id, text));
    }

    /// How many messages have no outcome yet.
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Whether everything that was said has its outcome, every turn its end, and the last message its answer.
    pub fn is_settled(&self) -> bool {
        let ended = |turn: &Seq| self.replica.turn_end(*turn).is_some();
        let newest = self.said.last().and_then(|(id, _)| self.acked.get(id));
        let answered = newest.is_some_and(|seq| self.replica.turn_of(*seq).as_ref().is_some_and(ended));
        self.outbox.is_empty() && answered && self.turns().iter().all(ended)
    }

    fn turns(&self) -> Vec<Seq> {
        let opened =
            |entry: &&std::sync::Arc<onya_protocol::LogEntry>| matches!(entry.body, EntryBody::TurnOpened { .. });
        self.replica.entries.values().filter(opened).map(|entry| entry.seq).collect()
    }

    /// Connects if need be, sends what waits, and takes one frame.
    pub async fn step(&mut self) {
        if self.wire.is_none() && !self.connect().await {
            return;
        }
        if self.in_flight < self.outbox.len() && self.send_waiting().await.is_err() {
            return self.lose();
        }
        let Some(wire) = &mut self.wire else { return };
        match wire.next().await {
            Ok(frame) => self.take(frame).await,
            Err(_) => self.lose(),
        }
    }

    async fn connect(&mut self) -> bool {
        let there = timeout(PATIENCE, self.address.wait_for(Option::is_some)).await;
        let address = there.unwrap_or_else(|_| panic!("the server does not come back")).unwrap().unwrap();
        let path = format!("ws://{address}/v1/conversations/{}/socket", self.visitor.conversation);
        let Some(mut wire) = Wire::try_dial(&path).await else {
            self.lost += 1;
            tokio::task::yield_now().await;
            return false;
        };
        let hello = json!({
            "type": "hello", "versions": [1], "token": self.visitor.token, "cursor": self.replica.cursor(),
        });
        self.in_flight = 0;
        if wire.try_send(hello.to_string().into()).await.is_err() {
            return false;
        }
        self.wire = Some(wire);
        true
    }

    /// Sends what has not been sent on this connection, each after the one before it.
    async fn send_waiting(&mut self) -> Result<(), ()> {
        let wire = self.wire.as_mut().ok_or(())?;
        for at in self.in_flight..self.outbox.len() {
            let (id, text) = &self.outbox[at];
            let after = at.checked_sub(1).map(|before| self.outbox[before].0.clone());
            let frame = json!({"type": "say", "client_msg_id": id, "text": text, "after": after});
            wire.try_send(frame.to_string().into()).await.map_err(drop)?;
        }
        self.in_flight = self.outbox.len();
        Ok(())
    }

    async fn take(&mut self, frame: ServerFrame) {
        self.replica.apply(&frame);
        match frame {
            ServerFrame::Ack(ack) => {
                let id = ack.client_msg_id.to_string();
                self.repeated += usize::from(ack.repeated);
                if self.outbox.front().is_some_and(|(first, _)| *first == id) {
                    self.outbox.pop_front();
                    self.in_flight -= 1;
                }
                let before = self.acked.insert(id, ack.seq);
                assert!(before.is_none_or(|seq| seq == ack.seq), "acknowledged at two positions");
            }
            ServerFrame::Refused(refusal) => self.refused(refusal.code, refusal.retry_after_ms).await,
            ServerFrame::Ping { .. } => self.send(json!({"type": "pong"})).await,
            ServerFrame::Synced(synced) => {
                self.recovered += usize::from(synced.recovered);
                self.leave_queue().await;
            }
            ServerFrame::Entry { entry, .. } if matches!(entry.body, EntryBody::ControlChanged { .. }) => {
                self.leave_queue().await;
            }
            _ => {}
        }
    }

    async fn refused(&mut self, code: ErrorCode, retry_after_ms: Option<u64>) {
        match code {
            ErrorCode::Busy | ErrorCode::Unknown | ErrorCode::OutOfOrder => {
                self.refused += 1;
                // What came after it is refused as well. Reads on while it waits; then everything is sent again.
                let pause = Duration::from_millis(retry_after_ms.unwrap_or(10));
                if let Some(wire) = &mut self.wire
                    && let Ok(next) = timeout(pause, wire.next()).await
                {
                    match next {
                        Ok(frame) => return Box::pin(self.take(frame)).await,
                        Err(_) => return self.lose(),
                    }
                }
                self.in_flight = 0;
            }
            // Somebody else was faster with a change of control: the entry says so.
            ErrorCode::ControlChanged | ErrorCode::NothingToDo => {}
            other => panic!("refused with {other}"),
        }
    }

    /// A customer who was put into the queue goes on with the assistant.
    async fn leave_queue(&mut self) {
        if self.replica.control == Control::Queue {
            let (id, version) = (Uuid::now_v7().to_string(), self.replica.control_version);
            self.send(json!({"type": "hand_back", "client_msg_id": id, "control_version": version})).await;
        }
    }

    async fn send(&mut self, frame: serde_json::Value) {
        if let Some(wire) = &mut self.wire
            && wire.try_send(frame.to_string().into()).await.is_err()
        {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.lost += 1;
        self.in_flight = 0;
        self.wire = None;
    }
}
