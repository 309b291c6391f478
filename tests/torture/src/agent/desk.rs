//! The desk's socket as an agent uses it: it is opened again at some node when it ends, and a command is sent again until
//! it has an outcome.

use std::collections::VecDeque;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::BOREDOM;
use crate::customer::text;
use crate::history::Event;
use crate::scene::Scene;
use crate::socket::{Heard, Socket};

/// An agent's place at the desk.
pub(super) struct Desk {
    pub scene: Scene,
    /// The conversation that is looked at.
    pub watched: Watched,
    /// The queue as last shown: who waits, first to be served first, with the version of control to claim it with.
    pub waiting: VecDeque<(Uuid, u64)>,
    dice: StdRng,
    token: String,
    participant: Uuid,
    socket: Option<Socket>,
    commands: usize,
}

/// What is known of the conversation that is looked at.
#[derive(Default)]
pub(super) struct Watched {
    pub turn_is_open: bool,
    conversation: Uuid,
    synced: bool,
    control: Value,
    control_version: u64,
}

/// A command that is to be sent.
pub(super) struct Order {
    kind: &'static str,
    conversation: Uuid,
    /// The version of control that was seen.
    version: u64,
    /// The other fields of the frame.
    fields: Value,
}

impl Order {
    pub(super) fn at(kind: &'static str, conversation: Uuid, version: u64) -> Self {
        Self { kind, conversation, version, fields: json!({}) }
    }
}

impl Watched {
    pub(super) fn is_with(&self, state: &str) -> bool {
        self.control["state"] == state
    }
}

impl Desk {
    pub(super) fn new(scene: Scene, token: String, dice: &mut StdRng) -> Self {
        let dice = StdRng::seed_from_u64(dice.random());
        let (watched, participant) = (Watched::default(), Uuid::nil());
        Self { scene, watched, waiting: VecDeque::new(), dice, token, participant, socket: None, commands: 0 }
    }

    /// Whether the conversation that is looked at is with this agent.
    pub(super) fn has_control(&self) -> bool {
        self.watched.control["id"].as_str() == Some(&self.participant.to_string())
    }

    /// Something to say that nobody has said.
    pub(super) fn text(&self) -> String {
        format!("agent {} {}", self.participant, self.commands)
    }

    /// The process is gone, and whatever it knew.
    pub(super) fn die(&mut self) {
        self.socket = None;
        self.waiting.clear();
    }

    pub(super) async fn watch(&mut self, conversation: Uuid) -> Option<()> {
        if self.socket.is_none() {
            let hello = json!({"token": self.token});
            self.socket = self.scene.socket(&mut self.dice, "/v1/desk/socket", hello).await;
        }
        let before = std::mem::replace(&mut self.watched, Watched { conversation, ..Watched::default() }).conversation;
        if before != conversation {
            self.send(&json!({"type": "unwatch", "conversation": before})).await?;
        }
        self.send(&json!({"type": "watch", "conversation": conversation})).await?;
        while !self.watched.synced {
            self.listen(self.scene.patience).await?;
        }
        Some(())
    }

    /// Commands something in the conversation that is looked at, on what is seen there.
    pub(super) async fn command(&mut self, kind: &'static str, fields: Value) -> Option<()> {
        let Watched { conversation, control_version: version, .. } = self.watched;
        self.order(Order { kind, conversation, version, fields }).await
    }

    /// Sends a command until it has an outcome; `None` if it was refused.
    pub(super) async fn order(&mut self, order: Order) -> Option<()> {
        let Order { kind, conversation, version, fields: mut frame } = order;
        self.commands += 1;
        let id = format!("a{}", self.commands);
        frame["type"] = json!(kind);
        frame["conversation"] = json!(conversation);
        frame["client_msg_id"] = json!(id);
        frame["control_version"] = json!(version);
        let said = frame["text"].as_str().map(str::to_owned);
        let saw = said.is_none().then_some(version);
        loop {
            let (who, id, words) = (self.participant, id.clone(), said.clone());
            self.note(&Event::Sent { who, conversation, id: id.clone(), after: None, text: words, saw });
            let outcome = match self.send(&frame).await {
                Some(()) => self.outcome(&id).await,
                None => None,
            };
            match outcome.as_ref().map(|frame| text(frame, "code")) {
                None => self.note(&Event::Lost { who, conversation, id }),
                Some(code) if code.is_empty() => return Some(()),
                Some(code) if code == "busy" || code == "unknown" => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Some(_) => return None,
            }
            while self.watch(conversation).await.is_none() {}
        }
    }

