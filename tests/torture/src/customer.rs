//! A customer who talks, is cut off, comes back and asks again, and sometimes gives up.
//!
//! Everything that is sent has a name, is sent in order, and is sent again under its name until it has an outcome. A
//! customer gives a message up only when told `busy`, or now and then when told `unknown`; what was refused each time
//! must never appear. Now and then a customer sends something again that was acknowledged long ago, or is cut off from
//! the answers.

use std::collections::VecDeque;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::history::Event;
use crate::scene::{Attempt, Cursor, Guest, Scene};
use crate::socket::{Heard, Socket};

/// Messages that may wait for their outcome.
const WAITING: usize = 3;
/// The server remembers so many commands of a conversation; older ones it must look up.
const REMEMBERED: usize = 64;
/// A text that the poisoned tables refuse.
pub(crate) const POISON: &str = "poison";
/// A reply that they refuse: exactly so many words, the last of which are numbers.
pub(crate) const UNLUCKY: &str = "/mock long 61";

/// A customer and what waits.
pub(crate) struct Customer {
    scene: Scene,
    dice: StdRng,
    guest: Guest,
    outbox: VecDeque<Message>,
    said: usize,
    /// Names and texts that were acknowledged.
    stored: Vec<(String, String)>,
    cursor: Option<Cursor>,
    socket: Option<Socket>,
    /// The socket that was brought up to date last.
    synced: u64,
    reply: (u64, Attempt),
    /// How many of those that wait were sent on this socket.
    sent: usize,
    not_before: Option<Instant>,
    /// Whether this one says only what it is told to.
    is_silent: bool,
    /// The newest position that was acknowledged.
    acked_at: u64,
    /// The newest position at which the conversation was seen to wait for a person.
    queued_at: u64,
}

struct Message {
    id: String,
    text: String,
    /// Times it was sent and has not been answered.
    open: usize,
    /// Whether it may be stored although no answer said so.
    uncertain: bool,
    /// Whether it was acknowledged long ago, so that nothing need wait for it.
    old: bool,
}

impl Customer {
    pub(crate) fn new(scene: Scene, guest: Guest, dice: StdRng) -> Self {
        Self {
            scene,
            dice,
            guest,
            outbox: VecDeque::new(),
            said: 0,
            stored: Vec::new(),
            cursor: None,
            socket: None,
            synced: 0,
            reply: (0, (0, 0, 0)),
            sent: 0,
            not_before: None,
            is_silent: false,
            acked_at: 0,
            queued_at: 0,
        }
    }

    pub(crate) const fn conversation(&self) -> Uuid {
        self.guest.conversation
    }

    /// Says one thing, and nothing else any more; returns when it is stored.
    pub(crate) async fn say(&mut self) {
        self.is_silent = true;
        self.said += 1;
        let id = format!("m{}", self.said);
        let text = format!("{} {id}", self.guest.participant);
        self.outbox.push_back(Message { id, text, open: 0, uncertain: false, old: false });
        while !self.outbox.is_empty() {
            self.step().await;
        }
    }

    /// Waits until the conversation has waited for a person since the last word was stored; one may have come by now.
    pub(crate) async fn was_queued(&mut self) {
        while self.queued_at <= self.acked_at {
            self.step().await;
        }
    }

    /// Talks until it is over and everything has its outcome, then looks at the conversation once more.
    pub(crate) async fn run(mut self) {
        while !(self.scene.is_over() && self.outbox.is_empty()) {
            self.step().await;
        }
        self.lose();
        // There may be nothing new.
        while !self.is_synced() {
            if self.socket.is_some() || self.connect().await {
                self.listen(self.scene.patience).await;
            }
        }
    }

