//! How many WebSockets are open, and the end of them all; how many of those that find no place are told so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Sockets that are open only to be told that there is no place, at once. Each takes as long as its client to say goodbye.
const REFUSED_AT_ONCE: usize = 256;

/// The open sockets: a bound, their tasks, and a way to end those that nothing else ends.
#[derive(Clone, Debug)]
pub struct Sockets {
    open: Arc<AtomicUsize>,
    max: usize,
    refused: Arc<AtomicUsize>,
    tasks: TaskTracker,
    ending: CancellationToken,
}

/// A socket's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    open: Arc<AtomicUsize>,
    _tracked: TaskTrackerToken,
}

impl Sockets {
    /// At most so many at once.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let (tasks, ending) = (TaskTracker::new(), CancellationToken::new());
        Self { open: Arc::default(), max, refused: Arc::default(), tasks, ending }
    }

    /// A place for one more, if there is one.
    pub(super) fn take_place(&self) -> Option<Place> {
        self.take(&self.open, self.max)
    }

    /// A place for one that is only told that there is none, if not too many are.
    pub(super) fn take_refusal(&self) -> Option<Place> {
        self.take(&self.refused, REFUSED_AT_ONCE)
    }

    fn take(&self, open: &Arc<AtomicUsize>, max: usize) -> Option<Place> {
        let taken = open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < max).then_some(open + 1));
        taken.ok().map(|_| Place { open: Arc::clone(open), _tracked: self.tasks.token() })
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Runs a socket. [`Sockets::finished`] waits for it.
    pub(super) fn run(&self, socket: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(socket);
    }

    /// Resolves when sockets should close on their own.
    pub(super) fn ending(&self) -> CancellationToken {
        self.ending.clone()
    }

    /// Tells sockets that were not told otherwise to close.
    pub fn end(&self) {
        self.ending.cancel();
        self.tasks.close();
    }

    /// Resolves when the last socket is closed, once [`Sockets::end`] was called.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_socket_is_gone() {
        let sockets = Sockets::new(2);
        let first = sockets.take_place().unwrap();
        let _second = sockets.take_place().unwrap();
        assert!(sockets.take_place().is_none());
        drop(first);
        assert!(sockets.take_place().is_some());
    }

    #[test]
    fn those_who_are_told_that_there_is_no_place_take_none_and_are_bounded_as_well() {
        let sockets = Sockets::new(1);
        let told: Vec<_> = std::iter::from_fn(|| sockets.take_refusal()).collect();
        assert_eq!((told.len(), sockets.open()), (REFUSED_AT_ONCE, 0));
        assert!(sockets.take_place().is_some());
        drop(told);
        assert!(sockets.take_refusal().is_some());
    }
}
