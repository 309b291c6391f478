//! Being told to stop, and stopping in order.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::Running;

/// Longest wait for sockets to close after they were told, and for requests to be answered.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they do not end the process by themselves.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be listened to");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Resolves when the process is told to stop.
    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("told to stop by SIGTERM"),
            _ = self.interrupt.recv() => tracing::info!("told to stop by SIGINT"),
        }
    }

    /// Does this, unless the process is told to stop first.
    pub(super) async fn unless_told<T>(&mut self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            outcome = work => outcome,
            () = self.told() => bail!("told to stop before it was ready"),
        }
    }
}

/// Brings everything to its end, in the reverse order of the start. The port stays open until replies have finished, so
/// that `/health/ready` can say no and clients are told to come back; new work is refused from the first moment on.
pub(super) async fn drain(running: &Running, signals: &mut Signals) {
    running.edge.ready.set(false);
    let drained = tokio::select! {
        () = in_order(running) => true,
        () = signals.told() => false,
    };
    if drained {
        tracing::info!("stopped");
    } else {
        tracing::warn!("told to stop twice: what was in progress is finished at the next start");
    }
}

async fn in_order(running: &Running) {
    running.sessions.drain().await;
    if let Some(cluster) = &running.cluster {
        cluster.leave().await;
    }
    running.edge.sockets.end();
    if timeout(CLOSE_LIMIT, running.edge.sockets.finished()).await.is_err() {
        tracing::warn!("some sockets did not close in time");
    }
    running.stop.cancel();
    if timeout(CLOSE_LIMIT, running.servers.wait()).await.is_err() {
        tracing::warn!("some requests were not answered in time");
    }
    if let Some(anchors) = &running.anchors {
        anchors.finish().await;
    }
    running.log.close().await;
}
