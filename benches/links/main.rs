//! What a small frame costs on its way from one node to another: both ends, their tasks, and the kernel's loopback.
//!
//! Three ways in the same run: a bare WebSocket with a message for each frame, a bare WebSocket with a message for each
//! batch, and a link. *In turn* sends a batch once the one before has been heard, so that each of its frames pays its share
//! of two wakes and two system calls; *at once* never waits. Figures are printed and never judged: docs/PERFORMANCE.md
//! says what was found.

mod bare;
mod link;
mod measure;
#[path = "../trusting/mod.rs"]
mod trusting;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use onya_core::ConversationId;
use onya_core::conversation::Role;
use onya_protocol::peer::{ToEdge, ToOwner};
use onya_protocol::{Delta, Typing};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bare::Encoding;
use crate::measure::{Pace, Round, median};

/// The server's allocator: the figures must not differ in what they are built from.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
/// Frames that are flushed together, and how many batches are sent in one round.
const BATCHES: [(usize, usize); 4] = [(1, 50_000), (8, 20_000), (64, 8_000), (512, 1_000)];

fn main() -> ExitCode {
    // `cargo test --benches` runs this too, to see that it works, and has no minutes to give.
    if !std::env::args().any(|argument| argument == "--bench") {
        say("links: measures only when run by `cargo bench`, or with --bench");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("links: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run() -> Result<()> {
    // On a worker and not on this thread: what a worker spawns it runs itself, without waking another thread.
    let mut work = JoinSet::new();
    work.spawn(compare());
    work.join_next().await.transpose()?.transpose()?;
    Ok(())
}

async fn compare() -> Result<()> {
    say("CPU of a frame, µs, user space and kernel, both ends; medians\n");
    say("| pace | frames a flush | direction | a message a frame | a message a batch | link |");
    say("|---|---|---|---|---|---|");
    for pace in [Pace::InTurn, Pace::AtOnce] {
        for (batch, batches) in BATCHES {
            let round = Round { pace, batch, frames: batch * batches };
            to_edge(round).await?;
            to_owner(round).await?;
        }
    }
    Ok(())
}

async fn to_edge(round: Round) -> Result<()> {
    let (mut single, mut array, mut link) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        single.push(bare::to_edge(round, Encoding::Frame, delta).await?);
        array.push(bare::to_edge(round, Encoding::Batch, delta).await?);
        link.push(link::to_edge(round, delta).await?);
    }
    row(round, "owner to edge", [single, array, link]);
    Ok(())
}

async fn to_owner(round: Round) -> Result<()> {
    let (mut single, mut array, mut link) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        single.push(bare::to_owner(round, Encoding::Frame, typing).await?);
        array.push(bare::to_owner(round, Encoding::Batch, typing).await?);
        link.push(link::to_owner(round, typing).await?);
    }
    row(round, "edge to owner", [single, array, link]);
    Ok(())
}

fn row(round: Round, direction: &str, ways: [Vec<f64>; 3]) {
    let [single, array, link] = ways.map(median);
    let pace = round.pace.as_str();
    say(&format!("| {pace} | {} | {direction} | {single:.2} | {array:.2} | {link:.2} |", round.batch));
}

/// A piece of a reply, as a model's token is.
fn delta(number: usize) -> ToEdge {
    let text = " customer's word, more".to_owned();
    let conversation = conversation();
    ToEdge::Delta(Delta { conversation, turn: 41, epoch: 3, attempt: 1, offset: number as u64, text })
}

/// The smallest frame that an edge sends.
fn typing(number: usize) -> ToOwner {
    let participant = onya_core::ParticipantId(Uuid::from_u128(number as u128));
    let conversation = conversation();
    ToOwner::Typing(Typing { conversation, participant, role: Role::Customer, name: None, active: true })
}

fn conversation() -> ConversationId {
    ConversationId(Uuid::from_u128(0x0190_0000_0000_7000_8000_1234_5678_9abc))
}

/// A line of a result, to standard output.
fn say(text: &str) {
    // There is nobody left to tell when it is closed.
    let _ = writeln!(std::io::stdout(), "{text}");
}
