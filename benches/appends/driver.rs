//! What drives a round of the handle: each conversation submits its next append when it has heard of the one before.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use onya_actors::persistence::Standalone;
use onya_actors::ports::{Append, AppendOutcome, Link, StoreError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Duration, Instant};

use crate::round::{Round, Start};
use crate::script::{Script, Talk};

/// Where the appends go.
pub(crate) trait Taker {
    fn take(&self, append: Append, reply: Reply);

    /// No more will come.
    fn no_more(&self) {}
}

impl Taker for Standalone {
    fn take(&self, append: Append, reply: Reply) {
        self.append(append, move |outcome| reply.give(outcome));
    }
}

/// Stores nothing: what a round costs then is the bench's own part. It answers the oldest when as many wait as in a round of
/// the handle, since the memory of a conversation that has waited so long must be fetched again.
pub(crate) struct Nobody {
    waiting: Mutex<VecDeque<(Link, Reply)>>,
    most: usize,
}

impl Nobody {
    pub(crate) const fn new(most: usize) -> Self {
        Self { waiting: Mutex::new(VecDeque::new()), most }
    }

    fn answer(&self, waits: usize) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.len() > waits
            && let Some((link, reply)) = waiting.pop_front()
        {
            reply.give(Ok(AppendOutcome::Accepted(link)));
        }
    }
}

impl Taker for Nobody {
    fn take(&self, append: Append, reply: Reply) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back((append.previous, reply));
        self.answer(self.most.saturating_sub(1));
    }

    fn no_more(&self) {
        self.answer(0);
    }
}

/// Whom the outcome of an append goes to.
pub(crate) struct Reply {
    number: usize,
    submitted: Instant,
    sender: UnboundedSender<Heard>,
}

impl Reply {
    fn give(self, outcome: Result<AppendOutcome, StoreError>) {
        // It fails when the round has failed.
        let _ = self.sender.send((self.number, outcome, self.submitted.elapsed()));
    }
}

/// The outcome of an append, whose it was, and the time it took.
type Heard = (usize, Result<AppendOutcome, StoreError>, Duration);

/// Submits the script, with one append of each conversation on its way. The entries are kept to the end of the round, as the
/// floor keeps them: a conversation does not let go of what it has just stored.
pub(crate) async fn drive(taker: &impl Taker, talks: &mut [Talk], script: Script) -> Result<Round> {
    let (sender, mut heard) = unbounded_channel();
    let appends = script.iter().map(VecDeque::len).sum();
    let rows = script.iter().flatten().map(|step| step.rows()).sum();
    let mut latencies = Vec::with_capacity(appends);
    let mut waiting: Vec<_> = script.iter().map(VecDeque::iter).collect();
    let start = Start::now();
    for (number, steps) in waiting.iter_mut().enumerate() {
        if let Some(step) = steps.next() {
            submit(taker, talks[number].append(step), (number, &sender));
        }
    }
    let mut left = appends - talks.len().min(appends);
    if left == 0 {
        taker.no_more();
    }
    while latencies.len() < appends {
        let (number, outcome, took) = heard.recv().await.context("an append was not answered")?;
        match outcome {
            Ok(AppendOutcome::Accepted(link)) => talks[number].link = link,
            other => bail!("an append was not stored: {other:?}"),
        }
        latencies.push(took);
        if let Some(step) = waiting[number].next() {
            submit(taker, talks[number].append(step), (number, &sender));
            left -= 1;
            if left == 0 {
                taker.no_more();
            }
        }
    }
    Ok(start.end(Round { appends, rows, latencies, ..Round::default() }))
}

fn submit(taker: &impl Taker, append: Append, (number, sender): (usize, &UnboundedSender<Heard>)) {
    taker.take(append, Reply { number, submitted: Instant::now(), sender: sender.clone() });
}
