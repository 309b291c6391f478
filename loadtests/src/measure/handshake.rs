//! CPU time of a handshake, a hello and a close, each by itself: all sockets do one thing before any does the next.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Clocks;
use super::crowd::{self, Opening};
use crate::figures::Figures;
use crate::output::progress;
use crate::pace::Pace;
use crate::process::Process;
use crate::socket::Socket;
use crate::target::{Target, TargetArgs};
use crate::{limits, memory, visitors};

/// What is still done when the last answer has come belongs to the operation, and is done by then.
const SETTLE: Duration = Duration::from_millis(300);
/// Sockets of the first crowd, which is not counted.
const WARM_UP: usize = 100;

/// CPU time of a handshake.
#[derive(Args, Clone, Debug)]
pub(crate) struct HandshakeArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub shape: HandshakeShape,
}

/// How many handshakes, and how fast. All sockets are open before the first says hello: give the server a
/// socket.hello_timeout_ms that is longer than connections / rate.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct HandshakeShape {
    /// Sockets
    #[arg(long, default_value_t = 5000)]
    pub connections: usize,
    /// Sockets opened per second. By default more than any machine can: at a gentle pace, most of the CPU time is that of
    /// threads that go to sleep and are woken again, the server's and the relay's alike
    #[arg(long, default_value_t = 20_000.0)]
    pub rate: f64,
}

pub(crate) async fn run(args: HandshakeArgs) -> Result<Figures> {
    measure(Arc::new(args.target.resolve().await?), args.shape).await
}

/// Measures a target.
pub(crate) async fn measure(target: Arc<Target>, shape: HandshakeShape) -> Result<Figures> {
    limits::require(shape.connections)?;
    let process = target.watched()?.clone();
    progress(&format!("handshake: {} customers", shape.connections + WARM_UP));
    let mut guests = visitors::make(&target, shape.connections + WARM_UP).await?;
    let mut opening = Opening { per_second: shape.rate, hello: true, says: 0 };
    let warm_up = guests.split_off(shape.connections);
    close(crowd::open(&target, warm_up, opening).await?, shape).await?;
    opening.hello = false;
    let mut phases = Phases { figures: Figures::of("handshake"), process, count: shape.connections };
    progress("handshake: accept to 101");
    let sockets = phases.measure("handshake", crowd::open(&target, guests, opening)).await?;
    let sockets = if target.bare {
        sockets
    } else {
        progress("handshake: hello to synced");
        phases.measure("hello", hello(sockets, shape)).await?
    };
    progress("handshake: close");
    phases.measure("close", close(sockets, shape)).await?;
    Ok(phases.figures)
}

struct Phases {
    figures: Figures,
    process: Process,
    count: usize,
}

impl Phases {
    async fn measure<T>(&mut self, operation: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        memory::have_at_hand().await?;
        sleep(SETTLE).await;
        let before = Clocks::read(Some(&self.process))?;
        let done = work.await?;
        sleep(SETTLE).await;
        let after = Clocks::read(Some(&self.process))?;
        after.report(&before, (&mut self.figures, operation), self.count);
        Ok(done)
    }
}

async fn hello(sockets: Vec<Socket>, shape: HandshakeShape) -> Result<Vec<Socket>> {
    each(sockets, shape, |mut socket: Socket| async move {
        socket.hello().await?;
        Ok(Some(socket))
    })
    .await
}

async fn close(sockets: Vec<Socket>, shape: HandshakeShape) -> Result<()> {
    each(sockets, shape, |socket: Socket| async move { socket.close().await.map(|()| None) }).await.map(drop)
}

/// Does something to each socket at an even pace, and keeps those that remain.
async fn each<F, R>(sockets: Vec<Socket>, shape: HandshakeShape, work: F) -> Result<Vec<Socket>>
where
    F: Fn(Socket) -> R + Copy + Send + 'static,
    R: Future<Output = Result<Option<Socket>>> + Send + 'static,
{
    let pace = Pace::new(Instant::now(), shape.rate);
    let mut works = JoinSet::new();
    for (index, socket) in sockets.into_iter().enumerate() {
        works.spawn(async move {
            pace.wait(index).await;
            Box::pin(work(socket)).await
        });
    }
    let mut kept = Vec::new();
    while let Some(done) = works.join_next().await {
        kept.extend(done??);
    }
    Ok(kept)
}
