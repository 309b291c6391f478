//! `onya anchor`: signs the ends of all chains that have moved, once or every so often.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::audit::{Anchor, Anchoring, key_file};

/// Adds one line to the file of anchors: a signed statement of where the chains of conversations and of the audit end
/// that have moved since the line before. What it covers cannot be changed any more without `onya verify-audit`
/// finding it.
///
/// Let it run where the server cannot write: under another user of the machine and another role of the database, which
/// may read conversations and audit_log and write audit_anchor_heads. An embedded database is anchored by its server.
///
/// Example: onya anchor --new-key /etc/onya/anchor.key
/// Example: onya anchor --file /var/lib/onya-anchors/anchors.jsonl --key-file /etc/onya/anchor.key --every 60
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct AnchorArgs {
    /// Make a key in this file, print its public half, and do nothing else
    #[arg(long, value_name = "FILE", exclusive = true)]
    new_key: Option<PathBuf>,
    /// File that the line is added to (audit.anchor_file)
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// File of the key that signs (audit.anchor_key_file)
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Go on, with so many seconds between two anchors
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: Option<u64>,
    /// Begin a new file beside an older one, with an anchor over all chains
    #[arg(long)]
    start_over: bool,
}

pub(super) fn run(args: &AnchorArgs, config: &Config) -> anyhow::Result<()> {
    if let Some(path) = &args.new_key {
        let key = key_file::create(path).with_context(|| format!("no key in {}", path.display()))?;
        return Ok(output::result(&format!("{}\n", key.public()))?);
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(Box::pin(anchor(args, config)))
}

async fn anchor(args: &AnchorArgs, config: &Config) -> anyhow::Result<()> {
    let mut anchoring = open(args, config)?;
    let settings = app::store_settings(config);
    let mut start_over = args.start_over;
    loop {
        let outcome = anchoring.anchor(&settings, start_over).await;
        match (outcome, args.every) {
            (Ok(anchor), every) => {
                start_over &= anchor.is_none();
                if anchor.is_some() || every.is_none() {
                    output::result(&line(anchor.as_ref()))?;
                }
            }
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(_)) => output::error(&anyhow::Error::from(error).context("no anchor this time")),
        }
        let Some(every) = args.every else { return Ok(()) };
        tokio::time::sleep(Duration::from_secs(every)).await;
    }
}

fn open(args: &AnchorArgs, config: &Config) -> anyhow::Result<Anchoring> {
    let file = args.file.as_ref().or(config.audit.anchor_file.as_ref());
    let file = file.context("no file of anchors: give --file or set audit.anchor_file")?;
    let key = args.key_file.as_ref().or(config.audit.anchor_key_file.as_ref());
    let key = key.context("no key: give --key-file or set audit.anchor_key_file (onya anchor --new-key FILE)")?;
    let Some(key_read) = key_file::read(key).with_context(|| format!("{} cannot be used", key.display()))? else {
        bail!("there is no key in {}: onya anchor --new-key {}", key.display(), key.display());
    };
    match Anchoring::open(file, key_read) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            bail!("another process adds anchors to {}: a server with an embedded database does", file.display())
        }
        other => other.with_context(|| format!("{} cannot be used", file.display())),
    }
}

fn line(anchor: Option<&Anchor>) -> String {
    anchor.map_or_else(
        || "nothing has moved since the last anchor\n".to_owned(),
        |anchor| format!("anchor {}: {} chains\n", anchor.number, anchor.leaves),
    )
}
