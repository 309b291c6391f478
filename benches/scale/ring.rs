//! The ring: how long it takes to make, what it takes to keep, how fast it answers, how evenly it gives.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use onya_core::cluster::Ring;

use crate::arguments::Arguments;
use crate::measure::{cpu, number};
use crate::memory::{Held, bytes_of_one};
use crate::{pods, progress, say};

/// A ring is made again and again for so long.
const BUILT_FOR: Duration = Duration::from_millis(300);
/// About so many points are held to see what they take.
const HELD_POINTS: u32 = 2_000_000;

pub(crate) fn report(arguments: &Arguments) -> Result<()> {
    say("| pods | to make, ms | memory, KiB | lookups a second | fullest over mean | emptiest over mean |");
    say("|---|---|---|---|---|---|");
    for pods in arguments.pods.iter().copied() {
        progress(&format!("ring of {pods}"));
        let held = (HELD_POINTS / (pods * 160)).max(2);
        let bytes = bytes_of_one(Held::Ring(pods), held)?;
        let ring = Ring::over(&pods::view(pods));
        let (a_second, most, least) = spread(&ring, pods, arguments.conversations);
        say(&format!(
            "| {pods} | {:.2} | {} | {} | {most:.2} | {least:.2} |",
            to_make(pods).as_secs_f64() * 1e3,
            number(bytes / 1024.0),
            number(a_second),
        ));
    }
    Ok(())
}

/// Processor time of making one.
fn to_make(pods: u32) -> Duration {
    let (view, began, mut rounds) = (pods::view(pods), cpu(), 0);
    loop {
        black_box(Ring::over(&view));
        rounds += 1;
        let took = cpu().saturating_sub(began);
        if took >= BUILT_FOR {
            return took / rounds;
        }
    }
}

/// Lookups in a second of processor time, and the shares of the fullest and the emptiest pod, 1 being the mean.
fn spread(ring: &Ring, pods: u32, conversations: u32) -> (f64, f64, f64) {
    let began = cpu();
    for id in (0..conversations).map(pods::conversation) {
        black_box(ring.owner(id));
    }
    let took = cpu().saturating_sub(began);
    let mut counts = HashMap::new();
    for owner in (0..conversations).filter_map(|id| ring.owner(pods::conversation(id))) {
        *counts.entry(owner).or_insert(0_u32) += 1;
    }
    let mean = f64::from(conversations) / f64::from(pods);
    let most = counts.values().max().copied().unwrap_or(0);
    let least = if counts.len() < pods as usize { 0 } else { counts.values().min().copied().unwrap_or(0) };
    (f64::from(conversations) / took.as_secs_f64(), f64::from(most) / mean, f64::from(least) / mean)
}
