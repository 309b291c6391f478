//! `onya backup` and `onya restore`: copies of the embedded database.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::backup::{self, Contents, Progress};

const MIB: f64 = 1_048_576.0;

/// Copies the embedded database to a new file, while the server works or not. What was acknowledged before the command
/// began is in the copy. The copy is checked and appears whole or not at all; nothing is overwritten. It holds what
/// customers wrote: only its owner may read it. The signing keys (auth.keys_file) are not in it.
///
/// Example: onya backup /backups/onya-monday.db
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct BackupArgs {
    /// File to write; it must not exist
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Puts a copy made by `onya backup` in the place of the embedded database. The server must be stopped. The copy is
/// checked first; the database before is kept beside the new one. The history gets a new name, so that clients who have
/// seen more than the copy holds throw it away and offer again what they wrote last. Messages acknowledged after the
/// backup was made are only in the database that is kept.
///
/// Example: onya restore /backups/onya-monday.db
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RestoreArgs {
    /// File that `onya backup` wrote
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn backup(args: &BackupArgs, config: &Config) -> anyhow::Result<()> {
    let settings = app::store_settings(config);
    let contents = runtime()?.block_on(Box::pin(backup::backup(&settings, &args.file, report())))?;
    let file = args.file.display();
    let text = if args.json {
        let mut shown = as_json(&contents);
        shown["file"] = json!(file.to_string());
        format!("{shown}\n")
    } else {
        format!("{file}: {}, checked\n", in_words(&contents))
    };
    Ok(output::result(&text)?)
}

pub(super) fn restore(args: &RestoreArgs, config: &Config) -> anyhow::Result<()> {
    let settings = app::store_settings(config);
    let restored = runtime()?.block_on(Box::pin(backup::restore(&settings, &args.file, report())))?;
    let kept = restored.kept.as_ref().map(|kept| kept.display().to_string());
    let text = if args.json {
        let mut shown = as_json(&restored.contents);
        shown["file"] = json!(restored.file.display().to_string());
        shown["kept"] = json!(kept);
        shown["history_epoch_before"] = json!(restored.history.before);
        format!("{shown}\n")
    } else {
        let kept = kept.map_or_else(String::new, |kept| format!("the database before is kept as {kept}\n"));
        let (file, words) = (restored.file.display(), in_words(&restored.contents));
        format!("{file}: {words}\n{kept}history epoch: {}\n", restored.history.after)
    };
    Ok(output::result(&text)?)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

/// Copies that take long say how far they have come, on standard error.
fn report() -> impl FnMut(Progress) {
    let mut takes_long = false;
    move |progress| {
        let line = match progress {
            Progress::Copying { bytes, of_bytes } => {
                takes_long = true;
                format!("copied {:.0} of about {:.0} MiB", bytes as f64 / MIB, of_bytes as f64 / MIB)
            }
            Progress::Checking if takes_long => "checking the copy".to_owned(),
            Progress::Checking => return,
        };
        // Nobody has to listen.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

fn in_words(contents: &Contents) -> String {
    let Contents { bytes, conversations, entries, .. } = contents;
    format!("{conversations} conversations, {entries} entries, {:.1} MiB", *bytes as f64 / MIB)
}

fn as_json(contents: &Contents) -> serde_json::Value {
    json!({
        "bytes": contents.bytes,
        "conversations": contents.conversations,
        "entries": contents.entries,
        "history_epoch": contents.history_epoch,
    })
}
