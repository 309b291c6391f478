//! `onya maintain`: what a database needs every now and then.

use std::fmt::Write as _;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::upkeep::{self, Outcome, Partition, Upkeep};

/// PostgreSQL: makes the partitions of the months to come (database.partition_months_ahead) and drops those of past months
/// that hold nothing any more. Run it every day, as the role that owns the tables. It may run twice at once.
///
/// The embedded database: writes its file anew, so that nothing of erased texts is left between its rows. Run it after
/// erasures. It needs as much free disk as the file takes, and messages are answered `busy` while it runs.
///
/// Servers go on meanwhile.
///
/// Example: onya maintain --dry-run
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct MaintainArgs {
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MaintainArgs, config: &Config) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let settings = app::store_settings(config);
    let upkeep = Upkeep { months_ahead: config.database.partition_months_ahead, dry_run: args.dry_run };
    let outcome = runtime.block_on(Box::pin(upkeep::keep_up(&settings, upkeep)))?;
    let text =
        if args.json { format!("{}\n", as_json(&outcome, args.dry_run)) } else { in_words(&outcome, args.dry_run) };
    Ok(output::result(&text)?)
}

fn in_words(outcome: &Outcome, dry_run: bool) -> String {
    let (made, dropped) = if dry_run { ("would make", "would drop") } else { ("made", "dropped") };
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (verb, partitions) in [(made, &outcome.made), (dropped, &outcome.dropped)] {
        for partition in partitions {
            let _ = writeln!(text, "{verb} {partition}, conversations created in {}", partition.month());
        }
    }
    if outcome.rewritten {
        let _ = writeln!(text, "{} the database file anew", if dry_run { "would write" } else { "wrote" });
    }
    for notice in &outcome.notices {
        let _ = writeln!(text, "notice: {notice}");
    }
    if text.is_empty() { "nothing to do\n".to_owned() } else { text }
}

fn as_json(outcome: &Outcome, dry_run: bool) -> Value {
    let list = |partitions: &[Partition]| {
        let one = |partition: &Partition| json!({"name": partition.name(), "table": partition.table(), "month": partition.month()});
        partitions.iter().map(one).collect::<Vec<_>>()
    };
    json!({
        "dry_run": dry_run,
        "made": list(&outcome.made),
        "dropped": list(&outcome.dropped),
        "rewritten": outcome.rewritten,
        "notices": outcome.notices,
    })
}
