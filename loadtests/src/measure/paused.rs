//! What becomes of messages, and of the server's memory, while its Postgres stands still.
//!
//! Customers go on talking at a fixed rate. A message that is refused as `busy` or `unknown` is sent again under its name,
//! one of a conversation at a time. In the end each must be acknowledged: at once, later, or as found by its retry.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use onya_protocol::{ErrorCode, ServerFrame};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::ack::escalate;
use super::churn::slope;
use super::crowd::{self, Opening};
use crate::figures::Figures;
use crate::freeze::Frozen;
use crate::output::progress;
use crate::pace::Pace;
use crate::socket::{Socket, frame};
use crate::target::{Target, TargetArgs};
use crate::{limits, visitors};

/// Before Postgres stands still, and after it.
const WARM_UP: Duration = Duration::from_secs(5);
/// How often the server's memory is read.
const GLANCE: Duration = Duration::from_secs(2);
/// Part of the pause after which memory should not grow any more: what may wait waits by then.
const FILLED: f64 = 0.2;
/// Share of its memory that a server may grow by over the rest and count as flat.
const FLAT: f64 = 0.03;
/// Pause before a message is sent again.
const RETRY: Duration = Duration::from_millis(500);
/// Longest wait for everything to be acknowledged afterwards.
const PATIENCE: Duration = Duration::from_mins(10);

/// Memory and messages while Postgres stands still.
#[derive(Args, Clone, Debug)]
pub(crate) struct PausedArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// The main process of the server's Postgres on this machine; it and its children are stopped and woken again
    #[arg(long, value_name = "PID")]
    pub postgres_pid: u32,
    /// Length of the pause, in s
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Messages per second, over all conversations
    #[arg(long, default_value_t = 1000.0)]
    pub rate: f64,
    /// Conversations that they are said in, in turn
    #[arg(long, default_value_t = 200)]
    pub connections: usize,
    /// Length of a message, in bytes
    #[arg(long, default_value_t = 1000)]
    pub bytes: usize,
}

/// What was heard of a message.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    busy: bool,
    unknown: bool,
    acked: bool,
    /// The acknowledgement said that it had been stored before.
    repeated: bool,
}

/// Which messages one socket sends: `first`, and every `step`-th after it, below `end`.
#[derive(Clone, Copy)]
struct Share {
    first: usize,
    step: usize,
    end: usize,
    bytes: usize,
    pace: Pace,
}

pub(crate) async fn run(args: PausedArgs) -> Result<Figures> {
    let target = Arc::new(args.target.clone().resolve().await?);
    ensure!(!target.bare, "a bare relay stores nothing");
    limits::require(args.connections)?;
    target.watched()?;
    let guests = visitors::make(&target, args.connections).await?;
    let opening = Opening { per_second: 200.0, hello: true, says: 0 };
    let mut sockets = crowd::open(&target, guests, opening).await?;
    for socket in &mut sockets {
        escalate(socket).await?;
    }
    let pause = Duration::from_secs(args.seconds);
    let end = ((2 * WARM_UP + pause).as_secs_f64() * args.rate) as usize;
    let start = Instant::now();
    let pace = Pace::new(start, args.rate);
    let mut works = JoinSet::new();
    for (first, socket) in sockets.into_iter().enumerate() {
        works.spawn(talk(socket, Share { first, step: args.connections, end, bytes: args.bytes, pace }));
    }
    let readings = freeze(&target, &args, (start + WARM_UP, pause)).await?;
    let woken = Instant::now();
    let mut fates = Vec::new();
    let all = async {
        while let Some(done) = works.join_next().await {
            fates.extend(done??);
        }
        anyhow::Ok(())
    };
    let in_time = timeout(PATIENCE, all).await;
    let mut figures = Figures::of("paused");
    match in_time {
        Err(_) => figures.problems.push(format!("messages were without an end {} s later", PATIENCE.as_secs())),
        Ok(outcome) => outcome?,
    }
    figures.add("all_acknowledged_after", woken.elapsed().as_secs_f64(), "s");
    count(&mut figures, &fates, end);
    summarise(&mut figures, &readings);
    Ok(figures)
}

/// Stops Postgres for a while, and reads the server's memory meanwhile: before, and while it stands still.
async fn freeze(target: &Target, args: &PausedArgs, (at, pause): (Instant, Duration)) -> Result<Vec<(f64, f64)>> {
    sleep_until(at).await;
    let mib = || -> Result<f64> { Ok(target.watched()?.memory()?.rss as f64 / 1024.0 / 1024.0) };
    let mut readings = vec![(0.0, mib()?)];
    let frozen = Frozen::stop(args.postgres_pid)?;
    while at.elapsed() < pause {
        sleep_until(at + GLANCE * u32::try_from(readings.len())?).await;
        let reading = (at.elapsed().as_secs_f64(), mib()?);
        progress(&format!("paused: {:>4.0} s  {:.2} MiB", reading.0, reading.1));
        readings.push(reading);
    }
    drop(frozen);
    Ok(readings)
}