    /// The answer to a command; `None` if the socket ends first or is silent.
    async fn outcome(&mut self, id: &str) -> Option<Value> {
        let deadline = Instant::now() + self.scene.patience;
        loop {
            let frame = self.listen(deadline.checked_duration_since(Instant::now())?).await?;
            if frame["client_msg_id"] == id && (frame["type"] == "ack" || frame["type"] == "refused") {
                return Some(frame);
            }
        }
    }

    async fn send(&mut self, frame: &Value) -> Option<()> {
        let sent = self.socket.as_mut()?.send(frame).await;
        if !sent {
            self.socket = None;
        }
        sent.then_some(())
    }

    /// The next frame; `None` if the socket has ended, or was silent and is given up.
    pub(super) async fn listen(&mut self, patience: Duration) -> Option<Value> {
        match self.socket.as_mut()?.next(patience).await {
            Heard::Frame(frame) => {
                self.take(&frame);
                Some(frame)
            }
            Heard::Silence if patience < BOREDOM => None,
            Heard::Silence | Heard::End => {
                self.socket = None;
                None
            }
        }
    }

    fn take(&mut self, frame: &Value) {
        let socket = self.socket.as_ref().map_or(0, |socket| socket.number);
        let ours = frame["conversation"].as_str() == Some(&self.watched.conversation.to_string());
        match frame["type"].as_str().unwrap_or_default() {
            "hello" => {
                let participant = frame["participant"].as_str().and_then(|text| text.parse().ok());
                self.participant = participant.unwrap_or(self.participant);
                self.note(&Event::LoggedIn { socket, who: self.participant });
            }
            "synced" => {
                // The answer to `watch` is new to this reader; a node that brings it up to date again goes on from where it is.
                let asked = ours && frame["reason"] == "new";
                self.scene.synced(socket, (true, asked), None, frame);
                if ours {
                    self.watched.synced = true;
                    self.watched.turn_is_open = frame["turn"].is_object();
                    self.control(frame);
                }
            }
            "entry" => {
                self.scene.shown(socket, frame);
                match frame["kind"].as_str() {
                    Some("turn_opened") if ours => self.watched.turn_is_open = true,
                    Some("turn_ended") if ours => self.watched.turn_is_open = false,
                    Some("control_changed") if ours => self.control(frame),
                    _ => {}
                }
            }
            "queue" => self.waiting = waiting(frame),
            "ack" => self.note(&Event::Acked {
                who: self.participant,
                conversation: text(frame, "conversation").parse().unwrap_or_default(),
                id: text(frame, "client_msg_id"),
                seq: frame["seq"].as_u64().unwrap_or_default(),
                repeated: frame["repeated"] == true,
            }),
            "refused" => self.note(&Event::Refused {
                who: self.participant,
                conversation: text(frame, "conversation").parse().unwrap_or_default(),
                id: text(frame, "client_msg_id"),
                code: text(frame, "code"),
            }),
            _ => {}
        }
    }

    fn control(&mut self, frame: &Value) {
        self.watched.control = frame["control"].clone();
        self.watched.control_version = frame["control_version"].as_u64().unwrap_or_default();
    }

    fn note(&self, event: &Event) {
        self.scene.history.note(event);
    }
}

fn waiting(frame: &Value) -> VecDeque<(Uuid, u64)> {
    let one = |entry: &Value| Some((entry["conversation"].as_str()?.parse().ok()?, entry["control_version"].as_u64()?));
    frame["entries"].as_array().map(|entries| entries.iter().filter_map(one).collect()).unwrap_or_default()
}
