//! What drives a round of the handle: each conversation submits its next append when it has heard of the one before.
//!
//! The driver stands for the conversations and is not part of what is measured. So it has a thread of its own, whose CPU time is
//! taken off the process's, but for what it takes to submit: that is the handle's. It looks for outcomes now and then, since to
//! wake it for each would be a lane's work.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use onya_actors::persistence::Standalone;
use onya_actors::ports::{Append, AppendOutcome, StoreError};
use tokio::time::{Duration, Instant};

use crate::round::{Round, Start, thread_cpu};
use crate::script::{Script, Talk};

/// Pause of the driver while no outcome is there. A full batch takes some forty times as long.
const PAUSE: Duration = Duration::from_micros(250);

/// Outcomes of appends, whose they were, and the time each took.
type Heard = Arc<Mutex<Vec<(usize, Result<AppendOutcome, StoreError>, Duration)>>>;

/// Submits the script, with one append of each conversation on its way. The entries are kept to the end of the round, as the
/// floor keeps them: a conversation does not let go of what it has just stored.
pub(crate) fn drive(lanes: &Standalone, talks: &mut [Talk], script: &Script) -> Result<Round> {
    let heard = Heard::default();
    let appends = script.iter().map(VecDeque::len).sum();
    let rows = script.iter().flatten().map(|step| step.rows()).sum();
    let mut latencies = Vec::with_capacity(appends);
    let mut waiting: Vec<_> = script.iter().map(VecDeque::iter).collect();
    let (start, began) = (Start::now(), thread_cpu());
    let mut submitting = Duration::ZERO;
    let mut ready: Vec<usize> = (0..talks.len()).collect();
    loop {
        let next = |number: usize| Some((number, talks[number].append(waiting[number].next()?)));
        let submitted = ready.drain(..).filter_map(next).collect();
        submitting += submit(lanes, submitted, &heard);
        if latencies.len() == appends {
            break;
        }
        let some = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        if some.is_empty() {
            std::thread::sleep(PAUSE);
        }
        for (number, outcome, took) in some {
            match outcome {
                Ok(AppendOutcome::Accepted(link)) => talks[number].link = link,
                other => bail!("an append was not stored: {other:?}"),
            }
            latencies.push(took);
            ready.push(number);
        }
    }
    let own = thread_cpu().saturating_sub(began).saturating_sub(submitting);
    Ok(start.end(Round { appends, rows, latencies, own, ..Round::default() }))
}

/// Hands the appends over; the CPU time that it took.
fn submit(lanes: &Standalone, appends: Vec<(usize, Append)>, heard: &Heard) -> Duration {
    let (submitted, began) = (Instant::now(), thread_cpu());
    for (number, append) in appends {
        let heard = Arc::clone(heard);
        lanes.append(append, move |outcome| {
            let heard_of = (number, outcome, submitted.elapsed());
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(heard_of);
        });
    }
    thread_cpu().saturating_sub(began)
}
