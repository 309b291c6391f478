//! `onya verify-audit`: has anything been changed that was stored?

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::audit::{self, Anchors, PublicKey, Report, key_file};

/// Reads the database and the file of anchors, nothing else, and names the first broken link of every chain: which
/// conversation, which entry, what is wrong. Servers may go on meanwhile; memory does not grow with the data.
///
/// Exit codes: 0 all is as it was stored, 1 something is broken or could not be read, 2 bad usage.
///
/// Example: onya verify-audit
/// Example: onya verify-audit --anchors anchors.jsonl --public-key 4f0e…9a --json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct VerifyAuditArgs {
    /// File of anchors to compare with (audit.anchor_file)
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// Public key whose anchors are believed; may be repeated (audit.anchor_public_keys)
    #[arg(long, value_name = "HEX", value_parser = public_key)]
    public_key: Vec<PublicKey>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text).ok_or_else(|| "expected the 64 hexadecimal digits of a public key".to_owned())
}

pub(super) fn run(args: &VerifyAuditArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let anchors = anchors(args, config)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let settings = app::store_settings(config);
    let report = runtime.block_on(Box::pin(audit::verify(&settings, &anchors)))?;
    let text = if args.json { format!("{}\n", serde_json::to_string_pretty(&report)?) } else { describe(&report) };
    output::result(&text)?;
    Ok(if report.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is not there yet is no file of anchors; what was named and is not there is a mistake.
fn anchors(args: &VerifyAuditArgs, config: &Config) -> anyhow::Result<Anchors> {
    let configured = config.audit.anchor_file.clone().filter(|file| file.exists());
    let file = args.anchors.clone().or(configured);
    let mut keys = args.public_key.clone();
    if keys.is_empty() {
        let configured = config.audit.anchor_public_keys.iter().map(|text| PublicKey::parse(text));
        keys = configured.collect::<Option<_>>().context("audit.anchor_public_keys: no public key")?;
    }
    if let (true, Some(path)) = (keys.is_empty(), &config.audit.anchor_key_file) {
        keys.extend(key_file::read(path).ok().flatten().map(|key| key.public()));
    }
    Ok(Anchors { file, keys })
}

fn describe(report: &Report) -> String {
    let (checked, unproven) = (&report.checked, &report.unproven);
    let mut text = String::new();
    let mut say = |line: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line}");
    };
    say(format!(
        "checked: {} conversations with {} entries, {} audit chains with {} acts, {} anchors",
        checked.conversations, checked.entries, checked.audit_chains, checked.acts, checked.anchors
    ));
    for broken in &report.broken {
        say(format!("BROKEN: {broken}"));
    }
    if report.broken_total > report.broken.len() as u64 {
        say(format!("BROKEN: and {} more", report.broken_total - report.broken.len() as u64));
    }
    let after =
        if checked.anchors == 0 { "no anchor covers" } else { "not covered by an anchor yet, only consistent:" };
    if unproven.entries + unproven.acts > 0 {
        say(format!(
            "{after} {} entries of {} conversations, {} acts",
            unproven.entries, unproven.conversations, unproven.acts
        ));
    }
    let before = &report.before_chain;
    if before.entries > 0 {
        say(format!(
            "from before there were chains, nothing is known of: {} entries of {} conversations",
            before.entries, before.conversations
        ));
    }
    if report.gone.erased_entries + report.gone.removed_conversations > 0 {
        let gone = &report.gone;
        say(format!(
            "gone on record: the bodies of {} entries, {} conversations",
            gone.erased_entries, gone.removed_conversations
        ));
    }
    for note in &report.notes {
        say(format!("note: {note}"));
    }
    let verdict = if report.is_intact() { "intact".to_owned() } else { format!("{} broken", report.broken_total) };
    say(verdict);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_is_proven_what_is_not_and_what_is_broken() {
        let mut report = Report::default();
        report.checked.anchors = 1;
        assert_eq!(
            describe(&report),
            "checked: 0 conversations with 0 entries, 0 audit chains with 0 acts, 1 anchors\nintact\n"
        );
        report.unproven.entries = 3;
        report.broken_total = 1;
        let text = describe(&report);
        assert!(
            text.contains("only consistent: 3 entries") && text.contains("and 1 more") && text.ends_with("1 broken\n")
        );
    }
}
