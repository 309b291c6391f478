//! An agent who takes conversations over in the middle of a reply, says something, and hands them back.

use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::customer::text;
use crate::history::Event;
use crate::scene::Scene;
use crate::socket::{Heard, Socket};

/// How long an agent waits for a reply to begin before looking elsewhere.
const BOREDOM: Duration = Duration::from_millis(500);

/// An agent at the desk.
pub(crate) struct Agent {
    scene: Scene,
    dice: StdRng,
    token: String,
    participant: Uuid,
    conversations: Vec<Uuid>,
    socket: Option<Socket>,
    /// The conversation that is looked at.
    watched: Watched,
    commands: usize,
}

/// What is known of the conversation that is looked at.
#[derive(Default)]
struct Watched {
    conversation: Uuid,
    synced: bool,
    control: Value,
    control_version: u64,
    turn_is_open: bool,
}

impl Agent {
    pub(crate) fn new(scene: Scene, (token, conversations): (String, Vec<Uuid>), dice: StdRng) -> Self {
        let watched = Watched::default();
        Self { scene, dice, token, participant: Uuid::nil(), conversations, socket: None, watched, commands: 0 }
    }

    /// Works until it is over.
    pub(crate) async fn run(mut self) {
        while !self.scene.is_over() {
            let conversation = self.conversations[self.dice.random_range(0..self.conversations.len())];
            self.visit(conversation).await;
        }
        // Nobody is left alone with an agent who has gone home.
        for conversation in self.conversations.clone() {
            while !self.is_returned(conversation).await {}
        }
    }

    /// Looks at a conversation; takes it over if a reply is in progress, talks, and hands it back.
    async fn visit(&mut self, conversation: Uuid) -> Option<()> {
        self.watch(conversation).await?;
        let bored = Instant::now() + BOREDOM;
        while !self.watched.turn_is_open && self.watched.control["state"] == "assistant" {
            self.listen(bored.checked_duration_since(Instant::now())?).await?;
        }
        if self.watched.control["state"] == "assistant" {
            // Somewhere in the reply.
            for _ in 0..self.dice.random_range(0..6) {
                self.listen(BOREDOM).await?;
            }
            self.command("take_over", None).await?;
        }
        // A takeover ends the reply; who sees it go on stays until it has ended.
        while self.watched.turn_is_open {
            self.listen(self.scene.patience).await?;
        }
        for _ in 0..self.dice.random_range(0..3) {
            let text = format!("agent {} {}", self.participant, self.commands);
            self.command("say", Some(text)).await?;
        }
        self.is_returned(conversation).await.then_some(())
    }

    async fn is_returned(&mut self, conversation: Uuid) -> bool {
        if self.watch(conversation).await.is_none() {
            return false;
        }
        let own = self.watched.control["id"].as_str() == Some(&self.participant.to_string());
        !own || self.command("hand_back", None).await.is_some()
    }

    async fn watch(&mut self, conversation: Uuid) -> Option<()> {
        if self.socket.is_none() {
            let hello = json!({"token": self.token});
            self.socket = self.scene.socket(&mut self.dice, "/v1/desk/socket", hello).await;
        }
        let before = std::mem::replace(&mut self.watched, Watched { conversation, ..Watched::default() }).conversation;
        if before != conversation {
            self.send(json!({"type": "unwatch", "conversation": before})).await?;
        }
        self.send(json!({"type": "watch", "conversation": conversation})).await?;
        while !self.watched.synced {
            self.listen(self.scene.patience).await?;
        }
        Some(())
    }

    /// Sends a command until it has an outcome; `None` if it was refused.
    async fn command(&mut self, kind: &str, said: Option<String>) -> Option<()> {
        self.commands += 1;
        let (conversation, id) = (self.watched.conversation, format!("a{}", self.commands));
        let version = self.watched.control_version;
        loop {
            let frame = json!({"type": kind, "conversation": conversation, "client_msg_id": id,
                "control_version": version, "text": said});
            self.note(&Event::Sent {
                who: self.participant,
                conversation,
                id: id.clone(),
                after: None,
                text: said.clone(),
            });
            let outcome = match self.send(frame).await {
                Some(()) => self.outcome(&id).await,
                None => None,
            };
            match outcome.as_ref().map(|frame| text(frame, "code")) {
                None => self.note(&Event::Lost { who: self.participant, conversation, id: id.clone() }),
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

    async fn send(&mut self, frame: Value) -> Option<()> {
        let sent = self.socket.as_mut()?.send(&frame).await;
        if !sent {
            self.socket = None;
        }
        sent.then_some(())
    }

    /// The next frame; `None` if the socket has ended, or was silent and is given up.
    async fn listen(&mut self, patience: Duration) -> Option<Value> {
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
