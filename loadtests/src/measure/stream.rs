//! Replies streamed to many sockets: the whole path from the model's stream to the customers'.
//!
//! Each socket asks again as soon as it has its reply, so that the given number of streams is always under way. The first
//! questions are spread evenly over the length of a reply: real customers do not ask in unison. CPU time and times are
//! those of a window that opens when every stream has run once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::crowd::{self, Opening};
use super::reply::Reply;
use super::{Clocks, seconds};
use crate::clock::monotonic_ns;
use crate::figures::Figures;
use crate::output::progress;
use crate::samples::Samples;
use crate::socket::Socket;
use crate::target::{Target, TargetArgs};
use crate::upstream::ScriptArgs;
use crate::upstream::script::Expected;
use crate::{limits, visitors};

/// Replies streamed to many sockets.
#[derive(Args, Clone, Debug)]
pub(crate) struct StreamArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub shape: StreamShape,
}

/// How much is streamed. The server must use `loadtest upstream` with the same script, and allow as many replies at once.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct StreamShape {
    /// Streams under way at once
    #[arg(long, default_value_t = 1000)]
    pub streams: usize,
    /// Length of the measured window, in s
    #[arg(long, default_value_t = 15)]
    pub seconds: u64,
    #[command(flatten)]
    pub script: ScriptArgs,
}

/// What all streams share.
struct Run {
    bare: bool,
    expected: Expected,
    tokens: AtomicUsize,
    frames: AtomicUsize,
    stop: AtomicBool,
}

/// The replies of one socket, without their texts.
#[derive(Default)]
struct Harvest {
    replies: Vec<Reply>,
    wrong: Vec<String>,
}

pub(crate) async fn run(args: StreamArgs) -> Result<Figures> {
    measure(Arc::new(args.target.resolve().await?), args.shape).await
}

/// Measures a target.
pub(crate) async fn measure(target: Arc<Target>, shape: StreamShape) -> Result<Figures> {
    limits::require(shape.streams)?;
    progress(&format!("stream: {} sockets", shape.streams));
    let guests = visitors::make(&target, shape.streams).await?;
    let opening = Opening { per_second: 500.0, hello: true, says: 0 };
    let sockets = crowd::open(&target, guests, opening).await?;
    let run = Arc::new(Run {
        bare: target.bare,
        expected: Expected::new(shape.script.tokens),
        tokens: AtomicUsize::new(0),
        frames: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    });
    let length = length(shape.script);
    let start = Instant::now();
    let mut streams = JoinSet::new();
    for (index, socket) in sockets.into_iter().enumerate() {
        let first = start + length.mul_f64(index as f64 / shape.streams as f64);
        streams.spawn(converse(socket, first, Arc::clone(&run)));
    }
    progress(&format!("stream: first replies, {}", seconds(length * 2)));
    sleep_until(start + length * 2).await;
    let mut figures = Figures::of("stream");
    let window = watch(&target, &run, (&mut figures, shape.seconds)).await?;
    run.stop.store(true, Relaxed);
    let harvests: Vec<Harvest> = streams.join_all().await;
    summarise(&mut figures, harvests, (window, shape.script));
    Ok(figures)
}

/// How long one reply takes at least.
fn length(script: ScriptArgs) -> Duration {
    let gaps = f64::from(script.tokens - 1) / script.tokens_per_second;
    Duration::from_millis(script.first_token_ms) + Duration::from_secs_f64(gaps)
}

