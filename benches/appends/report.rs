//! What is printed.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::round::{Round, median, percentile_ms};
use crate::say;

/// Least share of the floor's rate, and most of its CPU time a row.
const MARKS: (f64, f64) = (0.70, 2.0);

/// The rounds of one setting in a sweep.
pub(crate) struct Cell {
    pub(crate) lanes: usize,
    pub(crate) rows: usize,
    pub(crate) full: Vec<Round>,
    pub(crate) light: Vec<Round>,
}

impl Cell {
    pub(crate) const fn new(lanes: usize, rows: usize) -> Self {
        Self { lanes, rows, full: Vec::new(), light: Vec::new() }
    }

    pub(crate) fn name(&self) -> String {
        format!("{}×{}", self.lanes, self.rows)
    }
}

/// One round, for the progress.
pub(crate) fn line(round: &Round) -> String {
    format!(
        "{:7.0} rows/s {:7.0} appends/s {:6.2} µs CPU a row {:6.1} rows a batch, {:.1} s",
        round.rows_a_second(),
        round.appends_a_second(),
        round.cpu_us_a_row(),
        round.rows_a_batch(),
        round.elapsed.as_secs_f64(),
    )
}

/// The median of the rounds.
pub(crate) fn rows_a_batch(rounds: &[Round]) -> f64 {
    median(rounds.iter().map(Round::rows_a_batch))
}

/// The rounds of each way.
#[derive(Default)]
pub(crate) struct Ways {
    pub(crate) raw: Vec<Round>,
    pub(crate) handle: Vec<Round>,
    /// The floor, and the rows made of events.
    pub(crate) making: Vec<Round>,
    /// The floor with the handle's batches, if they were other ones.
    pub(crate) as_handle: Vec<Round>,
}

/// Raw beside handle.
pub(crate) fn comparison(arguments: &Arguments, ways: &Ways) {
    let Ways { raw, handle, making, as_handle } = ways;
    let (conversations, lanes, rows) = (arguments.conversations, arguments.lanes, arguments.max_batch_rows);
    say(&format!("{conversations} conversations, {lanes} lanes, at most {rows} rows a batch; medians\n"));
    say("| way | rounds | rows/s | appends/s | CPU a row, µs | rows a batch | p50, ms | p99, ms |");
    say("|---|---|---|---|---|---|---|---|");
    row("raw statement", raw);
    row("handle", handle);
    row("raw statement, rows made of events in it", making);
    if !as_handle.is_empty() {
        row("raw statement, the handle's batches", as_handle);
    }
    let own = median(handle.iter().map(Round::own_us_a_row));
    say(&format!("\nthe bench's own CPU time a row, besides the handle's: {own:.2} µs"));
    ratios("", raw, handle);
    let cpu = |rounds: &[Round]| median(rounds.iter().map(Round::cpu_us_a_row));
    say(&format!("… over raw with rows made of events: {:.2} (no mark)", cpu(handle) / cpu(making)));
    if !as_handle.is_empty() {
        ratios(", the handle's batches", as_handle, handle);
    }
}

fn row(way: &str, rounds: &[Round]) {
    let (p50, p99) = percentiles(rounds);
    say(&format!(
        "| {way} | {} | {:.0} | {:.0} | {:.2} | {:.0} | {p50:.1} | {p99:.1} |",
        rounds.len(),
        median(rounds.iter().map(Round::rows_a_second)),
        median(rounds.iter().map(Round::appends_a_second)),
        median(rounds.iter().map(Round::cpu_us_a_row)),
        rows_a_batch(rounds),
    ));
}

fn ratios(floor: &str, raw: &[Round], handle: &[Round]) {
    let ratio = |of: fn(&Round) -> f64| median(handle.iter().map(of)) / median(raw.iter().map(of));
    let verdict = |met| if met { "met" } else { "missed" };
    let (rate, cpu) = (ratio(Round::rows_a_second), ratio(Round::cpu_us_a_row));
    say(&format!("rate over raw{floor}: {:.0} % (mark: ≥ 70 %, {})", rate * 100.0, verdict(rate >= MARKS.0)));
    say(&format!("CPU a row over raw{floor}: {cpu:.2} (mark: ≤ 2, {})", verdict(cpu <= MARKS.1)));
}

/// A line for each setting of a sweep.
pub(crate) fn table(arguments: &Arguments, cells: &[Cell]) {
    let (full, light, rounds) = (arguments.conversations, arguments.light, arguments.rounds);
    say(&format!("full: {full} conversations, light: {light}; {rounds} rounds of each, medians\n"));
    say("| lanes | max rows | full: rows/s | rows a batch | p50, ms | p99, ms | light: rows/s | p50, ms | p99, ms |");
    say("|---|---|---|---|---|---|---|---|---|");
    for cell in cells {
        let ((full_p50, full_p99), (light_p50, light_p99)) = (percentiles(&cell.full), percentiles(&cell.light));
        say(&format!(
            "| {} | {} | {:.0} | {:.0} | {full_p50:.1} | {full_p99:.1} | {:.0} | {light_p50:.1} | {light_p99:.1} |",
            cell.lanes,
            cell.rows,
            median(cell.full.iter().map(Round::rows_a_second)),
            rows_a_batch(&cell.full),
            median(cell.light.iter().map(Round::rows_a_second)),
        ));
    }
}

/// Half and 99 of 100 of all rounds' times.
fn percentiles(rounds: &[Round]) -> (f64, f64) {
    let mut times: Vec<Duration> = rounds.iter().flat_map(|round| round.latencies.iter().copied()).collect();
    times.sort_unstable();
    (percentile_ms(&times, 50), percentile_ms(&times, 99))
}
