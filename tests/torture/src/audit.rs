//! What the program says itself about its chains: it anchors them between the faults, and verifies them in the end.
//!
//! It is always the program as it should be, also where the servers have a planted fault. It reaches the database past
//! every proxy and has no time limits, so that what it says is about what is stored and not about the campaign.

use std::path::Path;

use anyhow::{Context as _, Result};
use onya_servers::process::built;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::server::Launch;

/// The settings that name the file of anchors and its key, for servers too: one of SQLite makes anchors itself.
pub(crate) fn settings(folder: &Path) -> [(String, String); 2] {
    let place = |name: &str| folder.join(name).display().to_string();
    [
        ("ONYA_AUDIT__ANCHOR_FILE".to_owned(), place("anchors.jsonl")),
        ("ONYA_AUDIT__ANCHOR_KEY_FILE".to_owned(), place("anchor.key")),
    ]
}

/// Who anchors and verifies.
pub(crate) struct Auditor {
    launch: Launch,
}

/// What a verification says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verified {
    /// Where a chain or an anchor is broken, and how.
    pub broken: Vec<String>,
    pub entries: u64,
    pub acts: u64,
    pub anchors: u64,
    /// Entries and acts that the newest anchor does not cover.
    pub unproven: u64,
    /// Entries that have no link.
    pub unlinked: u64,
}

impl Auditor {
    /// Makes the key that signs.
    pub(crate) async fn new(folder: &Path, url: String) -> Result<Self> {
        let mut variables: std::collections::BTreeMap<_, _> = settings(folder).into();
        variables.insert("DATABASE_URL".to_owned(), url);
        let key = folder.join("anchor.key").display().to_string();
        let program = built("onya", "cargo build -p onya")?;
        let launch = Launch { name: "auditor".to_owned(), program, folder: folder.to_owned(), variables };
        launch.run(&["anchor", "--new-key", &key]).await?;
        Ok(Self { launch })
    }

    /// Signs where the chains end now.
    pub(crate) async fn anchor(&self) -> Result<()> {
        self.launch.run(&["anchor"]).await.map(drop)
    }

    /// What a subcommand prints, whatever it ends with.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = self.launch.output(arguments).await?;
        let printed = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// Anchors what there is in the end, and holds all of it against every anchor.
    pub(crate) async fn verify(&self) -> Result<Verified> {
        self.anchor().await?;
        let output = self.launch.output(&["verify-audit", "--json"]).await?;
        let report = serde_json::from_slice(&output.stdout);
        let said = || format!("onya verify-audit: {}", String::from_utf8_lossy(&output.stderr));
        Ok(verified(&report.with_context(said)?))
    }
}

fn verified(report: &Value) -> Verified {
    let count = |part: &str, name: &str| report[part][name].as_u64().unwrap_or_default();
    let broken = report["broken"].as_array().map(Vec::as_slice).unwrap_or_default();
    Verified {
        broken: broken.iter().map(|broken| format!("{}: {}", broken["in"], broken["fault"])).collect(),
        entries: count("checked", "entries"),
        acts: count("checked", "acts"),
        anchors: count("checked", "anchors"),
        unproven: count("unproven", "entries") + count("unproven", "acts"),
        unlinked: count("before_chain", "entries"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_read_with_what_is_broken_and_what_is_not_covered() {
        let report = json!({
            "checked": {"entries": 7, "acts": 3, "anchors": 2},
            "broken": [{"in": {"anchor": {"anchor": 2}}, "fault": "anchor_heads"}],
            "unproven": {"entries": 1, "acts": 2},
            "before_chain": {"entries": 4},
        });
        let broken = vec![r#"{"anchor":{"anchor":2}}: "anchor_heads""#.to_owned()];
        let expected = Verified { broken, entries: 7, acts: 3, anchors: 2, unproven: 3, unlinked: 4 };
        assert_eq!(verified(&report), expected);
    }
}