    /// Whether this socket was brought up to date.
    fn is_synced(&self) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.number == self.synced)
    }

    async fn step(&mut self) {
        if self.socket.is_none() && !self.connect().await {
            return;
        }
        if !self.scene.is_over() && !self.is_silent && self.outbox.len() < WAITING {
            self.think();
        }
        let now = Instant::now();
        match self.not_before.filter(|at| *at > now) {
            Some(at) => return self.listen(at - now).await,
            None => self.not_before = None,
        }
        while self.sent < self.outbox.len() {
            if !self.send_next().await {
                return self.lose();
            }
        }
        // The network breaks too, more often when a server comes or goes, and the answers to what was just sent are lost.
        let odds = if self.scene.has_moved() { 2 } else { 100 };
        if !self.scene.is_over() && self.dice.random_ratio(1, odds) {
            return self.lose();
        }
        self.listen(self.scene.patience).await;
    }

    async fn connect(&mut self) -> bool {
        let path = format!("/v1/conversations/{}/socket", self.guest.conversation);
        let cursor = self.cursor.as_ref().map(Cursor::as_json);
        let hello = json!({"token": self.guest.token, "cursor": cursor});
        self.socket = self.scene.socket(&mut self.dice, &path, hello).await;
        self.socket.is_some()
    }

    /// Finds something to say.
    fn think(&mut self) {
        let old = self.stored.len().saturating_sub(REMEMBERED + WAITING);
        if old > 0 && self.dice.random_ratio(1, 8) {
            let (id, text) = self.stored[self.dice.random_range(0..old)].clone();
            return self.outbox.push_back(Message { id, text, open: 0, uncertain: true, old: true });
        }
        self.said += 1;
        let id = format!("m{}", self.said);
        let text = match self.dice.random_range(0..100) {
            0 => format!("{POISON} {} {id}", self.guest.participant),
            1..3 => UNLUCKY.to_owned(),
            3..15 => "/mock long 60".to_owned(),
            _ => format!("{} {id}", self.guest.participant),
        };
        self.outbox.push_back(Message { id, text, open: 0, uncertain: false, old: false });
    }

    async fn send_next(&mut self) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        let after = self.outbox.iter().take(self.sent).rfind(|message| !message.old).map(|message| message.id.clone());
        let message = &mut self.outbox[self.sent];
        self.sent += 1;
        message.open += 1;
        let frame = json!({"type": "say", "client_msg_id": message.id, "after": after, "text": message.text});
        let (who, conversation) = (self.guest.participant, self.guest.conversation);
        let (id, text) = (message.id.clone(), Some(message.text.clone()));
        self.scene.history.note(&Event::Sent { who, conversation, id, after, text, saw: None });
        socket.send(&frame).await
    }

    /// Takes the next frame. Silence while something is waited for is as good as a lost connection.
    async fn listen(&mut self, patience: Duration) {
        let Some(socket) = &mut self.socket else { return };
        match socket.next(patience).await {
            Heard::Frame(frame) => self.take(&frame).await,
            Heard::End => self.lose(),
            Heard::Silence if patience >= self.scene.patience && (self.sent > 0 || !self.is_synced()) => self.lose(),
            Heard::Silence => {}
        }
    }

    async fn take(&mut self, frame: &Value) {
        let socket = self.socket.as_ref().map_or(0, |socket| socket.number);
        match frame["type"].as_str().unwrap_or_default() {
            "synced" => {
                let asked = std::mem::replace(&mut self.synced, socket) != socket;
                self.cursor = self.scene.synced(socket, (false, asked), self.cursor.as_ref(), frame);
                self.scene.reply(socket, &mut self.reply, frame);
                for entry in frame["entries"].as_array().into_iter().flatten() {
                    self.see_queue(entry, &entry["seq"]);
                }
                self.see_queue(frame, &frame["position"]);
                self.leave_queue(&frame["control"], &frame["control_version"]).await;
            }
            "entry" => {
                let shown = self.scene.shown(socket, frame);
                if let (Some(cursor), Some(shown)) = (&mut self.cursor, shown) {
                    cursor.seq = cursor.seq.max(shown.seq);
                }
                self.see_queue(frame, &frame["seq"]);
                self.leave_queue(&frame["control"], &frame["control_version"]).await;
            }
            "delta" | "reset" => drop(self.scene.reply(socket, &mut self.reply, frame)),
            "ack" => self.acked(frame),
            "refused" => self.refused(frame),
            _ => {}
        }
    }

    fn acked(&mut self, frame: &Value) {
        let (id, seq) = (text(frame, "client_msg_id"), frame["seq"].as_u64().unwrap_or_default());
        let (who, conversation) = (self.guest.participant, self.guest.conversation);
        let repeated = frame["repeated"] == true;
        self.scene.history.note(&Event::Acked { who, conversation, id: id.clone(), seq, repeated });
        self.acked_at = self.acked_at.max(seq);
        if let Some(message) = self.remove(&id) {
            self.stored.push((id, message.text));
        }
    }

    fn refused(&mut self, frame: &Value) {
        let (id, code) = (text(frame, "client_msg_id"), text(frame, "code"));
        let (who, conversation) = (self.guest.participant, self.guest.conversation);
        self.scene.history.note(&Event::Refused { who, conversation, id: id.clone(), code: code.clone() });
        let Some(message) = self.outbox.iter_mut().find(|message| message.id == id) else { return };
        message.open = message.open.saturating_sub(1);
        message.uncertain |= code == "unknown";
        let certain = message.open == 0 && !message.uncertain;
        let gives_up = match code.as_str() {
            "busy" => certain && self.dice.random_ratio(1, 3),
            "unknown" => self.dice.random_ratio(1, 20),
            "out_of_order" => false,
            _ => true,
        };
        if gives_up {
            self.remove(&id);
        } else {
            // What came after it is refused as well: soon, everything is sent again.
            let pause = frame["retry_after_ms"].as_u64().unwrap_or(20).min(300);
            self.not_before = Some(Instant::now() + Duration::from_millis(pause));
            self.sent = 0;
        }
    }

    fn remove(&mut self, id: &str) -> Option<Message> {
        let at = self.outbox.iter().position(|message| message.id == id)?;
        self.sent -= usize::from(at < self.sent);
        self.outbox.remove(at)
    }

    fn see_queue(&mut self, frame: &Value, at: &Value) {
        if frame["control"]["state"] == "queue" {
            self.queued_at = self.queued_at.max(at.as_u64().unwrap_or_default());
        }
    }

    /// A customer who was put into the queue goes on with the assistant, or waits if there is somebody to wait for.
    async fn leave_queue(&mut self, control: &Value, version: &Value) {
        if control["state"] != "queue" || self.is_silent || (self.scene.serves_queue && self.dice.random()) {
            return;
        }
        let (who, conversation) = (self.guest.participant, self.guest.conversation);
        let id = Uuid::now_v7().to_string();
        let frame = json!({"type": "hand_back", "client_msg_id": id, "control_version": version});
        self.scene.history.note(&Event::Sent { who, conversation, id, after: None, text: None, saw: version.as_u64() });
        if let Some(socket) = &mut self.socket {
            socket.send(&frame).await;
        }
    }

    /// The socket is gone, and with it the answers to what was sent on it.
    fn lose(&mut self) {
        let (who, conversation) = (self.guest.participant, self.guest.conversation);
        for message in self.outbox.iter_mut().filter(|message| message.open > 0) {
            (message.open, message.uncertain) = (0, true);
            self.scene.history.note(&Event::Lost { who, conversation, id: message.id.clone() });
        }
        (self.socket, self.sent) = (None, 0);
    }
}

