//! Memory of a socket on which nothing happens.
//!
//! What a process allocates once must not be counted a socket's: a first, small crowd comes and goes, then the server's
//! memory is read, then the measured crowd comes, asks and is answered. It is read again when the server has taken the
//! conversations out of its memory (`conversation.passivate_after_ms`), or while it holds all of them when their actors are
//! to be counted too (`--messages`).

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::time::sleep;

use super::crowd::Opening;
use super::hall::Hall;
use crate::figures::Figures;
use crate::gauge::{LIVE_CONVERSATIONS, until};
use crate::limits;
use crate::output::progress;
use crate::process::{Memory, kernel_bytes};
use crate::target::{Target, TargetArgs};
use crate::visitors::{self, Guest};

/// Longest wait for the server to take conversations out of its memory.
const PASSIVATION: Duration = Duration::from_mins(5);

/// Memory of an idle socket.
#[derive(Args, Clone, Debug)]
pub(crate) struct IdleArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub shape: IdleShape,
}

/// How many sockets idle, and in what state.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct IdleShape {
    /// Sockets
    #[arg(long, default_value_t = 5000)]
    pub connections: usize,
    /// Messages in each conversation, half of them replies. With any, the conversations' actors are to stay: give the
    /// server a long conversation.passivate_after_ms. With 0, each customer asks once and the actors are to leave: give it
    /// a short one
    #[arg(long, default_value_t = 0)]
    pub messages: usize,
    /// Sockets opened per second
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// Sockets of the first crowd, which is not counted
    #[arg(long, default_value_t = 100)]
    pub warm_up: usize,
    /// Wait before memory is read, in ms: allocators give it back a moment after it was freed
    #[arg(long, default_value_t = 4000)]
    pub settle_ms: u64,
    /// Most sockets of one client process; beyond it, further processes are started
    #[arg(long, default_value_t = 15_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub per_process: u32,
}

pub(crate) async fn run(args: IdleArgs) -> Result<Figures> {
    let target = Arc::new(args.target.resolve().await?);
    let found = target.watched()?.memory()?;
    let guests = guests(&target, args.shape).await?;
    measure(target, args.shape, (found, guests)).await
}

/// Customers for the measurement, those of the first crowd included.
pub(crate) async fn guests(target: &Target, shape: IdleShape) -> Result<Vec<Guest>> {
    limits::require(shape.connections.min(shape.per_process as usize))?;
    progress(&format!("idle: {} customers", shape.connections + shape.warm_up));
    visitors::make(target, shape.connections + shape.warm_up).await
}

/// Measures a target whose memory was `found` at first.
pub(crate) async fn measure(
    target: Arc<Target>,
    shape: IdleShape,
    (found, mut guests): (Memory, Vec<Guest>),
) -> Result<Figures> {
    let opening = Opening { per_second: shape.rate, hello: true, says: shape.messages.div_ceil(2).max(1) };
    let warm_up = guests.split_off(shape.connections.min(guests.len()));
    progress(&format!("idle: a first crowd of {}", warm_up.len()));
    Hall::gather(&target, (warm_up, shape.per_process), opening).await?.leave().await?;
    settle(&target, shape, 0).await?;
    let (before, kernel_before) = (target.watched()?.memory()?, kernel_bytes());
    progress(&format!("idle: {} sockets", shape.connections));
    let hall = Hall::gather(&target, (guests, shape.per_process), opening).await?;
    settle(&target, shape, shape.connections).await?;
    let (after, kernel_after) = (target.watched()?.memory()?, kernel_bytes());
    let mut figures = Figures::of(if shape.messages == 0 { "idle" } else { "idle with a live actor" });
    figures.add("sockets", shape.connections as f64, "");
    let kib_each = |later: u64, earlier: u64| (later as f64 - earlier as f64) / 1024.0 / shape.connections as f64;
    figures.add("rss_per_socket", kib_each(after.rss, before.rss), "KiB");
    figures.add("pss_per_socket", kib_each(after.pss, before.pss), "KiB");
    figures.add("anonymous_per_socket", kib_each(after.anonymous, before.anonymous), "KiB");
    figures.add("rss_per_socket_since_found", kib_each(after.rss, found.rss), "KiB");
    for (key, memory) in [("rss_found", found), ("rss_before", before), ("rss_after", after)] {
        figures.add(key, memory.rss as f64 / 1024.0 / 1024.0, "MiB");
    }
    if let (Some(before), Some(after)) = (kernel_before, kernel_after) {
        figures.add("kernel_per_socket_both_ends", kib_each(after, before), "KiB");
    }
    if let Err(error) = hall.leave().await {
        figures.problems.push(format!("{error:#}"));
    }
    Ok(figures)
}

/// Waits until the server is as idle as it is meant to be: without any conversation in memory, or with those of a crowd
/// of this size.
async fn settle(target: &Target, shape: IdleShape, crowd: usize) -> Result<()> {
    if let Some(metrics) = target.metrics_url.as_ref() {
        let reached = |live: f64| if shape.messages == 0 { live == 0.0 } else { live >= crowd as f64 };
        progress("idle: until the conversations in memory are those that are meant to be");
        until(metrics, LIVE_CONVERSATIONS, reached, PASSIVATION).await?;
    }
    sleep(Duration::from_millis(shape.settle_ms)).await;
    Ok(())
}