/// Sends what is due, and again what was refused, until all of it is acknowledged.
async fn talk(mut socket: Socket, share: Share) -> Result<Vec<Fate>> {
    let (mut fates, mut again) = (BTreeMap::<usize, Fate>::new(), VecDeque::new());
    let (mut next, mut open, mut retry_at) = (share.first, 0_usize, Instant::now());
    while next < share.end || open > 0 {
        let due = if next < share.end { share.pace.at(next) } else { Instant::now() + PATIENCE };
        let retry = if again.is_empty() { due } else { retry_at };
        tokio::select! {
            () = sleep_until(due.min(retry)) => {
                if retry < due && let Some(number) = again.pop_front() {
                    socket.send(say(number, share.bytes)).await?;
                    retry_at = Instant::now() + RETRY;
                } else if next < share.end {
                    socket.send(say(next, share.bytes)).await?;
                    fates.insert(next, Fate::default());
                    (next, open) = (next + share.step, open + 1);
                }
            }
            text = socket.next() => match frame(&text?.context("the server closed the socket")?)? {
                ServerFrame::Ack(ack) => {
                    let fate = fates.get_mut(&ack.client_msg_id.as_str().parse()?).context("an ack for nothing")?;
                    ensure!(!fate.acked, "{} was acknowledged twice", ack.client_msg_id);
                    (fate.acked, fate.repeated, open, retry_at) = (true, ack.repeated, open - 1, Instant::now());
                }
                ServerFrame::Refused(refusal) => {
                    let number = refusal.client_msg_id.context("a refusal without its message")?.as_str().parse()?;
                    let fate = fates.get_mut(&number).context("a refusal of nothing")?;
                    ensure!(refusal.code.is_retryable(), "refused: {}", refusal.message);
                    fate.busy |= refusal.code == ErrorCode::Busy;
                    fate.unknown |= refusal.code == ErrorCode::Unknown;
                    again.push_back(number);
                    retry_at = retry_at.max(Instant::now() + RETRY);
                }
                _ => {}
            },
        }
    }
    Ok(fates.into_values().collect())
}

fn say(number: usize, bytes: usize) -> String {
    json!({"type": "say", "client_msg_id": number.to_string(), "text": "x".repeat(bytes)}).to_string()
}

fn count(figures: &mut Figures, fates: &[Fate], sent: usize) {
    let of = |is_so: fn(&Fate) -> bool| fates.iter().filter(|fate| is_so(fate)).count() as f64;
    figures.add("messages", sent as f64, "");
    figures.add("acknowledged", of(|fate| fate.acked), "");
    figures.add("never_refused", of(|fate| !fate.busy && !fate.unknown), "");
    figures.add("told_busy", of(|fate| fate.busy), "");
    figures.add("told_unknown", of(|fate| fate.unknown), "");
    figures.add("unknown_and_found_by_retry", of(|fate| fate.unknown && fate.repeated), "");
    figures.add("unknown_and_stored_by_retry", of(|fate| fate.unknown && fate.acked && !fate.repeated), "");
    if fates.iter().filter(|fate| fate.acked).count() != sent {
        figures.problems.push("messages were not acknowledged".to_owned());
    }
}

fn summarise(figures: &mut Figures, readings: &[(f64, f64)]) {
    let (Some(before), Some(last)) = (readings.first(), readings.last()) else { return };
    let full: Vec<_> = readings.iter().copied().filter(|(at, _)| *at > last.0 * FILLED).collect();
    let most = readings.iter().map(|(_, mib)| *mib).fold(0.0, f64::max);
    figures.add("rss_before", before.1, "MiB");
    figures.add("rss_most", most, "MiB");
    figures.add("rss_last", last.1, "MiB");
    let growth = full.first().map_or(0.0, |first| slope(&full) * (last.0 - first.0) / first.1);
    figures.add("rss_growth_once_filled", growth * 100.0, "%");
    figures.add("flat", f64::from(u8::from(growth <= FLAT)), "");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_fills_and_stays_is_flat_and_memory_that_goes_on_growing_is_not() {
        let flat = |mib: fn(f64) -> f64| {
            let readings: Vec<_> = (0..=30).map(|n| f64::from(n) * 2.0).map(|at| (at, mib(at))).collect();
            let mut figures = Figures::of("paused");
            summarise(&mut figures, &readings);
            figures.get("flat")
        };
        assert_eq!(flat(|at| 50.0 + at.min(10.0)), Some(1.0));
        assert_eq!(flat(|at| 50.0 + at), Some(0.0));
    }

    #[test]
    fn a_message_without_an_end_is_wrong() {
        let mut figures = Figures::of("paused");
        count(&mut figures, &[Fate { acked: true, ..Fate::default() }, Fate::default()], 2);
        assert_eq!((figures.get("acknowledged"), figures.problems.len()), (Some(1.0), 1));
    }
}
