//! What is promised of links, over real connections between ends that only write down what they hear.

mod carrying;
mod losing;
mod opening;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use onya_actors::ports::{LinkEnd, LinkLost};
use onya_core::Incarnation;
use onya_core::cluster::{Member, MemberRole, Standing};
use onya_protocol::peer::LINK_VERSIONS;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::credentials::Nonce;
use super::handshake;
use super::*;

/// Nothing here takes long; who waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);
const CLUSTER: &str = "the cluster's key";

/// An end that says what it is told to, and remembers what it hears.
#[derive(Default)]
struct End {
    queue: Mutex<VecDeque<String>>,
    /// How often frames were taken from the queue.
    taken: AtomicUsize,
    closed: AtomicBool,
    heard: Mutex<Vec<String>>,
    opened: AtomicBool,
    version: AtomicU16,
    lost: AtomicBool,
    to_write: Notify,
    changed: Notify,
}

impl LinkEnd for End {
    type Sent = String;
    type Received = String;

    async fn next(&self) -> Option<VecDeque<String>> {
        loop {
            if self.closed.load(Ordering::SeqCst) {
                return None;
            }
            let frames = std::mem::take(&mut *self.queue.lock().unwrap());
            if !frames.is_empty() {
                self.taken.fetch_add(1, Ordering::SeqCst);
                self.changed.notify_waiters();
                return Some(frames);
            }
            self.to_write.notified().await;
        }
    }

    fn received(&self, frame: String) {
        assert_ne!(frame, "panic", "an end that breaks");
        self.heard.lock().unwrap().push(frame);
        self.changed.notify_waiters();
    }
}

impl End {
    fn say(&self, frames: impl IntoIterator<Item = String>) {
        self.queue.lock().unwrap().extend(frames);
        self.to_write.notify_one();
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.to_write.notify_one();
    }

    fn opened(&self, version: u16) {
        self.version.store(version, Ordering::SeqCst);
        self.opened.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    fn lost(&self) {
        assert!(!self.lost.swap(true, Ordering::SeqCst), "an end is lost once");
        self.changed.notify_waiters();
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                changed.as_mut().enable();
                if holds(self) {
                    return;
                }
                changed.await;
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it never came to that: {self:?}"));
    }

    async fn until_open(&self) {
        self.until(|end| end.opened.load(Ordering::SeqCst)).await;
    }

    async fn until_lost(&self) {
        self.until(|end| end.lost.load(Ordering::SeqCst)).await;
    }

    /// What it has heard, once that is so many frames.
    async fn heard(&self, frames: usize) -> Vec<String> {
        self.until(|end| end.heard.lock().unwrap().len() >= frames).await;
        self.heard.lock().unwrap().clone()
    }
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let heard = self.heard.lock().unwrap().len();
        write!(f, "heard {heard}, opened {:?}, lost {:?}", self.opened, self.lost)
    }
}

/// Proofs that can be read: a key, a purpose, from whom, for whom, a nonce.
struct Keys {
    key: &'static str,
    me: Incarnation,
}

impl Credentials for Keys {
    fn prove(&self, purpose: Purpose, to: Incarnation, nonce: &str) -> Result<String, CredentialError> {
        Ok(format!("{}/{purpose:?}/{}/{to}/{nonce}", self.key, self.me))
    }

    fn check(&self, purpose: Purpose, proof: &str) -> Result<Proven, CredentialError> {
        let refused = |what: &str| CredentialError(what.to_owned());
        let parts: Vec<_> = proof.split('/').collect();
        let [key, made_for, from, to, nonce] = parts[..] else { return Err(refused("malformed")) };
        if key != self.key || made_for != format!("{purpose:?}") || to != self.me.to_string() {
            return Err(refused("not for me"));
        }
        Ok(Proven { from: from.parse().map_err(|_| refused("malformed"))?, nonce: nonce.into() })
    }

    fn longest_life(&self) -> Duration {
        Duration::from_secs(90)
    }
}

fn keys(me: Incarnation) -> Arc<dyn Credentials> {
    Arc::new(Keys { key: CLUSTER, me })
}

fn incarnation() -> Incarnation {
    Incarnation(Uuid::now_v7())
}

/// On a busy machine a test may stand still for seconds; the usual times are tried where the clock is paused.
fn patient() -> LinkTimes {
    LinkTimes { connect: PATIENCE, handshake: PATIENCE, silence: PATIENCE, write: PATIENCE, ..LinkTimes::default() }
}

