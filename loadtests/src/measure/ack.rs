//! Time from a message to its durable acknowledgement, at a rate that the server has no say in.
//!
//! Message `n` is due at a fixed moment, and its time counts from that moment: a server that stalls is not asked less often,
//! and its stall is in every time that it touched. Conversations are first handed to the queue, so that messages are
//! measured and not the model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use onya_protocol::ServerFrame;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Clocks;
use super::commit;
use super::crowd::{self, Opening};
use super::reply::retry;
use crate::figures::Figures;
use crate::output::progress;
use crate::pace::Pace;
use crate::samples::Samples;
use crate::socket::{PATIENCE, Socket, frame};
use crate::target::{Target, TargetArgs};
use crate::{limits, visitors};

/// Before the first message that counts, at the same rate.
const WARM_UP: Duration = Duration::from_secs(2);

/// Time to a durable acknowledgement.
#[derive(Args, Clone, Debug)]
pub(crate) struct AckArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub shape: AckShape,
    /// The server's Postgres: one bare commit is measured there too, before and after
    #[arg(long, value_name = "URL")]
    pub commit_probe: Option<String>,
}

/// How many messages.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct AckShape {
    /// Messages per second, over all conversations
    #[arg(long, default_value_t = 1000.0)]
    pub rate: f64,
    /// Length of the measurement, in s
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Conversations that they are said in, in turn
    #[arg(long, default_value_t = 200)]
    pub connections: usize,
}

/// Which messages one socket sends: `first`, and every `step`-th after it, below `end`.
#[derive(Clone, Copy)]
struct Share {
    first: usize,
    step: usize,
    end: usize,
    /// The first that counts.
    counted: usize,
    pace: Pace,
}

/// What one socket measured.
#[derive(Default)]
struct Harvest {
    acks: Samples,
    /// How late messages were sent, which is this client's doing.
    late: Samples,
    /// Messages that the server could not take at once. Their time counts from when they were first due.
    again: usize,
}

pub(crate) async fn run(args: AckArgs) -> Result<Figures> {
    measure(Arc::new(args.target.resolve().await?), args.shape, args.commit_probe).await
}

/// Measures a target.
pub(crate) async fn measure(target: Arc<Target>, shape: AckShape, probe: Option<String>) -> Result<Figures> {
    ensure!(!target.bare, "a bare relay stores nothing and acknowledges nothing");
    limits::require(shape.connections)?;
    progress(&format!("ack: {} conversations in the queue", shape.connections));
    let guests = visitors::make(&target, shape.connections).await?;
    let opening = Opening { per_second: 200.0, hello: true, says: 0 };
    let mut sockets = crowd::open(&target, guests, opening).await?;
    for socket in &mut sockets {
        escalate(socket).await?;
    }
    let mut bare = commit::Probe::measure(probe.as_deref()).await?;
    let warm_up = (WARM_UP.as_secs_f64() * shape.rate) as usize;
    let end = warm_up + (shape.seconds as f64 * shape.rate) as usize;
    let pace = Pace::new(Instant::now(), shape.rate);
    let mut works = JoinSet::new();
    for (first, socket) in sockets.into_iter().enumerate() {
        works.spawn(talk(socket, Share { first, step: shape.connections, end, counted: warm_up, pace }));
    }
    progress(&format!("ack: measuring for {} s", shape.seconds));
    pace.wait(warm_up).await;
    let before = Clocks::read(target.process.as_ref())?;
    pace.wait(end).await;
    let after = Clocks::read(target.process.as_ref())?;
    let mut figures = Figures::of("ack");
    let mut all = Harvest::default();
    while let Some(done) = works.join_next().await {
        let harvest = done??;
        all.acks.merge(harvest.acks);
        all.late.merge(harvest.late);
        all.again += harvest.again;
    }
    bare.merge(commit::Probe::measure(probe.as_deref()).await?);
    figures.add("messages", all.acks.len() as f64, "");
    after.report(&before, (&mut figures, "message"), end - warm_up);
    summarise(&mut figures, all, bare);
    Ok(figures)
}

fn summarise(figures: &mut Figures, all: Harvest, bare: commit::Probe) {
    let acks = all.acks.summary();
    figures.add("ack_p50", acks.p50_ms, "ms");
    figures.add("ack_p99", acks.p99_ms, "ms");
    figures.add("ack_max", acks.max_ms, "ms");
    if let Some(commit_ms) = bare.median_ms() {
        figures.add("bare_commit_p50", commit_ms, "ms");
        figures.add("ack_p50_over_commit", acks.p50_ms - commit_ms, "ms");
        figures.add("ack_p99_over_commit", acks.p99_ms - commit_ms, "ms");
    }
    figures.add("messages_sent_again", all.again as f64, "");
    figures.add_times("client_late", all.late);
}

/// Hands the conversation to the queue.
pub(super) async fn escalate(socket: &mut Socket) -> Result<()> {
    socket.send(json!({"type": "escalate", "client_msg_id": "load-escalate"}).to_string()).await?;
    loop {
        match frame(&socket.expect().await?)? {
            ServerFrame::Ack(_) => return Ok(()),
            ServerFrame::Refused(refusal) => bail!("not escalated: {} ({:?})", refusal.message, refusal.code),
            _ => {}
        }
    }
}

/// Sends what is due, whether or not what came before is acknowledged, until all of it is.
async fn talk(mut socket: Socket, share: Share) -> Result<Harvest> {
    let (mut harvest, mut waiting) = (Harvest::default(), HashMap::new());
    let mut next = share.first;
    while next < share.end || !waiting.is_empty() {
        let due = if next < share.end { share.pace.at(next) } else { Instant::now() + PATIENCE };
        tokio::select! {
            () = tokio::time::sleep_until(due) => {
                ensure!(next < share.end, "{} messages were not acknowledged within 30 s", waiting.len());
                if next >= share.counted {
                    harvest.late.add_duration(due.elapsed());
                }
                socket.send(say(&next.to_string())).await?;
                waiting.insert(next.to_string(), (next, due));
                next += share.step;
            }
            text = socket.next() => match frame(&text?.context("the server closed the socket")?)? {
                ServerFrame::Ack(ack) => {
                    let name = ack.client_msg_id.to_string();
                    let (number, due) = waiting.remove(&name).with_context(|| format!("{name} was acknowledged twice"))?;
                    if number >= share.counted {
                        harvest.acks.add_duration(due.elapsed());
                    }
                }
                ServerFrame::Refused(refusal) => {
                    sleep(Duration::from_millis(retry(&refusal)?)).await;
                    let name = refusal.client_msg_id.context("a refusal without its message")?.to_string();
                    harvest.again += 1;
                    socket.send(say(&name)).await?;
                }
                _ => {}
            },
        }
    }
    Ok(harvest)
}

fn say(name: &str) -> String {
    json!({"type": "say", "client_msg_id": name, "text": "Is anybody there?"}).to_string()
}
