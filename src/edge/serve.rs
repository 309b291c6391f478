//! From a listening socket to answered requests.
//!
//! hyper is driven directly because axum's own `serve` sets no time limit for the header of a request, and a few
//! thousand clients that send one byte a minute would then hold as many connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::telemetry::names::ACCEPTS_DELAYED_TOTAL;

/// The largest header of a request, in bytes: a token has 4 KiB at most.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// How long to wait when the process has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound port that nobody is served on yet.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    /// The address, with the port that was really taken.
    pub address: SocketAddr,
}

impl Listening {
    /// Takes the port.
    ///
    /// # Errors
    /// When it is taken already, or the address is not of this machine.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }
}

/// Limits of a connection.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Time for the whole header of a request, in ms.
    pub header_timeout_ms: u64,
    /// Connections that are taken in a second; what comes faster waits with the kernel, and then outside. `None`: all.
    pub accepts_per_second: Option<u32>,
}

/// The time in which no connection came that may be made up for: so much of a second's connections is taken at once.
const MADE_UP_FOR: Duration = Duration::from_millis(100);

/// Paces what is taken. When a server is gone, all its clients come to the others in the same second; taken one after the
/// other, each is served in its turn, while those who are there already go on.
struct Pace {
    every: Duration,
    /// When the next one may be taken.
    due: Instant,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        Self { every: Duration::from_secs(1) / per_second.max(1), due: Instant::now() }
    }

    /// Resolves when one more may be taken.
    async fn turn(&mut self) {
        let now = Instant::now();
        if self.due > now {
            metrics::counter!(ACCEPTS_DELAYED_TOTAL).increment(1);
            sleep_until(self.due).await;
        }
        self.due = self.due.max(now.checked_sub(MADE_UP_FOR).unwrap_or(now)) + self.every;
    }
}

/// Serves until told to stop; then requests that have begun are answered, and no more are taken.
pub async fn serve(listening: Listening, router: Router, limits: ServeLimits, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.header_timeout_ms))
        .max_buf_size(MAX_HEADER_BYTES);
    let connections = TaskTracker::new();
    let mut pace = limits.accepts_per_second.map(Pace::new);
    loop {
        let next = async {
            if let Some(pace) = &mut pace {
                pace.turn().await;
            }
            listening.listener.accept().await
        };
        let stream = tokio::select! {
            accepted = next => accepted,
            () = stop.cancelled() => break,
        };
        match stream {
            Ok((stream, _)) => {
                connections.spawn(connection(http.clone(), stream, router.clone(), stop.clone()));
            }
            Err(error) => accept_failed(&error).await,
        }
    }
    drop(listening);
    connections.close();
    connections.wait().await;
}

async fn connection(http: http1::Builder, stream: TcpStream, router: Router, stop: CancellationToken) {
    // Without it a small frame waits for the acknowledgement of the one before: up to 40 ms a piece of a reply.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = TowerToHyperService::new(router);
    // Boxed: what is spawned is copied several times on its way to the heap.
    let mut serving = Box::pin(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A client that left before it was accepted is none of our business; everything else is a shortage, and passes.
async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "no connection can be accepted");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_at_once_is_taken_in_its_turn_and_a_pause_is_made_up_for_in_part() {
        let began = Instant::now();
        let mut pace = Pace::new(100);
        for _ in 0..100 {
            pace.turn().await;
        }
        assert_eq!(began.elapsed(), Duration::from_millis(990));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let after_pause = Instant::now();
        for _ in 0..11 {
            pace.turn().await;
        }
        assert_eq!(after_pause.elapsed(), Duration::ZERO);
        pace.turn().await;
        assert_eq!(after_pause.elapsed(), Duration::from_millis(10));
    }
}
