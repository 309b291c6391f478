//! A network that breaks: passes bytes on, and cuts each connection after a random number of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Stands between clients and a node.
pub struct Cutter {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Cutter {
    /// Cuts the first `cuts` connections, each after at most `max_bytes` of what the server sends, then no more.
    pub async fn start(server: SocketAddr, (cuts, max_bytes): (usize, u64), seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counted = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&counted);
        let task = tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed);
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let cut = counter.load(Ordering::Relaxed) < cuts;
                let bytes = if cut { random.random_range(1..max_bytes) } else { u64::MAX };
                let counter = Arc::clone(&counter);
                tokio::spawn(async move {
                    pass(client, server, bytes).await;
                    counter.fetch_add(usize::from(cut), Ordering::Relaxed);
                });
            }
        });
        Self { address, cuts: counted, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, bytes: u64) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let mut from_server = from_server.take(bytes);
    // Whichever side ends first, the other one hears no more.
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}
