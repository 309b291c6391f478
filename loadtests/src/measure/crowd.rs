//! Many sockets at once: opened at an even pace, held open, closed together.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::reply;
use crate::pace::Pace;
use crate::socket::Socket;
use crate::target::Target;
use crate::visitors::Guest;

/// How sockets are opened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Opening {
    /// Sockets per second.
    pub per_second: f64,
    /// Whether to say hello and wait until the conversation is there.
    pub hello: bool,
    /// Messages to say afterwards, each of which is answered before the next.
    pub says: usize,
}

/// Sockets that are held open, each by a task that answers pings.
pub(crate) struct Crowd {
    sockets: JoinSet<Result<()>>,
    end: CancellationToken,
}

/// Opens a socket for each guest and gives all of them, in any order.
pub(crate) async fn open(target: &Arc<Target>, guests: Vec<Guest>, opening: Opening) -> Result<Vec<Socket>> {
    let pace = Pace::new(Instant::now(), opening.per_second);
    let mut opens = JoinSet::new();
    let count = guests.len();
    for (index, guest) in guests.into_iter().enumerate() {
        let target = Arc::clone(target);
        opens.spawn(async move {
            pace.wait(index).await;
            greet(&target, &guest, index, opening).await
        });
    }
    let mut sockets = Vec::with_capacity(count);
    while let Some(opened) = opens.join_next().await {
        sockets.push(opened?.with_context(|| format!("after {} of {count} sockets", sockets.len()))?);
    }
    Ok(sockets)
}

async fn greet(target: &Target, guest: &Guest, index: usize, opening: Opening) -> Result<Socket> {
    let mut socket = Socket::open(target, guest, index).await?;
    if opening.hello && !target.bare {
        socket.hello().await?;
    }
    for _ in 0..opening.says {
        reply::ask(&mut socket, target.bare).await?;
    }
    Ok(socket)
}

impl Crowd {
    /// Opens a socket for each guest and holds all of them.
    pub(crate) async fn gather(target: &Arc<Target>, guests: Vec<Guest>, opening: Opening) -> Result<Self> {
        let pace = Pace::new(Instant::now(), opening.per_second);
        let (end, count) = (CancellationToken::new(), guests.len());
        let (opened, mut openings) = mpsc::unbounded_channel();
        let mut sockets = JoinSet::new();
        for (index, guest) in guests.into_iter().enumerate() {
            let (target, end, opened) = (Arc::clone(target), end.clone(), opened.clone());
            sockets.spawn(async move {
                pace.wait(index).await;
                let mut socket = Box::pin(greet(&target, &guest, index, opening)).await?;
                drop((target, guest));
                let _ = opened.send(());
                drop(opened);
                tokio::select! {
                    ended = socket.idle() => ended,
                    () = end.cancelled() => Box::pin(socket.close()).await,
                }
            });
        }
        drop(opened);
        for number in 0..count {
            tokio::select! {
                Some(()) = openings.recv() => {}
                ended = sockets.join_next() => match ended {
                    Some(Ok(Err(error))) => return Err(error.context(format!("after {number} of {count} sockets"))),
                    _ => bail!("a socket was lost after {number} of {count}"),
                },
            }
        }
        Ok(Self { sockets, end })
    }

    /// Closes all of them and waits until the server has answered each; fails if one was lost before.
    pub(crate) async fn leave(mut self) -> Result<()> {
        if let Some(ended) = self.sockets.try_join_next() {
            ended??;
            bail!("a socket was closed while it idled");
        }
        self.end.cancel();
        while let Some(closed) = self.sockets.join_next().await {
            closed??;
        }
        Ok(())
    }
}