fn settings() -> LinkSettings {
    LinkSettings { times: patient(), ..LinkSettings::at("127.0.0.1:0".parse().unwrap()) }
}

fn member(incarnation: Incarnation, address: String) -> Member {
    Member {
        incarnation,
        name: "other".to_owned(),
        address,
        role: MemberRole::Both,
        standing: Standing::Live,
        release: "1".to_owned(),
    }
}

/// The ends of the links that a node took, in their order.
type Ends = Arc<Mutex<Vec<(Incarnation, Arc<End>)>>>;

/// A node that takes links.
struct Node {
    me: Incarnation,
    address: SocketAddr,
    ends: Ends,
    came: Arc<Notify>,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl Node {
    async fn start() -> Self {
        Self::with(settings(), LINK_VERSIONS).await
    }

    async fn with(settings: LinkSettings, versions: &'static [u16]) -> Self {
        let me = incarnation();
        let acceptor = Acceptor::bind(settings, keys(me)).await.unwrap().speaking(versions);
        let (address, stop) = (acceptor.address(), CancellationToken::new());
        let (ends, came) = (Ends::default(), Arc::<Notify>::default());
        let accept = {
            let (ends, came) = (Arc::clone(&ends), Arc::clone(&came));
            move |from| {
                let end = Arc::<End>::default();
                ends.lock().unwrap().push((from, Arc::clone(&end)));
                came.notify_waiters();
                end
            }
        };
        let mut serving = JoinSet::new();
        serving.spawn(acceptor.serve(accept, End::lost, stop.clone()));
        Self { me, address, ends, came, stop, serving }
    }

    fn member(&self) -> Member {
        member(self.me, self.address.to_string())
    }

    /// The end of its link number so many, from 0.
    async fn end(&self, number: usize) -> Arc<End> {
        let wait = async {
            loop {
                let mut came = std::pin::pin!(self.came.notified());
                came.as_mut().enable();
                if let Some((_, end)) = self.ends.lock().unwrap().get(number) {
                    return Arc::clone(end);
                }
                came.await;
            }
        };
        timeout(PATIENCE, wait).await.expect("no such link came")
    }

    fn links(&self) -> usize {
        self.ends.lock().unwrap().len()
    }

    async fn stop(mut self) {
        self.stop.cancel();
        timeout(PATIENCE, self.serving.join_next()).await.expect("it does not stop").unwrap().unwrap();
    }
}

/// A link that was opened to a member.
struct Dialed {
    end: Arc<End>,
    carrying: JoinSet<LinkLost>,
}

impl Dialed {
    fn to(member: Member) -> Self {
        Self::by(Dialer::new(keys(incarnation()), patient()), member)
    }

    fn by(dialer: Dialer, member: Member) -> Self {
        let (end, mut carrying) = (Arc::<End>::default(), JoinSet::new());
        let carried = Arc::clone(&end);
        carrying.spawn(async move { dialer.carry(&member, &*carried, End::opened).await });
        Self { end, carrying }
    }

    async fn lost(&mut self) -> LinkLost {
        timeout(PATIENCE, self.carrying.join_next()).await.expect("it is never lost").unwrap().unwrap()
    }
}

/// Opens a connection as a node would, and leaves it to the test.
async fn shake(address: SocketAddr, proof: &str) -> Result<(WebSocketStream<TcpStream>, Response), Error> {
    let request = handshake::request(&address.to_string(), proof, LINK_VERSIONS).unwrap();
    client_async(request, TcpStream::connect(address).await.unwrap()).await
}

fn proof_for(node: &Node) -> String {
    keys(incarnation()).prove(Purpose::Dial, node.me, &Nonce::draw().unwrap().to_string()).unwrap()
}

async fn raw(node: &Node) -> WebSocketStream<TcpStream> {
    shake(node.address, &proof_for(node)).await.unwrap().0
}

/// The frames of the next message with some.
async fn hear(socket: &mut WebSocketStream<TcpStream>) -> Vec<String> {
    loop {
        let message = timeout(PATIENCE, socket.next()).await.expect("nothing comes").unwrap().unwrap();
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

fn numbered(frames: std::ops::Range<usize>) -> Vec<String> {
    frames.map(|number| format!("frame {number}")).collect()
}
