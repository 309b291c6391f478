//! Figures that the server tells about itself, read from its metrics.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Url;
use tokio::time::{Instant, sleep};

use crate::output::progress;

/// Conversations in the server's memory.
pub(crate) const LIVE_CONVERSATIONS: &str = "onya_conversations_active";
/// How often a gauge is looked at while it is waited for.
const GLANCE: Duration = Duration::from_millis(500);

/// One gauge, summed over its labels.
pub(crate) async fn read(metrics: &Url, name: &str) -> Result<f64> {
    let text = reqwest::get(metrics.clone()).await.context("no metrics at --metrics-url")?.text().await?;
    Ok(sum(&text, name))
}

/// Waits until a gauge is as it should be.
pub(crate) async fn until(metrics: &Url, name: &str, is_so: impl Fn(f64) -> bool, patience: Duration) -> Result<()> {
    let start = Instant::now();
    let mut told = start;
    loop {
        let value = read(metrics, name).await?;
        if is_so(value) {
            return Ok(());
        }
        ensure!(start.elapsed() < patience, "{name} is still {value} after {} s", patience.as_secs());
        if told.elapsed() > Duration::from_secs(5) {
            progress(&format!("{name} is {value}"));
            told = Instant::now();
        }
        sleep(GLANCE).await;
    }
}

fn sum(metrics: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        // Another metric may begin with this one's name.
        rest.starts_with([' ', '{']).then(|| rest.rsplit_once(' ')?.1.parse::<f64>().ok())?
    };
    metrics.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_summed_over_its_labels_and_not_over_its_namesakes() {
        let text = "# TYPE onya_connections gauge\nonya_connections{role=\"customer\"} 3\n\
                    onya_connections{role=\"agent\"} 2\nonya_connections_total 99\n";
        assert!((sum(text, "onya_connections") - 5.0).abs() < f64::EPSILON);
        assert!(sum(text, "onya_other").abs() < f64::EPSILON);
    }
}
