//! `onya conversations`: what an operator may ask of the conversations in the database.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::stuck::{self, MOST, Stuck};

/// Looks at the conversations in the database, beside the servers that run.
#[derive(Debug, Args)]
pub(super) struct ConversationsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List those that somebody should be at work on, and nobody is: exit code 0 if there is none, 1 if there are
    ///
    /// A conversation counts because of
    ///
    ///   timer_overdue          its timer was due, and nobody has acted on it
    ///   turn_overdue           a reply was to have ended, and nobody has ended it
    ///   turn_without_deadline  a reply is owed, and nothing would end it
    ///   wait_without_timer     the customer waits for a person, and is not told again
    ///   without_timer          it is open, and nothing would close it
    ///   wait_not_listed        the customer waits for a person, and is on no desk
    ///   listed_without_wait    desks show somebody who does not wait
    ///
    /// While a server runs there should be none. After a time without any server, all timers that came due meanwhile are
    /// listed until the next one has seen to them. Nothing is changed. At most 1000 are listed.
    ///
    /// Exit codes: 0 there is none, 1 some were found or it could not be looked, 2 bad usage.
    ///
    /// Example: onya conversations stuck
    /// Example: onya conversations stuck --grace 120 --json
    #[command(verbatim_doc_comment)]
    Stuck(StuckArgs),
}

#[derive(Debug, Args)]
struct StuckArgs {
    /// How long ago a timer must have been due, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(i64).range(0..=86_400))]
    grace: i64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ConversationsArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let Action::Stuck(args) = &args.action;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let stuck = runtime.block_on(Box::pin(stuck::list(&app::store_settings(config), args.grace * 1_000)))?;
    output::result(&if args.json { as_json(&stuck) } else { as_table(&stuck) })?;
    Ok(if stuck.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(stuck: &[Stuck]) -> String {
    let one = |stuck: &Stuck| {
        json!({
            "conversation": stuck.conversation, "why": stuck.why, "owner": stuck.owner,
            "living_owner": stuck.living_owner, "turn": stuck.turn, "overdue_ms": stuck.overdue_ms,
        })
    };
    format!("{:#}\n", Value::Array(stuck.iter().map(one).collect()))
}

fn as_table(stuck: &[Stuck]) -> String {
    if stuck.is_empty() {
        return "no stuck conversations\n".to_owned();
    }
    let mut text = format!("{:36}  {:21}  {:>12}  owner\n", "conversation", "why", "overdue");
    for found in stuck {
        let overdue = found.overdue_ms.map_or_else(|| "-".to_owned(), |ms| format!("{} s", ms / 1_000));
        let owner = match (&found.living_owner, found.owner) {
            (Some(name), _) => name.clone(),
            (None, Some(owner)) => format!("dead ({owner})"),
            (None, None) => "none".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  {:21}  {overdue:>12}  {owner}", found.conversation, found.why);
    }
    if stuck.len() >= MOST {
        text.push_str("there may be more\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_and_says_whether_the_owner_lives() {
        let stuck = |owner: Option<u128>, living_owner: Option<&str>, overdue_ms| Stuck {
            conversation: Uuid::from_u128(1),
            why: "timer_overdue".to_owned(),
            owner: owner.map(Uuid::from_u128),
            living_owner: living_owner.map(str::to_owned),
            turn: None,
            overdue_ms,
        };
        let table = as_table(&[
            stuck(Some(2), Some("onya-0"), Some(31_400)),
            stuck(Some(2), None, None),
            stuck(None, None, None),
        ]);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][1..], ["timer_overdue", "31", "s", "onya-0"]);
        assert_eq!(lines[2][1..4], ["timer_overdue", "-", "dead"]);
        assert_eq!(lines[3][1..], ["timer_overdue", "-", "none"]);
        assert_eq!(as_table(&[]), "no stuck conversations\n");
    }
}
