//! The table: what was measured, of Onya and of what it is compared with in the same run, against the mark that is to be met.

use serde::Serialize;

use crate::figures::{Figures, number};

/// What a figure of Onya's should be.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Mark {
    /// None: the figure is for information.
    None,
    /// No more than this, in the figure's unit.
    AtMost(f64),
    /// No more than so many times the figure that it is compared with, which is called so.
    Times(f64, &'static str),
    /// Not zero.
    Yes,
}

/// One row.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub what: String,
    pub unit: &'static str,
    pub onya: Option<f64>,
    /// What it is compared with, from the same run.
    pub beside: Option<f64>,
    pub mark: Mark,
}

impl Row {
    /// A figure of a measurement that has nothing beside it.
    pub(crate) fn of(what: &str, (figures, key): (&Figures, &str), unit: &'static str, mark: Mark) -> Self {
        Self { what: what.to_owned(), unit, onya: figures.get(key), beside: None, mark }
    }

    /// Takes the mark away, from a figure that was measured at another size.
    pub(crate) fn unmark(&mut self) {
        self.mark = Mark::None;
    }

    /// Whether the mark is met; `None` if there is none, or nothing to compare.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let onya = self.onya?;
        match self.mark {
            Mark::None => None,
            Mark::AtMost(most) => Some(onya <= most),
            Mark::Times(times, _) => Some(onya <= times * self.beside?),
            Mark::Yes => Some(onya > 0.0),
        }
    }

    fn cells(&self) -> [String; 6] {
        let show = |value: Option<f64>| value.map_or("–".to_owned(), number);
        let show_onya = match (self.mark, self.onya) {
            (Mark::Yes, Some(value)) => if value > 0.0 { "yes" } else { "no" }.to_owned(),
            (_, value) => show(value),
        };
        let ratio = self.onya.zip(self.beside).filter(|(_, beside)| *beside > 0.0).map(|(onya, beside)| onya / beside);
        let mark = match self.mark {
            Mark::None => String::new(),
            Mark::AtMost(most) => format!("≤ {}", number(most)),
            Mark::Times(times, name) => format!("≤ {times} × {name}"),
            Mark::Yes => "yes".to_owned(),
        };
        let met = match self.is_met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        };
        let unit = if self.unit.is_empty() { String::new() } else { format!(", {}", self.unit) };
        [format!("{}{unit}", self.what), show_onya, show(self.beside), show(ratio), mark, met.to_owned()]
    }
}

/// All rows as a table of Markdown, which is legible as it is; `beside` heads what Onya is compared with.
pub(crate) fn text(rows: &[Row], beside: &str) -> String {
    let head = ["measure", "Onya", beside, "ratio", "mark", ""].map(str::to_owned);
    let lines: Vec<_> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |cells: &[String; 6]| {
        let cell = |(cell, width): (&String, &usize)| format!("{cell}{}", " ".repeat(width - cell.chars().count()));
        format!("| {} |\n", cells.iter().zip(&widths).map(cell).collect::<Vec<_>>().join(" | "))
    };
    let rule = format!("|{}|\n", widths.map(|width| "-".repeat(width + 2)).join("|"));
    let body: String = lines[1..].iter().map(line).collect();
    format!("{}{rule}{body}", line(&lines[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(onya: f64, beside: Option<f64>, mark: Mark) -> Row {
        Row { what: "token".to_owned(), unit: "us", onya: Some(onya), beside, mark }
    }

    #[test]
    fn a_mark_is_met_or_missed_or_cannot_be_told() {
        assert_eq!(row(9.0, None, Mark::AtMost(9.0)).is_met(), Some(true));
        assert_eq!(row(9.1, None, Mark::AtMost(9.0)).is_met(), Some(false));
        assert_eq!(row(28.0, Some(20.0), Mark::Times(1.4, "relay")).is_met(), Some(true));
        assert_eq!(row(28.1, Some(20.0), Mark::Times(1.4, "relay")).is_met(), Some(false));
        assert_eq!(row(28.0, None, Mark::Times(1.4, "relay")).is_met(), None, "the relay was not measured");
        assert_eq!(row(1.0, None, Mark::None).is_met(), None);
        assert_eq!(row(0.0, None, Mark::Yes).is_met(), Some(false));
    }

    #[test]
    fn the_table_has_a_line_for_each_row_and_all_lines_are_as_wide() {
        let rows = [row(55.8, Some(23.8), Mark::Times(1.4, "relay")), row(1.0, None, Mark::Yes)];
        let text = text(&rows, "bare relay");
        let widths: std::collections::BTreeSet<_> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!((text.lines().count(), widths.len()), (4, 1), "{text}");
        assert!(text.contains("| 55.80 | 23.80      | 2.34  | ≤ 1.4 × relay | missed |"), "{text}");
        assert!(text.contains("| yes "), "{text}");
    }
}
