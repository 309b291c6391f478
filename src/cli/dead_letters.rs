//! `onya dead-letters`: what could not be stored. The list shows no word of a customer; `--show` does, when asked to.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::Settings;
use crate::store::dead_letters::{self, DeadLetter};

/// The server keeps here what the database refuses to hold, so that what is around it can be stored. For example:
/// `onya dead-letters`, then `onya dead-letters --show ID`, and when the cause is mended `onya dead-letters --remove ID`.
/// It may be run beside a server.
#[derive(Debug, Args)]
pub(super) struct DeadLettersArgs {
    /// Print the entries of one, as JSON: they hold what customers and agents have said
    #[arg(long, value_name = "ID", conflicts_with = "remove")]
    show: Option<Uuid>,
    /// Remove one for good, after its cause is mended
    #[arg(long, value_name = "ID")]
    remove: Option<Uuid>,
    /// Print the list as JSON
    #[arg(long, conflicts_with_all = ["show", "remove"])]
    json: bool,
}

pub(super) fn run(args: &DeadLettersArgs, config: &Config) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let text = runtime.block_on(Box::pin(text(args, &app::store_settings(config))))?;
    Ok(output::result(&text)?)
}

async fn text(args: &DeadLettersArgs, settings: &Settings) -> anyhow::Result<String> {
    if let Some(id) = args.show {
        let entries = dead_letters::entries(settings, id).await?.with_context(|| missing(id))?;
        let entries: Value = serde_json::from_slice(&entries).context("its entries are no JSON")?;
        return Ok(format!("{entries:#}\n"));
    }
    if let Some(id) = args.remove {
        ensure!(dead_letters::remove(settings, id).await?, missing(id));
        return Ok(format!("removed {id}\n"));
    }
    let letters = dead_letters::list(settings).await?;
    Ok(if args.json { as_json(&letters) } else { as_table(&letters) })
}

fn missing(id: Uuid) -> String {
    format!("there is no dead letter {id}")
}

fn as_json(letters: &[DeadLetter]) -> String {
    let letters: Vec<Value> = letters
        .iter()
        .map(|letter| {
            json!({
                "id": letter.id, "conversation": letter.conversation, "expected_seq": letter.expected_seq,
                "at": letter.at, "when": letter.when, "bytes": letter.bytes, "reason": letter.reason,
            })
        })
        .collect();
    format!("{:#}\n", Value::Array(letters))
}

fn as_table(letters: &[DeadLetter]) -> String {
    if letters.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let mut text =
        format!("{:36}  {:36}  {:20}  {:>8}  {:>8}  reason\n", "id", "conversation", "when", "after", "bytes");
    for DeadLetter { id, conversation, expected_seq, when, reason, bytes, .. } in letters {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{id}  {conversation}  {when:20}  {expected_seq:>8}  {bytes:>8}  {reason}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_letter_and_says_so_if_there_is_none() {
        let letter = DeadLetter {
            id: Uuid::from_u128(1),
            conversation: Uuid::from_u128(2),
            expected_seq: 7,
            at: 1_767_225_600_000,
            when: "2026-01-01T00:00:00Z".to_owned(),
            reason: "SQLSTATE 23514".to_owned(),
            bytes: 512,
        };
        let table = as_table(&[letter]);
        let line = table.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(line[2..], ["2026-01-01T00:00:00Z", "7", "512", "SQLSTATE", "23514"]);
        assert_eq!(as_table(&[]), "no dead letters\n");
    }
}
