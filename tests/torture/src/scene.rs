//! What clients share: where the servers are just now, the history, and how long to wait for anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::history::{Event, History, Shown};
use crate::socket::Socket;

/// What clients share.
#[derive(Clone)]
pub(crate) struct Scene {
    pub history: Arc<History>,
    /// Every server that listens; none while there is none.
    pub addresses: watch::Receiver<Vec<SocketAddr>>,
    /// Set when nobody begins anything new.
    pub over: watch::Receiver<bool>,
    /// Longest silence after which an outcome counts as unknown.
    pub patience: Duration,
    pub began: Instant,
    /// Whether agents go for the queue: then half of the customers in it wait for one.
    pub serves_queue: bool,
}

/// Somebody with a token and a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub token: String,
    pub participant: Uuid,
    pub conversation: Uuid,
}

/// Where a reader's copy of a log ends.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub history_epoch: String,
    pub seq: u64,
}

/// A turn, the epoch of its owner, and the number of the attempt.
pub(crate) type Attempt = (u64, u64, u64);

impl Scene {
    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Whether a server has come or gone since this was last asked.
    pub(crate) fn has_moved(&mut self) -> bool {
        let moved = self.addresses.has_changed().unwrap_or(false);
        self.addresses.mark_unchanged();
        moved
    }

    /// One of the servers.
    pub(crate) fn address(&self, dice: &mut StdRng) -> Option<SocketAddr> {
        let there = self.addresses.borrow();
        (!there.is_empty()).then(|| there[dice.random_range(0..there.len())])
    }

    /// A socket to one of the servers, once there is one.
    pub(crate) async fn socket(&mut self, dice: &mut StdRng, path: &str, hello: Value) -> Option<Socket> {
        self.addresses.wait_for(|addresses| !addresses.is_empty()).await.ok()?;
        let address = self.address(dice)?;
        let socket = Socket::open(address, path, hello).await;
        if socket.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        socket
    }

    /// Notes a synchronisation, which the reader has `asked` for or not; where its copy ends now.
    pub(crate) fn synced(
        &self,
        socket: u64,
        (staff, asked): (bool, bool),
        cursor: Option<&Cursor>,
        frame: &Value,
    ) -> Option<Cursor> {
        let entries = frame["entries"].as_array()?;
        let position = frame["position"].as_u64()?;
        self.history.note(&Event::Synced {
            socket,
            conversation: frame["conversation"].as_str()?.parse().ok()?,
            staff,
            asked,
            cursor: cursor.map(|cursor| cursor.seq),
            recovered: frame["recovered"] == true,
            position,
            entries: entries.iter().map(Shown::of).collect(),
        });
        Some(Cursor { history_epoch: frame["history_epoch"].as_str()?.to_owned(), seq: position })
    }

    /// Notes of which attempt a reply is shown, if it is another one than before: that is `last`, with the socket.
    pub(crate) fn reply(&self, socket: u64, last: &mut (u64, Attempt), frame: &Value) -> Option<()> {
        let reply = if frame["type"] == "synced" { &frame["turn"] } else { frame };
        let conversation = frame["conversation"].as_str()?.parse().ok()?;
        let (turn, epoch, attempt) = (reply["turn"].as_u64()?, reply["epoch"].as_u64()?, reply["attempt"].as_u64()?);
        if *last != (socket, (turn, epoch, attempt)) {
            *last = (socket, (turn, epoch, attempt));
            self.history.note(&Event::Reply { socket, conversation, turn, epoch, attempt });
        }
        Some(())
    }

    /// Notes a committed entry that was shown.
    pub(crate) fn shown(&self, socket: u64, frame: &Value) -> Option<Shown> {
        let (conversation, entry) = (frame["conversation"].as_str()?.parse().ok()?, Shown::of(frame));
        self.history.note(&Event::Shown { socket, conversation, entry: entry.clone() });
        Some(entry)
    }
}

impl Cursor {
    pub(crate) fn as_json(&self) -> Value {
        json!({"history_epoch": self.history_epoch, "seq": self.seq})
    }
}

impl Guest {
    /// A new visitor with a conversation.
    pub(crate) async fn visit(address: SocketAddr) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let post = async |path: &str, token: &str, body: Value| -> Result<Value> {
            let request = client.post(format!("http://{address}{path}")).bearer_auth(token).json(&body);
            Ok(request.header("idempotency-key", "visit").send().await?.error_for_status()?.json().await?)
        };
        let answer = client.post(format!("http://{address}/v1/tokens/anonymous")).send().await?;
        let visitor: Value = answer.error_for_status()?.json().await?;
        let token = visitor["token"].as_str().context("no token")?.to_owned();
        let opened = post("/v1/conversations", &token, json!({})).await?;
        Ok(Self {
            participant: visitor["participant"].as_str().context("no participant")?.parse()?,
            conversation: opened["id"].as_str().context("no conversation")?.parse()?,
            token,
        })
    }
}
