//! The table in words: the same cells in a terminal and as lines.

use crate::model::{Row, Totals};

const HEAD: [&str; 10] =
    ["node", "incarnation", "standing", "link address", "ring", "owned", "sockets", "replies", "pid", "process"];

/// The cells of a row. What is not known is a dash.
fn cells(row: &Row) -> [String; 10] {
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let counted = |index: usize| row.counters.map_or_else(|| "-".to_owned(), |counters| counters[index].to_string());
    [
        row.name.clone(),
        dash(row.incarnation.clone()),
        row.standing.clone(),
        dash(row.address.clone()),
        format!("{:.1} %", row.share),
        row.owned.to_string(),
        counted(0),
        counted(1),
        row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        row.process.clone(),
    ]
}

/// What all nodes do together, in one line.
pub(crate) fn summary(totals: &Totals) -> String {
    format!(
        "{} conversations, {} of them free; {} sockets, {} replies in progress; {:.1} turns ended and {:.1} commands \
         acknowledged a second",
        totals.conversations,
        totals.free,
        totals.sockets,
        totals.replies,
        totals.turns_per_second,
        totals.acknowledged_per_second
    )
}

/// The head and a line for each row, in columns.
pub(crate) fn lines(rows: &[Row]) -> Vec<String> {
    let table: Vec<[String; 10]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 10] = std::array::from_fn(width);
    let line = |row: &[String; 10]| {
        let padded: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    table.iter().map(line).collect()
}
