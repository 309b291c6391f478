//! `onya history-epoch`: the name of the history that positions count in, part of every restore.

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::output;
use crate::config::Config;
use crate::{app, store};

/// After a restore from a backup, positions that clients remember may name other entries. The history has a name that is
/// part of every client's cursor: renew it, and every client is told to throw away what it holds and to offer again what
/// it wrote last. Running servers on PostgreSQL notice within seconds, end with exit code 70 and are to be started again;
/// a server on the embedded database must be stopped first. `onya restore` renews it by itself.
///
/// Example: onya history-epoch renew
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct HistoryEpochArgs {
    /// What to do
    #[arg(value_enum)]
    action: Action,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Print the name; changes nothing
    Show,
    /// Give the history a new name
    Renew,
}

pub(super) fn run(args: &HistoryEpochArgs, config: &Config) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let settings = app::store_settings(config);
    let text = match args.action {
        Action::Show => {
            let epoch = runtime.block_on(Box::pin(store::history_epoch(&settings)))?;
            if args.json { format!("{}\n", json!({"history_epoch": epoch})) } else { format!("{epoch}\n") }
        }
        Action::Renew => {
            let renewal = runtime.block_on(Box::pin(store::renew_history_epoch(&settings)))?;
            let (before, after) = (renewal.before, renewal.after);
            if args.json {
                format!("{}\n", json!({"before": before, "history_epoch": after}))
            } else {
                format!("{after}\nbefore: {before}\n")
            }
        }
    };
    Ok(output::result(&text)?)
}
