//! A round of the floor: the raw statement over a few connections, one batch after the other on each.

use std::collections::{HashMap, VecDeque};

use anyhow::Result;
use onya::store::Settings;
use onya::store::postgres::floor::{Batch, Lane};
use onya_actors::persistence::lane_of;
use onya_actors::ports::{Append, Link};
use onya_core::ConversationId;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::round::{Round, Start};
use crate::script::{Script, Talk};

/// When events become rows: JSON, salts and hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Making {
    /// Before the round: what is measured is the statement.
    Before,
    /// In the round, as in a server.
    Within,
}

/// Where the chain of each conversation ends.
type Links = HashMap<ConversationId, Link>;

/// The connections, kept from round to round.
pub(crate) struct Floor(Vec<Lane>);

/// What one connection has to do.
struct Work {
    lane: Lane,
    batches: Vec<(Vec<Append>, Option<Batch>)>,
    links: Links,
}

impl Floor {
    pub(crate) async fn connect(settings: &Settings, lanes: usize) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..lanes {
            connections.push(Lane::connect(settings).await?);
        }
        Ok(Self(connections))
    }

    /// Stores the script in batches of at most so many rows.
    pub(crate) async fn round(
        &mut self,
        talks: &mut [Talk],
        mut script: Script,
        (max_rows, making): (usize, Making),
    ) -> Result<Round> {
        let lanes = self.0.len();
        let mut works = Vec::new();
        for (number, lane) in self.0.drain(..).enumerate() {
            let links = talks.iter().filter(|talk| lane_of(talk.id, lanes) == number).map(|talk| (talk.id, talk.link));
            let links = links.collect();
            let batches = divide(talks, &mut script, (number, lanes), max_rows);
            let batches = batches.into_iter().map(|appends| (appends, None)).collect();
            let mut work = Work { lane, batches, links };
            if making == Making::Before {
                work.make_all()?;
            }
            works.push(work);
        }
        let mut running = JoinSet::new();
        let start = Start::now();
        works.into_iter().for_each(|work| drop(running.spawn(work.send())));
        let mut round = Round::default();
        let mut done = Vec::new();
        while let Some(finished) = running.join_next().await {
            let (work, sent) = finished??;
            round.appends += sent.appends;
            round.rows += sent.rows;
            round.batches += sent.batches;
            round.latencies.extend(sent.latencies);
            done.push(work);
        }
        let round = start.end(round);
        for work in done {
            talks.iter_mut().for_each(|talk| talk.link = work.links.get(&talk.id).copied().unwrap_or(talk.link));
            self.0.push(work.lane);
        }
        Ok(round)
    }
}

impl Work {
    fn make_all(&mut self) -> Result<()> {
        for (appends, batch) in &mut self.batches {
            *batch = Some(make(appends, &mut self.links)?);
        }
        Ok(())
    }

    /// Keeps the batches, so that their memory is given back after the round.
    async fn send(mut self) -> Result<(Self, Round)> {
        let mut sent = Round::default();
        for (appends, batch) in &mut self.batches {
            let begun = Instant::now();
            match batch {
                Some(batch) => self.lane.send(batch).await?,
                None => self.lane.send(&make(appends, &mut self.links)?).await?,
            }
            sent.appends += appends.len();
            sent.rows += appends.iter().map(|append| append.entries.len()).sum::<usize>();
            sent.batches += 1;
            sent.latencies.extend(std::iter::repeat_n(begun.elapsed(), appends.len()));
        }
        Ok((self, sent))
    }
}

/// Makes the rows; the chain of each conversation goes on from them.
fn make(appends: &mut [Append], links: &mut Links) -> Result<Batch> {
    for append in appends.iter_mut() {
        append.previous = links.get(&append.conversation).copied().unwrap_or_default();
    }
    let (batch, after) = Batch::prepare(appends)?;
    links.extend(appends.iter().map(|append| append.conversation).zip(after));
    Ok(batch)
}

/// The batches of one lane: every conversation in its turn, as the handle takes them when all wait.
fn divide(talks: &[Talk], script: &mut Script, (lane, lanes): (usize, usize), max_rows: usize) -> Vec<Vec<Append>> {
    let on_lane = |number: &usize| lane_of(talks[*number].id, lanes) == lane && !script[*number].is_empty();
    let mut waiting: VecDeque<usize> = (0..script.len()).filter(on_lane).collect();
    let mut batches = Vec::new();
    while !waiting.is_empty() {
        let members = fill(&mut waiting, script, max_rows);
        let next = |number: &usize| script[*number].pop_front().map(|step| talks[*number].append(&step));
        batches.push(members.iter().filter_map(next).collect());
        waiting.extend(members.into_iter().filter(|number| !script[*number].is_empty()));
    }
    batches
}

fn fill(waiting: &mut VecDeque<usize>, script: &Script, max_rows: usize) -> Vec<usize> {
    let (mut members, mut rows) = (Vec::new(), 0);
    while let Some(number) = waiting.front() {
        rows += script[*number].front().map_or(0, |step| step.rows());
        if !members.is_empty() && rows > max_rows {
            break;
        }
        members.extend(waiting.pop_front());
    }
    members
}
