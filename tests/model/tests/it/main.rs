//! The model, checked: every scenario in every interleaving, and every planted fault until it is refuted.
//!
//! What was looked at is printed past the capture of the test runner, so that it stands in every log.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod planted;
mod scenarios;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use onya_model::world::Cluster;
use stateright::Model;
use stateright::report::{ReportData, ReportDiscovery, Reporter};

/// Writes one line for a run that is over.
struct Summary(String);

impl Reporter<Cluster> for Summary {
    fn report_checking(&mut self, data: ReportData) {
        if data.done {
            let Self(name) = self;
            let ReportData { total_states, unique_states, duration, .. } = data;
            say(&format!("model `{name}`: {unique_states} states, {total_states} looked at, in {duration:.1?}"));
        }
    }

    fn report_discoveries(&mut self, _: &Cluster, _: BTreeMap<&'static str, ReportDiscovery<Cluster>>)
    where
        <Cluster as Model>::Action: PartialEq,
    {
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(5)
    }
}

/// Prints a line, also where the output of tests is captured.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
