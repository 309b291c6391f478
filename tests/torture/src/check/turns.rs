//! Turns and control, by walking the log.

use std::collections::BTreeMap;

use super::Check;

impl Check<'_> {
    /// Each turn that was opened ends once, and no answer stands where somebody else is in control.
    pub(super) fn turns(&mut self, settled: bool) {
        for (conversation, entries) in &self.tables.entries {
            let (mut ends, mut control) = (BTreeMap::new(), "assistant".to_owned());
            for entry in entries {
                let turn = entry.body["turn"].as_u64().unwrap_or_default();
                match entry.kind.as_str() {
                    "turn_opened" => drop(ends.insert(entry.seq, 0)),
                    "turn_ended" => {
                        *ends.entry(turn).or_insert(0) += 1;
                        if entry.body["outcome"] == "final" && control != "assistant" {
                            self.report(
                                9,
                                format!("{conversation}: {} is an answer while {control} is in control", entry.seq),
                            );
                        }
                    }
                    "control_changed" => {
                        control = entry.body["control"]["state"].as_str().unwrap_or_default().to_owned();
                    }
                    _ => {}
                }
            }
            for (turn, count) in ends {
                if count > 1 || (count == 0 && settled) {
                    self.report(7, format!("{conversation}: turn {turn} ended {count} times"));
                }
            }
        }
        let open = self.tables.turns.iter().filter(|turn| turn.outcome.is_none()).count();
        if settled && open > 0 {
            self.report(7, format!("{open} turns are open in the end"));
        }
    }
}
