//! `onya members`: who belongs to the cluster.

use std::fmt::Write as _;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::members::{self, Heartbeat, Listed};

/// Everybody who is not dead, as the database says. For a node's own view ask it: GET /members on the port of its metrics.
#[derive(Debug, Args)]
pub(super) struct MembersArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MembersArgs, config: &Config) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let listed = runtime.block_on(Box::pin(members::list(&app::store_settings(config))))?;
    Ok(output::result(&if args.json { as_json(&listed) } else { as_table(&listed) })?)
}

fn as_json(listed: &[Listed]) -> String {
    let one = |member: &Listed| {
        let told = |of: fn(&Heartbeat) -> i64| member.heartbeat.as_ref().map(of);
        json!({
            "name": member.name, "incarnation": member.incarnation, "standing": member.standing, "role": member.role,
            "address": member.address, "release": member.release,
            "heartbeat_age_ms": told(|heartbeat| heartbeat.age_ms), "sockets": told(|heartbeat| heartbeat.sockets),
            "conversations": told(|heartbeat| heartbeat.conversations),
        })
    };
    format!("{:#}\n", Value::Array(listed.iter().map(one).collect()))
}

/// What is not known is a dash.
fn as_table(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "no members\n".to_owned();
    }
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let head =
        ["name", "incarnation", "standing", "role", "address", "release", "heartbeat", "sockets", "conversations"];
    let row = |member: &Listed| {
        let told = |of: fn(&Heartbeat) -> String| member.heartbeat.as_ref().map_or_else(|| "-".to_owned(), of);
        [
            member.name.clone(),
            member.incarnation.to_string(),
            member.standing.clone(),
            member.role.clone(),
            dash(&member.address),
            dash(&member.release),
            told(|heartbeat| format!("{}.{} s ago", heartbeat.age_ms / 1_000, heartbeat.age_ms % 1_000 / 100)),
            told(|heartbeat| heartbeat.sockets.to_string()),
            told(|heartbeat| heartbeat.conversations.to_string()),
        ]
    };
    let rows: Vec<[String; 9]> = std::iter::once(head.map(str::to_owned)).chain(listed.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_member_and_a_dash_for_what_is_not_known() {
        let heartbeat = Heartbeat { at_ms: 1_767_225_600_000, age_ms: 1_234, sockets: 7, conversations: 12 };
        let listed = |name: &str, heartbeat: Option<Heartbeat>| Listed {
            name: name.to_owned(),
            incarnation: Uuid::from_u128(1),
            standing: "live".to_owned(),
            role: "both".to_owned(),
            address: heartbeat.map(|_| "10.0.0.1:7400".to_owned()).unwrap_or_default(),
            release: "0.1.0".to_owned(),
            heartbeat,
        };
        let table = as_table(&[listed("onya-0", Some(heartbeat)), listed("onya-10", None)]);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
            .collect();
        assert_eq!(lines[0][..3], ["name", "incarnation", "standing"]);
        assert_eq!(lines[1][2..], ["live", "both", "10.0.0.1:7400", "0.1.0", "1.2 s ago", "7", "12"]);
        assert_eq!(lines[2][2..], ["live", "both", "-", "0.1.0", "-", "-", "-"]);
        assert_eq!(as_table(&[]), "no members\n");
    }
}
