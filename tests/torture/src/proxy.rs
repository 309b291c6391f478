//! Stands between Onya and PostgreSQL, and breaks the line where it hurts: between a commit and its reply, between a
//! request and its arrival, or for a while altogether.
//!
//! PostgreSQL sends what it has to say about a statement together with its word that it is ready again, after the
//! commit. So a reply whose `CommandComplete` has come belongs to a transaction that is stored.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::way::{Way, carry};

/// A part of the statement that stores batches, by which its connections are known.
const APPEND: &[u8] = b"written_entries";
const COMMAND_COMPLETE: u8 = b'C';
const READY: u8 = b'Z';

/// What shall happen to whoever comes next.
#[derive(Default)]
struct Orders {
    eat_appends: AtomicUsize,
    eat_commits: AtomicUsize,
    cut_appends: AtomicUsize,
    done: AtomicUsize,
    hangs: watch::Sender<bool>,
    delay: watch::Sender<Duration>,
}

/// A line to PostgreSQL that can be broken. It ends when this is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    orders: Arc<Orders>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, orders) = (listener.local_addr()?, Arc::new(Orders::default()));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&orders);
        tasks.spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                lines.spawn(line(client, port, Arc::clone(&shared)));
                while lines.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, orders, _tasks: tasks })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts the connections of the next batches after their commit, before their reply.
    pub(crate) fn eat_appends(&self, count: usize) {
        self.orders.eat_appends.store(count, Ordering::Relaxed);
    }

    /// The same for the next transactions of other connections, such as claims.
    pub(crate) fn eat_commits(&self, count: usize) {
        self.orders.eat_commits.store(count, Ordering::Relaxed);
    }

    /// Cuts the connections of the next batches before they arrive.
    pub(crate) fn cut_appends(&self, count: usize) {
        self.orders.cut_appends.store(count, Ordering::Relaxed);
    }

    /// Passes nothing on in either direction, or goes on.
    pub(crate) fn hang(&self, hangs: bool) {
        self.orders.hangs.send_replace(hangs);
    }

    /// What ends a hang.
    pub(crate) fn passes_again(&self) -> impl FnOnce() + Send + use<> {
        let orders = Arc::clone(&self.orders);
        move || {
            orders.hangs.send_replace(false);
        }
    }

    /// Passes everything on after so long; what makes it fast again.
    pub(crate) fn slow_until_let_go(&self, delay: Duration) -> impl FnOnce() + Send + use<> {
        let orders = Arc::clone(&self.orders);
        orders.delay.send_replace(delay);
        move || {
            orders.delay.send_replace(Duration::ZERO);
        }
    }

    /// How many connections were cut as ordered.
    pub(crate) fn done(&self) -> usize {
        self.orders.done.load(Ordering::Relaxed)
    }

    /// Whether every order was carried out.
    pub(crate) fn is_idle(&self) -> bool {
        let orders = &self.orders;
        [&orders.eat_appends, &orders.eat_commits, &orders.cut_appends]
            .iter()
            .all(|left| left.load(Ordering::Relaxed) == 0)
    }
}

impl Orders {
    /// Takes one of so many that are ordered.
    fn take(&self, left: &AtomicUsize) -> bool {
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        self.done.fetch_add(usize::from(taken), Ordering::Relaxed);
        taken
    }

    fn delay(&self) -> Duration {
        *self.delay.borrow()
    }

    async fn passable(&self) {
        // The sender lives as long as these orders.
        let _ = self.hangs.subscribe().wait_for(|hangs| !hangs).await;
    }
}

async fn line(client: TcpStream, port: u16, orders: Arc<Orders>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    // Small packets are what this line is made of; without the option they only wait longer.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let appends = AtomicBool::new(false);
    // Whichever side ends first, the other one hears no more.
    tokio::select! {
        () = carry(to_server, |way| requests(from_client, way, &appends, &orders)) => {}
        () = carry(to_client, |way| replies(from_server, way, &appends, &orders)) => {}
    }
}

async fn requests(mut from: OwnedReadHalf, way: Way, appends: &AtomicBool, orders: &Orders) {
    let (mut chunk, mut seen) = (vec![0; 1 << 16], Vec::new());
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        orders.passable().await;
        if appends.load(Ordering::Relaxed) {
            if orders.take(&orders.cut_appends) {
                return;
            }
        } else {
            seen.extend_from_slice(&chunk[..read]);
            appends.store(seen.windows(APPEND.len()).any(|part| part == APPEND), Ordering::Relaxed);
            seen.drain(..seen.len().saturating_sub(APPEND.len()));
        }
        if !way.send(&chunk[..read], orders.delay()).await {
            return;
        }
    }
}

async fn replies(mut from: OwnedReadHalf, way: Way, appends: &AtomicBool, orders: &Orders) {
    let (mut chunk, mut waiting, mut eating) = (vec![0; 1 << 16], Vec::new(), false);
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        orders.passable().await;
        let mut passed = Vec::new();
        waiting.extend_from_slice(&chunk[..read]);
        while let Some(message) = next_message(&mut waiting) {
            let complete = message[0] == COMMAND_COMPLETE;
            let left = if appends.load(Ordering::Relaxed) { &orders.eat_appends } else { &orders.eat_commits };
            let counts = appends.load(Ordering::Relaxed) || message.ends_with(b"COMMIT\0");
            eating |= complete && counts && orders.take(left);
            if eating && message[0] == READY {
                // What came before it arrives.
                way.send(&passed, orders.delay()).await;
                return;
            }
            if !eating {
                passed.extend(message);
            }
        }
        if !passed.is_empty() && !way.send(&passed, orders.delay()).await {
            return;
        }
    }
}

/// A type, a length that counts itself, and the rest.
fn next_message(waiting: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(waiting.get(1..5)?.try_into().ok()?) as usize + 1;
    (waiting.len() >= length).then(|| waiting.drain(..length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_out_of_the_stream_whole() {
        let mut stream = b"C\0\0\0\x0bCOMMIT\0Z\0\0\0\x05I2\0\0".to_vec();
        assert_eq!(next_message(&mut stream).unwrap(), b"C\0\0\0\x0bCOMMIT\0");
        assert_eq!(next_message(&mut stream).unwrap(), b"Z\0\0\0\x05I");
        assert_eq!((next_message(&mut stream), stream), (None, b"2\0\0".to_vec()));
    }
}