/// Measures CPU time over the window, and gives when it began and ended.
async fn watch(target: &Target, run: &Run, (figures, seconds): (&mut Figures, u64)) -> Result<(u64, u64)> {
    progress(&format!("stream: measuring for {seconds} s"));
    let count = |run: &Run| (run.tokens.load(Relaxed), run.frames.load(Relaxed));
    let (from_ns, from, before) = (monotonic_ns(), count(run), Clocks::read(target.process.as_ref())?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (to_ns, to, after) = (monotonic_ns(), count(run), Clocks::read(target.process.as_ref())?);
    let (tokens, frames) = (to.0 - from.0, to.1 - from.1);
    after.report(&before, (figures, "token"), tokens);
    figures.add("tokens_per_second", tokens as f64 * 1e9 / (to_ns - from_ns) as f64, "");
    figures.add("frames_per_token", frames as f64 / tokens.max(1) as f64, "");
    Ok((from_ns, to_ns))
}

/// One customer, who asks until told to stop.
async fn converse(mut socket: Socket, first: Instant, run: Arc<Run>) -> Harvest {
    let mut harvest = Harvest::default();
    sleep_until(first).await;
    while !run.stop.load(Relaxed) {
        match one(&mut socket, &run).await {
            Ok(reply) => harvest.replies.push(reply),
            Err(error) => {
                harvest.wrong.push(format!("{error:#}"));
                return harvest;
            }
        }
    }
    harvest
}

/// One question and its reply, checked against the script.
async fn one(socket: &mut Socket, run: &Run) -> Result<Reply> {
    let mut reply = Reply::say(socket, "load").await?;
    let mut tokens = 0;
    while !reply.is_whole(run.bare) {
        let frames = reply.frames;
        reply.hear(socket).await?;
        let whole = run.expected.tokens_in(reply.whole().len(), tokens);
        run.tokens.fetch_add(whole - tokens, Relaxed);
        tokens = whole;
        run.frames.fetch_add(reply.frames - frames, Relaxed);
    }
    reply.check()?;
    ensure!(run.expected.is(reply.whole()), "a reply that is not the script's: {:?}", reply.whole());
    Ok(reply)
}

/// Times of the replies that were asked for and came within the window, and everything that was wrong at any time.
fn summarise(figures: &mut Figures, harvests: Vec<Harvest>, ((from_ns, to_ns), script): ((u64, u64), ScriptArgs)) {
    let streamed = length(script) - Duration::from_millis(script.first_token_ms);
    let mut times: [Samples; 4] = Default::default();
    let (mut complete, mut cut_short, mut again) = (0, 0, 0);
    for harvest in harvests {
        complete += harvest.replies.len();
        cut_short += harvest.replies.iter().filter(|reply| reply.is_cut_short()).count();
        again += harvest.replies.iter().map(|reply| reply.again).sum::<usize>();
        figures.problems.extend(harvest.wrong);
        let measured = |reply: &&Reply| reply.said_ns >= from_ns && reply.first_ns <= to_ns;
        for reply in harvest.replies.iter().filter(measured) {
            let Some(stamp) = reply.stamp() else { continue };
            let commit = if reply.acked_ns == 0 { 0 } else { since(reply.acked_ns, reply.said_ns) };
            let upstream = since(stamp.sent_ns, stamp.received_ns);
            times[0].add(since(reply.first_ns, reply.said_ns) - commit - upstream);
            times[1].add(since(reply.first_ns, stamp.sent_ns));
            times[2].add(commit);
            times[3].add(since(reply.ended_ns, stamp.sent_ns) - i64::try_from(streamed.as_nanos()).unwrap_or(i64::MAX));
        }
    }
    figures.add("replies_measured", times[0].len() as f64, "");
    let [excess, pass, commit, end] = times;
    figures.add_times("first_token_over_upstream_less_commit", excess);
    figures.add_times("first_token_from_upstream_to_client", pass);
    figures.add_times("message_commit", commit);
    figures.add_times("end_after_last_token", end);
    figures.add("replies_complete", complete as f64, "");
    figures.add("replies_whose_last_text_came_with_the_commit", cut_short as f64, "");
    figures.add("messages_sent_again", again as f64, "");
    let wrong = figures.problems.len();
    figures.problems.truncate(5);
    figures.add("streams_wrong", wrong as f64, "");
}

fn since(later_ns: u64, earlier_ns: u64) -> i64 {
    later_ns.cast_signed() - earlier_ns.cast_signed()
}
