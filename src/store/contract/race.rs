//! Claims that race with appends: what an owner was told is stored stays, once, in its place, and whoever claims has
//! read all of it.
//!
//! Each conversation has a writer that appends as fast as it can, and a claimer. A claim begins a new writer and tells
//! the old one nothing: it writes on until it is refused, as an owner does that is believed dead. Now and then a writer
//! sends an old command again. [`Findings`] is what became of it; the tests of Postgres hold the same race with faulty
//! statements and expect findings.
//!
//! A race ends after so many claims; with `RACE_SECONDS` set it goes on for that long and prints what it did:
//! `RACE_SECONDS=20 ./tests/run exec cargo test -p onya --lib race -- --nocapture --test-threads=1`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use onya_actors::ports::{Append, AppendOutcome, Claim, EventLog, StoreError};
use onya_core::conversation::{Entry, Event};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Backend;
use super::appending::repeat;
use super::fixture::{Node, TAIL, Talk};
use crate::store::audit::Anchors;
use crate::store::audit::verify::verify;

const CONVERSATIONS: usize = 8;
const CLAIMS: usize = 20;
/// Appends that are accepted of a new writer before the next claim.
const APPENDS_BEFORE_CLAIM: usize = 3;
/// One in so many appends is an old command.
const REPEAT_EVERY: usize = 2;
/// Longest batch.
const BATCH: usize = 64;

pub(super) async fn takeovers_during_appends_lose_nothing_and_double_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let findings = race(&node).await;
    assert!(findings.fenced > 0 && findings.repeated > 0, "nothing raced: {findings:?}");
    assert!(findings.is_clean(), "{findings:?}");
    let report = verify(&mut *backend.source().await, &Anchors::default()).await.unwrap();
    assert!(report.is_intact(), "{:?}", report.broken);
    assert_eq!(report.checked.entries as usize, findings.rows);
}

/// What a race came to.
#[derive(Debug, Default)]
pub(in crate::store) struct Findings {
    claims: usize,
    rows: usize,
    fenced: usize,
    repeated: usize,
    /// Rows that an earlier owner was told are stored, and a claim has not read.
    pub(in crate::store) missed: usize,
    /// Commands that stand in a log more than once.
    pub(in crate::store) doubled: usize,
    /// Positions up to the newest that no entry has.
    pub(in crate::store) gaps: usize,
    /// Rows that an owner was told are stored, and that are not, or others.
    pub(in crate::store) lost: usize,
}

impl Findings {
    pub(in crate::store) const fn is_clean(&self) -> bool {
        self.missed + self.doubled + self.gaps + self.lost == 0
    }
}

/// Lets writers and claimers contend for some conversations, then holds the logs against what was said about them.
pub(in crate::store) async fn race(node: &Node) -> Findings {
    let seconds = std::env::var("RACE_SECONDS").ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let until = seconds.map(|seconds| Instant::now() + seconds);
    // Two owners never share a connection: writers take turns between two.
    let mut tasks = JoinSet::new();
    let lanes = [Lane::start(&mut tasks, &node.log), Lane::start(&mut tasks, &node.log)];
    let contests = (0..CONVERSATIONS).map(|_| contest(node, &lanes, until));
    let mut findings = Findings::default();
    for contest in futures::future::join_all(contests).await {
        judge(node, &contest, &mut findings).await;
    }
    if until.is_some() {
        println!("{findings:?}");
    }
    findings
}

/// One conversation's story.
struct Contest {
    talk: Talk,
    /// Epoch and newest position of each claim.
    claims: Vec<(u64, u64)>,
    /// What owners were told is stored, with the epoch they had.
    acknowledged: Vec<(u64, Entry)>,
    fenced: usize,
    repeated: usize,
}

async fn contest(node: &Node, lanes: &[Lane; 2], until: Option<Instant>) -> Contest {
    let talk = node.talk().await;
    let (stop, stopped) = watch::channel(false);
    let mut contest =
        Contest { talk: talk.clone(), claims: Vec::new(), acknowledged: Vec::new(), fenced: 0, repeated: 0 };
    let (mut writers, mut newest) = (JoinSet::new(), talk);
    for number in 0.. {
        let (progress, mut accepted) = watch::channel(0);
        let writer = Writer { talk: newest, lane: lanes[number % 2].clone(), number, acknowledged: Vec::new() };
        writers.spawn(writer.run(progress, stopped.clone()));
        // An error says that the writer was refused before.
        let _ = accepted.wait_for(|accepted| *accepted >= APPENDS_BEFORE_CLAIM).await;
        if until.map_or(number >= CLAIMS, |until| Instant::now() >= until) {
            break;
        }
        let Some(claimed) = claim(node, &contest.talk).await else { break };
        newest = claimed;
        contest.claims.push((newest.fence.epoch, newest.state.seq));
    }
    stop.send_replace(true);
    while let Some(written) = writers.join_next().await {
        let (acknowledged, (fenced, repeated)) = written.unwrap();
        contest.acknowledged.extend(acknowledged);
        contest.fenced += fenced;
        contest.repeated += repeated;
    }
    contest
}

