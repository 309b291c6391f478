//! A stream that remembers when bytes last passed, each way.
//!
//! Bytes and not messages: a message of megabytes takes a while on a slow network, and as long as it moves, both sides
//! live.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Instant};

/// When bytes last passed.
pub(super) struct Pulse {
    began: Instant,
    /// In ms since it began, like the other.
    read: AtomicU64,
    written: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Self { began: Instant::now(), read: AtomicU64::new(0), written: AtomicU64::new(0) }
    }

    /// When something was last read; at the beginning, if nothing was.
    pub(super) fn last_read(&self) -> Instant {
        self.began + Duration::from_millis(self.read.load(Ordering::Relaxed))
    }

    /// When something was last written.
    pub(super) fn last_written(&self) -> Instant {
        self.began + Duration::from_millis(self.written.load(Ordering::Relaxed))
    }

    fn note(&self, way: &AtomicU64) {
        let since = self.began.elapsed().as_millis();
        way.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// The stream.
pub(super) struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, pulse: Arc::new(Pulse::new()) }
    }

    pub(super) fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.pulse.note(&self.pulse.read);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let length = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.pulse.note(&self.pulse.written);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
