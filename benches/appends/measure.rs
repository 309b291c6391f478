//! The order of the rounds.

use std::sync::Arc;

use anyhow::Result;
use onya::store::{self, Settings};
use onya_actors::persistence::Bounds;
use onya_actors::ports::{EventLog, Member};
use onya_core::Timestamp;
use uuid::Uuid;

use crate::arguments::Arguments;
use crate::database::describe;
use crate::floor::{Floor, Making};
use crate::handle::{Counters, Handle};
use crate::report::{self, Cell, Ways};
use crate::round::Round;
use crate::script::{self, Talk};
use crate::{progress, say};

/// Below this share of the floor's rows, the handle's batches are other ones, and the floor is measured with those too.
const SAME_BATCHES: f64 = 0.95;

pub(crate) async fn run(arguments: &Arguments, url: &str) -> Result<()> {
    let counters = Counters::install()?;
    let profile = if cfg!(debug_assertions) { "NOT OPTIMISED" } else { "optimised" };
    say(&format!("{}; {profile}", describe(url).await?));
    if arguments.sweep { sweep(arguments, url, &counters).await } else { compare(arguments, url, &counters).await }
}

/// A store for so many lanes. Only one may be used at a time by the same conversations.
async fn connect(url: &str, lanes: usize) -> Result<(Settings, Arc<dyn EventLog>)> {
    let settings = Settings { lanes, ..Settings::new(url) };
    let incarnation = Uuid::now_v7();
    let log = store::connect(&settings, incarnation).await?.log;
    log.register(&Member::alone(incarnation, "bench", Timestamp(1))).await?;
    Ok((settings, log))
}

fn bounds(lanes: usize, batch_entries: usize) -> Bounds {
    Bounds { lanes, batch_entries, queue_bytes: onya_actors::Settings::default().append_queue_bytes }
}

async fn compare(arguments: &Arguments, url: &str, counters: &Counters) -> Result<()> {
    let (lanes, rows) = (arguments.lanes, arguments.max_batch_rows);
    let (settings, log) = connect(url, lanes).await?;
    let mut talks = open(&log, arguments).await?;
    let mut floor = Floor::connect(&settings, lanes).await?;
    let handle = Handle::start(&log, bounds(lanes, rows), counters).await?;
    let appends = warm_up(&mut talks, (&mut floor, &handle), arguments).await?;

    let mut ways = Ways::default();
    ways.raw.push(raw_round(&mut talks, &mut floor, (appends, rows, Making::Before)).await?);
    for _ in 0..arguments.rounds {
        let script = script::write(&mut talks, appends)?;
        ways.handle.push(told("handle", handle.round(&mut talks, script)?));
        ways.making.push(raw_round(&mut talks, &mut floor, (appends, rows, Making::Within)).await?);
        ways.raw.push(raw_round(&mut talks, &mut floor, (appends, rows, Making::Before)).await?);
    }
    let came_to = report::rows_a_batch(&ways.handle);
    if came_to < report::rows_a_batch(&ways.raw) * SAME_BATCHES {
        let rows = came_to.round() as usize;
        for _ in 0..arguments.rounds {
            ways.as_handle.push(raw_round(&mut talks, &mut floor, (appends, rows, Making::Before)).await?);
        }
    }
    handle.stop().await;
    report::comparison(arguments, &ways);
    Ok(())
}

async fn open(log: &Arc<dyn EventLog>, arguments: &Arguments) -> Result<Vec<Talk>> {
    progress(&format!("{} conversations are made and claimed", arguments.conversations));
    script::open(log, usize::try_from(arguments.conversations)?).await
}

/// Fills caches and plans on both ways; how many appends a round is to have.
async fn warm_up(talks: &mut [Talk], ways: (&mut Floor, &Handle), arguments: &Arguments) -> Result<usize> {
    let mixing = script::write_mixing(talks)?;
    ways.1.round(talks, mixing)?;
    let once = script::write(talks, talks.len())?;
    ways.1.round(talks, once)?;
    let twice = script::write(talks, talks.len() * 2)?;
    let found = told("warm-up", ways.0.round(talks, twice, (arguments.max_batch_rows, Making::Before)).await?);
    Ok(((found.appends_a_second() * arguments.seconds) as usize).max(1))
}

/// A round of so many appends, with batches of so many rows.
async fn raw_round(
    talks: &mut [Talk],
    floor: &mut Floor,
    (appends, rows, making): (usize, usize, Making),
) -> Result<Round> {
    let way = match making {
        Making::Before => "raw",
        Making::Within => "made",
    };
    let script = script::write(talks, appends)?;
    Ok(told(way, floor.round(talks, script, (rows, making)).await?))
}

fn told(way: &str, round: Round) -> Round {
    progress(&format!("{way:8} {}", report::line(&round)));
    round
}

async fn sweep(arguments: &Arguments, url: &str, counters: &Counters) -> Result<()> {
    let most = arguments.sweep_lanes.iter().copied().max().unwrap_or(1);
    let (_, log) = connect(url, most).await?;
    let mut talks = open(&log, arguments).await?;
    let handle = Handle::start(&log, bounds(most, 512), counters).await?;
    let mixing = script::write_mixing(&mut talks)?;
    handle.round(&mut talks, mixing)?;
    let twice = 2 * talks.len();
    let twice = script::write(&mut talks, twice)?;
    let found = told("warm-up", handle.round(&mut talks, twice)?);
    handle.stop().await;

    let combine = |lanes: &usize| arguments.sweep_rows.iter().map(|rows| Cell::new(*lanes, *rows)).collect::<Vec<_>>();
    let mut cells: Vec<Cell> = arguments.sweep_lanes.iter().flat_map(combine).collect();
    let appends = (found.appends_a_second() * arguments.seconds) as usize;
    let light = arguments.light.clamp(1, talks.len());
    for _ in 0..arguments.rounds {
        for cell in &mut cells {
            let handle = Handle::start(&log, bounds(cell.lanes, cell.rows), counters).await?;
            let script = script::write(&mut talks, appends)?;
            cell.full.push(told(&cell.name(), handle.round(&mut talks, script)?));
            // A tenth is a few hundred batches, which is enough for a percentile.
            let script = script::write(&mut talks[..light], appends / 10)?;
            cell.light.push(told(&cell.name(), handle.round(&mut talks[..light], script)?));
            handle.stop().await;
        }
    }
    report::table(arguments, &cells);
    Ok(())
}