/// Claims; what is in the way goes away. `None` if the log has a hole.
async fn claim(node: &Node, talk: &Talk) -> Option<Talk> {
    loop {
        match node.log.claim(talk.id(), TAIL).await {
            Ok(Claim::Owned(owned)) => {
                let (fence, state, link) = (owned.fence, owned.state, owned.link);
                return Some(Talk { log: Arc::clone(&node.log), fence, state, link });
            }
            Err(StoreError::Corrupt(_)) => return None,
            Err(StoreError::Unavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// An owner that writes until it is refused.
struct Writer {
    talk: Talk,
    lane: Lane,
    number: usize,
    acknowledged: Vec<(u64, Entry)>,
}

impl Writer {
    async fn run(
        mut self,
        progress: watch::Sender<usize>,
        stopped: watch::Receiver<bool>,
    ) -> (Vec<(u64, Entry)>, (usize, usize)) {
        let (mut first, mut repeated) = (None, 0);
        for number in 0.. {
            let id = format!("w{}n{number}", self.number);
            let append = match &first {
                Some(first) if number % REPEAT_EVERY == 0 => repeat(&self.talk, first),
                _ => self.talk.say(&id, &id),
            };
            match self.lane.store(append.clone()).await {
                AppendOutcome::Accepted(link) => {
                    self.talk.apply(&append, link);
                    let epoch = self.talk.fence.epoch;
                    self.acknowledged.extend(append.entries.iter().map(|entry| (epoch, entry.clone())));
                    first = first.or(Some(append));
                    progress.send_modify(|accepted| *accepted += 1);
                }
                AppendOutcome::Repeated(_) => repeated += 1,
                AppendOutcome::Locked => {}
                // With a faulty statement two owners may collide in the unique keys.
                AppendOutcome::Fenced | AppendOutcome::Poisoned => return (self.acknowledged, (1, repeated)),
                AppendOutcome::OnHold => panic!("nobody is on hold"),
            }
            if *stopped.borrow() {
                break;
            }
        }
        (self.acknowledged, (0, repeated))
    }
}

/// Stores what has gathered while the batch before was on its way.
#[derive(Clone)]
struct Lane(mpsc::Sender<(Append, oneshot::Sender<AppendOutcome>)>);

impl Lane {
    fn start(tasks: &mut JoinSet<()>, log: &Arc<dyn EventLog>) -> Self {
        let (sender, mut waiting) = mpsc::channel(BATCH);
        let log = Arc::clone(log);
        tasks.spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, BATCH).await > 0 {
                let (appends, replies): (Vec<Append>, Vec<oneshot::Sender<_>>) = batch.drain(..).unzip();
                let outcomes = log.append(&appends).await.unwrap();
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    reply.send(outcome).unwrap();
                }
            }
        });
        Self(sender)
    }

    async fn store(&self, append: Append) -> AppendOutcome {
        let (reply, outcome) = oneshot::channel();
        self.0.send((append, reply)).await.unwrap();
        outcome.await.unwrap()
    }
}

/// Holds a log against what was said about it.
async fn judge(node: &Node, contest: &Contest, findings: &mut Findings) {
    let stored: BTreeMap<u64, Entry> =
        node.entries(contest.talk.id()).await.into_iter().map(|entry| (entry.seq, entry)).collect();
    let last_seq = node.log.summary(contest.talk.id()).await.unwrap().unwrap().last_seq;
    findings.claims += contest.claims.len();
    findings.rows += stored.len();
    findings.fenced += contest.fenced;
    findings.repeated += contest.repeated;
    findings.gaps += (1..=last_seq).filter(|seq| !stored.contains_key(seq)).count();
    findings.gaps += stored.range(last_seq + 1..).count();
    findings.lost += contest.acknowledged.iter().filter(|(_, entry)| stored.get(&entry.seq) != Some(entry)).count();
    for (epoch, seq) in &contest.claims {
        let earlier = contest.acknowledged.iter().filter(|(held, entry)| held < epoch && entry.seq > *seq);
        findings.missed += earlier.count();
    }
    let mut said = BTreeSet::new();
    for entry in stored.values() {
        if let Event::MessageSaid { text, .. } = &entry.event {
            findings.doubled += usize::from(!said.insert(text));
        }
    }
}
