//! A line between two programs that can be cut, be slow, or pass nothing on, in both directions or in one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::way::{Way, carry};

/// What becomes of what comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It is passed on.
    #[default]
    Open,
    /// It is passed on after so long.
    Slow(Duration),
    /// Connections are cut, and new ones at once.
    Cut,
    /// Connections are cut, and new ones when they are so old.
    Brief(Duration),
    /// Nothing is passed on, in neither direction.
    Silent,
    /// What the one who was called says is not passed on; what the caller says is.
    Mute,
}

impl State {
    fn delay(self) -> Duration {
        if let Self::Slow(delay) = self { delay } else { Duration::ZERO }
    }
}

/// A line. It ends when this is dropped.
pub(crate) struct Line {
    address: SocketAddr,
    target: Arc<AtomicU16>,
    state: Arc<watch::Sender<State>>,
    _tasks: JoinSet<()>,
}

impl Line {
    /// A line to a port of this machine.
    pub(crate) async fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (target, state) = (Arc::new(AtomicU16::new(port)), Arc::new(watch::Sender::default()));
        let mut tasks = JoinSet::new();
        let (to, shared) = (Arc::clone(&target), Arc::clone(&state));
        tasks.spawn(async move {
            let mut calls = JoinSet::new();
            while let Ok((caller, _)) = listener.accept().await {
                calls.spawn(call(caller, to.load(Ordering::Relaxed), shared.subscribe()));
                while calls.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, target, state, _tasks: tasks })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    /// New connections go to this port.
    pub(crate) fn lead_to(&self, port: u16) {
        self.target.store(port, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, state: State) {
        self.state.send_replace(state);
    }

    /// The same, with what opens it again.
    pub(crate) fn set_until_let_go(&self, state: State) -> impl FnOnce() + Send + use<> {
        self.set(state);
        let line = Arc::clone(&self.state);
        move || {
            line.send_replace(State::Open);
        }
    }
}

async fn call(caller: TcpStream, port: u16, state: watch::Receiver<State>) {
    let (mut cut, brief) = (state.clone(), state.clone());
    let passes = async {
        let Ok(called) = TcpStream::connect(("127.0.0.1", port)).await else { return };
        // Small packets are what this line is made of; without the option they only wait longer.
        let _ = (caller.set_nodelay(true), called.set_nodelay(true));
        let (from_caller, to_caller) = caller.into_split();
        let (from_called, to_called) = called.into_split();
        // Whichever side ends first, the other one hears no more.
        tokio::select! {
            () = carry(to_called, |way| pass(from_caller, way, state.clone(), |state| state != State::Silent)) => {}
            () = carry(to_caller, |way| {
                pass(from_called, way, state.clone(), |state| !matches!(state, State::Silent | State::Mute))
            }) => {}
        }
    };
    tokio::select! {
        () = passes => {}
        _ = cut.wait_for(|state| *state == State::Cut) => {}
        () = ends_soon(brief) => {}
    }
}

/// Until the connection is old enough for a line that cuts them.
async fn ends_soon(mut state: watch::Receiver<State>) {
    loop {
        // A line that is gone takes its connections with it.
        let Ok(is_brief) = state.wait_for(|state| matches!(state, State::Brief(_))).await.map(|state| *state) else {
            return;
        };
        let State::Brief(age) = is_brief else { continue };
        sleep(age).await;
        if *state.borrow() == is_brief {
            return;
        }
    }
}

async fn pass(mut from: OwnedReadHalf, way: Way, mut state: watch::Receiver<State>, passes: impl Fn(State) -> bool) {
    let mut chunk = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let Ok(delay) = state.wait_for(|state| passes(*state)).await.map(|state| state.delay()) else { return };
        if !way.send(&chunk[..read], delay).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_line_that_flaps_ends_each_connection_and_an_open_one_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Line::start(listener.local_addr().unwrap().port()).await.unwrap();
        let open = line.set_until_let_go(State::Brief(Duration::from_millis(20)));
        for _ in 0..3 {
            let mut caller = TcpStream::connect(("127.0.0.1", line.port())).await.unwrap();
            let _called = listener.accept().await.unwrap();
            assert_eq!(caller.read(&mut [0]).await.unwrap_or_default(), 0, "it has ended");
        }
        open();
        let mut caller = TcpStream::connect(("127.0.0.1", line.port())).await.unwrap();
        let (mut called, _) = listener.accept().await.unwrap();
        // Another line flaps still: what is younger than this connection has ended.
        let flaps = Line::start(listener.local_addr().unwrap().port()).await.unwrap();
        flaps.set(State::Brief(Duration::from_millis(20)));
        for _ in 0..3 {
            let mut younger = TcpStream::connect(("127.0.0.1", flaps.port())).await.unwrap();
            assert_eq!(younger.read(&mut [0]).await.unwrap_or_default(), 0, "it has ended");
            caller.write_all(b"still").await.unwrap();
            called.read_exact(&mut [0; 5]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_mute_line_passes_one_direction_on_and_a_cut_one_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Line::start(listener.local_addr().unwrap().port()).await.unwrap();
        let mut caller = TcpStream::connect(("127.0.0.1", line.port())).await.unwrap();
        let (mut called, _) = listener.accept().await.unwrap();
        let mut heard = [0; 1];
        line.set(State::Mute);
        caller.write_all(b"a").await.unwrap();
        called.read_exact(&mut heard).await.unwrap();
        called.write_all(b"b").await.unwrap();
        line.set(State::Open);
        caller.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, *b"b");
        line.set(State::Cut);
        assert_eq!(caller.read(&mut heard).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_slow_line_is_slow_in_both_directions() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Line::start(listener.local_addr().unwrap().port()).await.unwrap();
        let mut caller = TcpStream::connect(("127.0.0.1", line.port())).await.unwrap();
        let (mut called, _) = listener.accept().await.unwrap();
        let (began, delay) = (Instant::now(), Duration::from_millis(200));
        let mut heard = [0; 1];
        line.set(State::Slow(delay));
        caller.write_all(b"a").await.unwrap();
        called.read_exact(&mut heard).await.unwrap();
        called.write_all(b"b").await.unwrap();
        caller.read_exact(&mut heard).await.unwrap();
        assert!(began.elapsed() >= 2 * delay);
    }
}
