//! What drives a round of the handle: each conversation submits its next append when it has heard of the one before.
//!
//! The driver stands for the conversations and is not part of what is measured. So it has a thread of its own, whose CPU time is
//! taken off the process's, but for what it takes to submit: that is the handle's. It looks for outcomes now and then, since to
//! wake it for each would be a lane's work.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use onya_actors::persistence::{OnOutcome, Standalone};
use onya_actors::ports::{Append, AppendOutcome, StoreError};
use tokio::time::{Duration, Instant};

use crate::round::{Round, Start, thread_cpu};
use crate::script::{Script, Talk};

/// Pause of the driver while no outcome is there. A full batch takes some ten times as long.
const PAUSE: Duration = Duration::from_millis(1);

/// Outcomes of appends, and whose they were.
type Heard = Arc<Mutex<Vec<(usize, Result<AppendOutcome, StoreError>)>>>;

/// Submits the script, with one append of each conversation on its way. The entries are kept to the end of the round, as the
/// floor keeps them: a conversation does not let go of what it has just stored.
pub(crate) fn drive(lanes: &Standalone, talks: &mut [Talk], script: &Script) -> Result<Round> {
    let heard = Heard::default();
    let on_outcome: Vec<_> = (0..talks.len()).map(|number| listener(number, &heard)).collect();
    let appends = script.iter().map(VecDeque::len).sum();
    let rows = script.iter().flatten().map(|step| step.rows()).sum();
    let mut latencies = Vec::with_capacity(appends);
    let mut waiting: Vec<_> = script.iter().map(VecDeque::iter).collect();
    let (start, began) = (Start::now(), thread_cpu());
    let mut submitting = Duration::ZERO;
    let mut submitted = vec![Instant::now(); talks.len()];
    let mut ready: Vec<usize> = (0..talks.len()).collect();
    loop {
        let now = Instant::now();
        ready.iter().for_each(|number| submitted[*number] = now);
        let next = |number: usize| Some((talks[number].append(waiting[number].next()?), &on_outcome[number]));
        submitting += submit(lanes, ready.drain(..).filter_map(next).collect());
        if latencies.len() == appends {
            break;
        }
        let some = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        if some.is_empty() {
            std::thread::sleep(PAUSE);
        }
        let now = Instant::now();
        for (number, outcome) in some {
            match outcome {
                Ok(AppendOutcome::Accepted(link)) => talks[number].link = link,
                other => bail!("an append was not stored: {other:?}"),
            }
            latencies.push(now - submitted[number]);
            ready.push(number);
        }
    }
    let own = thread_cpu().saturating_sub(began).saturating_sub(submitting);
    Ok(start.end(Round { appends, rows, latencies, own, ..Round::default() }))
}

/// What a conversation is told its outcomes by.
fn listener(number: usize, heard: &Heard) -> OnOutcome {
    let heard = Arc::clone(heard);
    OnOutcome::new(move |outcome| heard.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome)))
}

/// Hands the appends over; the CPU time that it took.
fn submit(lanes: &Standalone, appends: Vec<(Append, &OnOutcome)>) -> Duration {
    let began = thread_cpu();
    appends.into_iter().for_each(|(append, on_outcome)| lanes.append(append, on_outcome.clone()));
    thread_cpu().saturating_sub(began)
}