pub(crate) fn text(frame: &Value, name: &str) -> String {
    frame[name].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use futures::{SinkExt as _, StreamExt as _};
    use rand::SeedableRng as _;
    use tokio::net::TcpListener;
    use tokio::sync::watch;
    use tokio::time::timeout;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message as Frame;

    use super::*;
    use crate::history::History;

    const CONVERSATION: Uuid = Uuid::from_u128(1);

    /// A server that brings whoever comes to position 5 with these entries, and then says nothing more.
    async fn quiet_server(listener: TcpListener, entries: Value) {
        let synced = json!({"type": "synced", "conversation": CONVERSATION, "history_epoch": "h", "position": 5,
            "recovered": true, "entries": entries, "control": {"state": "assistant"}, "control_version": 0});
        let mut sockets = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            let mut socket = accept_async(stream).await.unwrap();
            socket.next().await.unwrap().unwrap();
            socket.send(Frame::text(synced.to_string())).await.unwrap();
            sockets.push(socket);
        }
    }

    /// A customer does this at a quiet server that has these entries, when it is over.
    async fn at_a_quiet_server<Work: Future<Output = ()>>(entries: Value, work: impl FnOnce(Customer) -> Work) {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = watch::Sender::new(vec![listener.local_addr().unwrap()]);
        let over = watch::Sender::new(true);
        let scene = Scene {
            history: History::create(&folder.path().join("history.jsonl")).unwrap().into(),
            addresses: addresses.subscribe(),
            over: over.subscribe(),
            patience: Duration::from_secs(5),
            began: Instant::now(),
            serves_queue: false,
        };
        let guest = Guest { token: String::new(), participant: Uuid::nil(), conversation: CONVERSATION };
        let done = Box::pin(work(Customer::new(scene, guest, StdRng::seed_from_u64(1))));
        tokio::select! {
            () = quiet_server(listener, entries) => panic!("the server has ended"),
            done = timeout(Duration::from_secs(20), done) => done.expect("it waits for what is not there"),
        }
    }

    #[tokio::test]
    async fn a_customer_who_has_missed_nothing_goes_home() {
        let epoch = Cursor { history_epoch: "h".to_owned(), seq: 5 };
        at_a_quiet_server(json!([]), async |mut customer| {
            customer.cursor = Some(epoch);
            customer.run().await;
        })
        .await;
    }

    #[tokio::test]
    async fn a_customer_who_was_taken_from_the_queue_while_away_was_in_it() {
        let entry = |seq: u64, state: &str| json!({"seq": seq, "kind": "control_changed", "at": 0, "control": {"state": state}});
        at_a_quiet_server(json!([entry(4, "queue"), entry(5, "agent")]), async |mut customer| {
            customer.acked_at = 3;
            customer.was_queued().await;
        })
        .await;
    }
}
