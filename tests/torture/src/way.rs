//! One direction of a line: what is sent arrives in its order, and later if it is told to.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Pieces that may be on their way at a time. What comes then waits at its sender, and is one piece in the end.
const ON_THE_WAY: usize = 16;

/// The near end.
pub(crate) struct Way {
    pieces: mpsc::Sender<(Instant, Vec<u8>)>,
}

impl Way {
    /// Sends a piece, which arrives after so long; whether the far end is still there.
    pub(crate) async fn send(&self, piece: &[u8], delay: Duration) -> bool {
        self.pieces.send((Instant::now() + delay, piece.to_vec())).await.is_ok()
    }
}

/// Carries what is sent to the far end, until its sender has ended and all of it has arrived, or the far end is gone.
pub(crate) async fn carry<Sends: Future<Output = ()>>(mut to: OwnedWriteHalf, sends: impl FnOnce(Way) -> Sends) {
    let (pieces, mut on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let sends = sends(Way { pieces });
    let arrives = async {
        while let Some((due, piece)) = on_the_way.recv().await {
            // A timer has whole milliseconds: what is due need not wait for the next one.
            if due > Instant::now() {
                sleep_until(due).await;
            }
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = arrives => {}
        () = async { sends.await; std::future::pending().await } => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn what_is_sent_arrives_in_its_order_and_all_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let began = Instant::now();
        let delay = Duration::from_millis(200);
        let sends = async |way: Way| {
            assert!(way.send(b"slow, ", delay).await);
            assert!(way.send(b"then fast", Duration::ZERO).await);
        };
        carry(near.into_split().1, sends).await;
        let mut arrived = String::new();
        far.read_to_string(&mut arrived).await.unwrap();
        assert_eq!(arrived, "slow, then fast");
        assert!(began.elapsed() >= delay);
    }
}
