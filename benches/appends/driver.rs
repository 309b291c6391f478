//! What drives a round of the handle: each conversation submits its next append when it has heard of the one before.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, bail};
use onya_actors::persistence::Standalone;
use onya_actors::ports::{Append, AppendOutcome, StoreError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Duration, Instant};

use crate::round::{Round, Start};
use crate::script::{Script, Talk};

/// Where the appends go.
pub(crate) trait Taker {
    fn take(&self, append: Append, reply: impl FnOnce(Result<AppendOutcome, StoreError>) + Send + 'static);
}

impl Taker for Standalone {
    fn take(&self, append: Append, reply: impl FnOnce(Result<AppendOutcome, StoreError>) + Send + 'static) {
        self.append(append, reply);
    }
}

/// Stores nothing and answers at once: what a round costs then is the bench's own part.
pub(crate) struct Nobody;

impl Taker for Nobody {
    fn take(&self, append: Append, reply: impl FnOnce(Result<AppendOutcome, StoreError>) + Send + 'static) {
        reply(Ok(AppendOutcome::Accepted(append.previous)));
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
    while latencies.len() < appends {
        let (number, outcome, took) = heard.recv().await.context("an append was not answered")?;
        match outcome {
            Ok(AppendOutcome::Accepted(link)) => talks[number].link = link,
            other => bail!("an append was not stored: {other:?}"),
        }
        latencies.push(took);
        if let Some(step) = waiting[number].next() {
            submit(taker, talks[number].append(step), (number, &sender));
        }
    }
    Ok(start.end(Round { appends, rows, latencies, ..Round::default() }))
}

fn submit(taker: &impl Taker, append: Append, (number, sender): (usize, &UnboundedSender<Heard>)) {
    let (sender, submitted) = (sender.clone(), Instant::now());
    taker.take(append, move |outcome| {
        // It fails when the round has failed.
        let _ = sender.send((number, outcome, submitted.elapsed()));
    });
}
