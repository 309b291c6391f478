//! What a page of history, an activation and a transcript cost, for a short conversation and a long one side by side: none
//! but the transcript may depend on the length.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures::StreamExt as _;
use onya_protocol::ServerFrame;
use reqwest::{Client, Method};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Clocks;
use super::ack::escalate;
use super::reply::retry;
use crate::figures::Figures;
use crate::gauge;
use crate::output::progress;
use crate::samples::Samples;
use crate::socket::{Socket, frame};
use crate::target::{Target, TargetArgs};
use crate::visitors::{self, Guest};

/// Messages under way while a conversation is made: as many as a server lets wait.
const UNDER_WAY: usize = 16;
/// Longest wait for a conversation to leave memory.
const PASSIVATION_LIMIT: Duration = Duration::from_mins(2);

/// Pages, activations and transcripts.
#[derive(Args, Clone, Debug)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Lengths of the conversations, in entries; each is made first, one message after the other
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100_000])]
    pub entries: Vec<u64>,
    /// Pages of each kind
    #[arg(long, default_value_t = 300)]
    pub pages: usize,
    /// Activations; each waits until the conversation has left memory (needs --metrics-url)
    #[arg(long, default_value_t = 20)]
    pub activations: usize,
}

/// A conversation of a known length.
struct Log {
    guest: Guest,
    /// The path of the conversation.
    path: String,
    entries: u64,
}

pub(crate) async fn run(args: HistoryArgs) -> Result<Figures> {
    let target = Arc::new(args.target.resolve().await?);
    ensure!(!target.bare, "a bare relay keeps no history");
    let client = Client::builder().tcp_nodelay(true).build()?;
    let mut figures = Figures::of("history");
    for entries in args.entries {
        progress(&format!("history: a conversation of {entries} entries"));
        let log = make(&client, &target, entries).await?;
        figures.add(&format!("entries_{entries}"), log.entries as f64, "");
        // As many entries in a page of the short one as in one of the long one.
        let middle = log.entries / 2;
        let kinds = [
            ("newest", "limit=5".to_owned()),
            ("before", format!("limit=5&before={}", middle + 1)),
            ("after", format!("limit=5&after={middle}")),
        ];
        for (kind, query) in kinds {
            pages(&client, &target, (&log, &query), (&mut figures, kind, args.pages)).await?;
        }
        activations(&client, &target, &log, (&mut figures, args.activations)).await?;
        transcript(&client, &target, &log, &mut figures).await?;
    }
    Ok(figures)
}

/// Says so many things in a conversation that waits for a person.
async fn make(client: &Client, target: &Target, entries: u64) -> Result<Log> {
    let guest = visitors::one(client, target).await?;
    let mut socket = Socket::open(target, &guest, 0).await?;
    socket.hello().await?;
    escalate(&mut socket).await?;
    let (mut position, mut sent, mut under_way) = (2, 2, 0);
    while position < entries {
        while under_way < UNDER_WAY && sent < entries {
            sent += 1;
            under_way += 1;
            socket.send(say(&sent.to_string())).await?;
        }
        match frame(&socket.expect().await?)? {
            ServerFrame::Ack(ack) => {
                position = position.max(ack.seq);
                under_way -= 1;
            }
            ServerFrame::Refused(refusal) => {
                sleep(Duration::from_millis(retry(&refusal)?)).await;
                let name = refusal.client_msg_id.context("a refusal without its message")?;
                socket.send(say(name.as_str())).await?;
            }
            _ => {}
        }
    }
    socket.close().await?;
    let path = guest.path.trim_end_matches("/socket").to_owned();
    Ok(Log { guest, path, entries: position })
}

fn say(name: &str) -> String {
    let text = "Is anybody there? I would like to know where my parcel is.";
    json!({"type": "say", "client_msg_id": name, "text": text}).to_string()
}

async fn pages(
    client: &Client,
    target: &Target,
    (log, query): (&Log, &str),
    (figures, kind, count): (&mut Figures, &str, usize),
) -> Result<()> {
    let path = format!("{}/entries?{query}", log.path);
    // The first one opens the connection.
    get(client, target, log, &path).await?.bytes().await?;
    let before = Clocks::read(target.process.as_ref())?;
    let mut times = Samples::default();
    for _ in 0..count {
        let began = Instant::now();
        let page = get(client, target, log, &path).await?.bytes().await?;
        times.add(ns(began.elapsed()));
        ensure!(page.len() > 100, "a page without entries");
    }
    let name = format!("page_{kind}_of_{}", log.entries);
    Clocks::read(target.process.as_ref())?.report(&before, (figures, &name), count);
    figures.add_times(&name, times);
    Ok(())
}

/// Time of a command that finds the conversation in the store and not in memory.
async fn activations(
    client: &Client,
    target: &Target,
    log: &Log,
    (figures, count): (&mut Figures, usize),
) -> Result<()> {
    let Some(metrics) = &target.metrics_url else { return Ok(()) };
    let mut times = Samples::default();
    for number in 0..count {
        gauge::until(metrics, gauge::LIVE_CONVERSATIONS, |live| live < 0.5, PASSIVATION_LIMIT).await?;
        let began = Instant::now();
        let request = client.request(Method::POST, target.url.join(&format!("{}/ratings", log.path))?);
        let request = request.header("idempotency-key", format!("rating-{number}")).json(&json!({"score": "up"}));
        let answer = request.bearer_auth(log.guest.token.as_deref().unwrap_or_default()).send().await?;
        answer.error_for_status()?.bytes().await?;
        times.add(ns(began.elapsed()));
    }
    figures.add_times(&format!("activation_of_{}", log.entries), times);
    Ok(())
}

async fn transcript(client: &Client, target: &Target, log: &Log, figures: &mut Figures) -> Result<()> {
    let memory = || target.process.as_ref().map(|process| process.memory()).transpose();
    let (before, began) = (memory()?, Instant::now());
    let mut body = get(client, target, log, &format!("{}/transcript?format=html", log.path)).await?.bytes_stream();
    let (mut bytes, mut peak) = (0, before);
    while let Some(piece) = body.next().await {
        let earlier = bytes;
        bytes += piece?.len();
        if bytes / (1 << 20) > earlier / (1 << 20) {
            peak = memory()?.filter(|now| peak.is_some_and(|peak| now.rss > peak.rss)).or(peak);
        }
    }
    figures.add(&format!("transcript_of_{}", log.entries), began.elapsed().as_secs_f64(), "s");
    figures.add(&format!("transcript_of_{}_size", log.entries), bytes as f64 / f64::from(1 << 20), "MiB");
    if let (Some(before), Some(peak)) = (before, peak) {
        let grown = (peak.rss - before.rss) as f64 / f64::from(1 << 20);
        figures.add(&format!("transcript_of_{}_memory", log.entries), grown, "MiB");
    }
    Ok(())
}

async fn get(client: &Client, target: &Target, log: &Log, path: &str) -> Result<reqwest::Response> {
    let request = client.request(Method::GET, target.url.join(path)?);
    let answer = request.bearer_auth(log.guest.token.as_deref().unwrap_or_default()).send().await?;
    Ok(answer.error_for_status()?)
}

fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
