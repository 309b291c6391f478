//! A round of the floor: batches that were prepared before, each lane one after the other.

use std::collections::VecDeque;

use anyhow::Result;
use onya::store::Settings;
use onya::store::postgres::floor::{Batch, Lane};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::round::{Round, Start};
use crate::script::{Script, Talk};

/// The connections, kept from round to round.
pub(crate) struct Floor(Vec<Lane>);

/// A batch, and what it holds.
struct Prepared {
    batch: Batch,
    appends: usize,
    rows: usize,
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
    pub(crate) async fn round(&mut self, talks: &mut [Talk], script: Script, max_rows: usize) -> Result<Round> {
        let making = Start::now()?;
        let prepared = prepare(talks, script, self.0.len(), max_rows)?;
        let making = making.end(Round::default())?.cpu;
        let mut running = JoinSet::new();
        let start = Start::now()?;
        for (lane, batches) in self.0.drain(..).zip(prepared) {
            running.spawn(send(lane, batches));
        }
        let mut round = Round { making, ..Round::default() };
        while let Some(done) = running.join_next().await {
            let (lane, sent) = done??;
            self.0.push(lane);
            round.appends += sent.appends;
            round.rows += sent.rows;
            round.batches += sent.batches;
            round.latencies.extend(sent.latencies);
        }
        start.end(round)
    }
}

async fn send(mut lane: Lane, batches: Vec<Prepared>) -> Result<(Lane, Round)> {
    let mut sent = Round::default();
    for Prepared { batch, appends, rows } in batches {
        let begun = Instant::now();
        lane.send(batch).await?;
        sent.appends += appends;
        sent.rows += rows;
        sent.batches += 1;
        sent.latencies.extend(std::iter::repeat_n(begun.elapsed(), appends));
    }
    Ok((lane, sent))
}

/// The batches of each lane: every conversation in its turn, as the handle takes them when all wait.
fn prepare(talks: &mut [Talk], mut script: Script, lanes: usize, max_rows: usize) -> Result<Vec<Vec<Prepared>>> {
    let mut prepared: Vec<Vec<Prepared>> = (0..lanes).map(|_| Vec::new()).collect();
    for (lane, batches) in prepared.iter_mut().enumerate() {
        let on_lane = |number: &usize| talks[*number].lane(lanes) == lane && !script[*number].is_empty();
        let mut waiting: VecDeque<usize> = (0..script.len()).filter(on_lane).collect();
        while !waiting.is_empty() {
            let members = fill(&mut waiting, &script, max_rows);
            batches.push(prepare_one(talks, &mut script, &members)?);
            waiting.extend(members.into_iter().filter(|number| !script[*number].is_empty()));
        }
    }
    Ok(prepared)
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

fn prepare_one(talks: &mut [Talk], script: &mut Script, members: &[usize]) -> Result<Prepared> {
    let mut appends = Vec::with_capacity(members.len());
    for number in members {
        appends.extend(script[*number].pop_front().map(|step| talks[*number].append(&step)));
    }
    let (batch, links) = Batch::prepare(&appends)?;
    for (number, link) in members.iter().zip(links) {
        talks[*number].link = link;
    }
    let rows = appends.iter().map(|append| append.entries.len()).sum();
    Ok(Prepared { batch, appends: appends.len(), rows })
}
