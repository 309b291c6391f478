//! Memory over time while customers come, chat and go, each of them once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use reqwest::Client;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::reply;
use crate::figures::Figures;
use crate::limits;
use crate::output::progress;
use crate::pace::Pace;
use crate::socket::Socket;
use crate::target::{Target, TargetArgs};
use crate::visitors;

/// How often the server's memory is read.
const GLANCE: Duration = Duration::from_secs(10);
/// Share of its memory that a server may grow by over the measurement and count as flat: what an allocator's pages do.
const FLAT: f64 = 0.03;
/// Visits under way at once, at most.
const AT_ONCE: usize = 2000;

/// Memory while customers come and go.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChurnArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub shape: ChurnShape,
}

/// How long, and how many.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ChurnShape {
    /// Length of the measurement, in minutes; the first tenth of it, at most one minute, is not counted
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,
    /// Visits begun per second: a token, a conversation, a socket, a message, its reply, a close
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
}

pub(crate) async fn run(args: ChurnArgs) -> Result<Figures> {
    measure(Arc::new(args.target.resolve().await?), args.shape).await
}

/// Measures a target.
pub(crate) async fn measure(target: Arc<Target>, shape: ChurnShape) -> Result<Figures> {
    limits::require(AT_ONCE)?;
    target.watched()?;
    let length = Duration::from_secs_f64(shape.minutes * 60.0);
    let start = Instant::now();
    let mut visits = JoinSet::new();
    visits.spawn(come_and_go(Arc::clone(&target), shape, length));
    let (glance, mut readings) = (GLANCE.min(length / 20), Vec::new());
    let count = loop {
        tokio::select! {
            Some(done) = visits.join_next() => break done??,
            () = sleep_until(start + glance * u32::try_from(readings.len())?) => {
                let mib = target.watched()?.memory()?.rss as f64 / 1024.0 / 1024.0;
                progress(&format!("churn: {:>4.0} s  {mib:.2} MiB", start.elapsed().as_secs_f64()));
                readings.push((start.elapsed().as_secs_f64(), mib));
            }
        }
    };
    let mut figures = Figures::of("churn");
    figures.add("visits", count as f64, "");
    let counted_from = Duration::from_mins(1).min(length / 10).as_secs_f64();
    readings.retain(|(at, _)| *at >= counted_from);
    summarise(&mut figures, &readings, shape.rate);
    Ok(figures)
}

fn summarise(figures: &mut Figures, readings: &[(f64, f64)], rate: f64) {
    let (Some(first), Some(last)) = (readings.first(), readings.last()) else { return };
    let per_second = slope(readings);
    let growth = per_second * (last.0 - first.0) / first.1;
    figures.add("rss_first", first.1, "MiB");
    figures.add("rss_last", last.1, "MiB");
    figures.add("rss_slope", per_second * 60.0 * 1024.0, "KiB/min");
    figures.add("rss_slope_per_visit", per_second * 1024.0 * 1024.0 / rate, "bytes");
    figures.add("rss_growth", growth * 100.0, "%");
    figures.add("flat", f64::from(u8::from(growth <= FLAT)), "");
}

/// Slope of the line that is nearest to all points (least squares); 0 for fewer than two.
pub(super) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if below > 0.0 { above / below } else { 0.0 }
}

/// Begins visits at an even pace, and gives how many there were.
async fn come_and_go(target: Arc<Target>, shape: ChurnShape, length: Duration) -> Result<usize> {
    let client = Client::builder().tcp_nodelay(true).build()?;
    let pace = Pace::new(Instant::now(), shape.rate);
    let count = (length.as_secs_f64() * shape.rate) as usize;
    let mut visits = JoinSet::new();
    for number in 0..count {
        pace.wait(number).await;
        while let Some(visit) = visits.try_join_next() {
            let () = visit??;
        }
        anyhow::ensure!(visits.len() < AT_ONCE, "the server cannot keep up: {AT_ONCE} visits are under way");
        visits.spawn(Box::pin(visit(Arc::clone(&target), client.clone(), number)));
    }
    while let Some(visit) = visits.join_next().await {
        visit??;
    }
    Ok(count)
}

async fn visit(target: Arc<Target>, client: Client, number: usize) -> Result<()> {
    let guest = visitors::one(&client, &target).await?;
    let mut socket = Socket::open(&target, &guest, number).await?;
    if !target.bare {
        socket.hello().await?;
    }
    reply::ask(&mut socket, target.bare).await?.check()?;
    socket.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(per_second: f64) -> Vec<(f64, f64)> {
        (0..60).map(|n| f64::from(n) * 10.0).map(|at| (at, 100.0 + per_second * at)).collect()
    }

    #[test]
    fn the_slope_of_a_line_is_its_own() {
        assert!((slope(&line(0.25)) - 0.25).abs() < 1e-9);
        assert!(slope(&line(0.0)).abs() < 1e-9);
        assert!(slope(&[(1.0, 5.0)]).abs() < 1e-9, "one point has none");
    }

    #[test]
    fn memory_that_grows_is_not_flat_and_memory_that_swings_is() {
        let verdict = |readings: &[(f64, f64)]| {
            let mut figures = Figures::of("churn");
            summarise(&mut figures, readings, 50.0);
            figures.get("flat")
        };
        assert_eq!(verdict(&line(0.01)), Some(0.0), "5.9 of 100 MiB in ten minutes");
        let swing: Vec<_> = line(0.0).into_iter().enumerate().map(|(n, (x, y))| (x, y + (n % 2) as f64)).collect();
        assert_eq!(verdict(&swing), Some(1.0));
    }
}
