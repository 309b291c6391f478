//! Draws the terminal: the table, what all nodes do together, what has happened, and the keys.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use crate::command::Keys;
use crate::model::{Model, Row};
use crate::table::{lines, summary};

/// Events that are kept; more fit on no screen.
const KEPT: usize = 200;
const KEYS: &str = "↑↓ choose  k kill  p pause/resume  d drain  r restart  a add  t traffic  ? help  q quit";

/// What is on the screen beside the model.
#[derive(Default)]
pub(crate) struct Screen {
    pub keys: Keys,
    /// Shown as help: where browsers go, how to sign in.
    greeting: String,
    /// Oldest first, each with its time.
    events: VecDeque<String>,
}

impl Screen {
    pub(crate) fn new(greeting: String) -> Self {
        Self { greeting, ..Self::default() }
    }

    pub(crate) fn tell(&mut self, event: String) {
        self.events.push_back(event);
        if self.events.len() > KEPT {
            self.events.pop_front();
        }
    }

    pub(crate) fn draw(&self, frame: &mut Frame<'_>, model: &Model) {
        let rows = model.rows();
        let table_height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(3);
        let heights =
            [Constraint::Length(table_height), Constraint::Length(2), Constraint::Min(1), Constraint::Length(1)];
        let [table, totals, events, keys] = Layout::vertical(heights).areas(frame.area());
        let bordered = |title| Block::bordered().title(title);
        frame.render_widget(self.table(&rows).block(bordered("Onya on this machine")), table);
        frame.render_widget(Paragraph::new(summary(&model.totals())).wrap(Wrap { trim: true }), totals);
        let newest = self.events.iter().rev().take(usize::from(events.height.saturating_sub(1))).rev();
        let lines: Vec<Line<'_>> = newest.map(|event| Line::styled(event.as_str(), event_style(event))).collect();
        frame.render_widget(Paragraph::new(lines).block(Block::new().title("What happens")), events);
        frame.render_widget(Paragraph::new(KEYS).style(Modifier::REVERSED), keys);
        if self.keys.help {
            frame.render_widget(Clear, frame.area());
            let help = Paragraph::new(format!("{}\n\n{KEYS}", self.greeting)).wrap(Wrap { trim: true });
            frame.render_widget(help.block(bordered("Help")), frame.area());
        }
    }

    fn table(&self, rows: &[Row]) -> Paragraph<'static> {
        let style = |number: usize| match number.checked_sub(1) {
            None => Style::new().add_modifier(Modifier::BOLD),
            Some(chosen) if chosen == self.keys.chosen => row_style(&rows[chosen]).add_modifier(Modifier::REVERSED),
            Some(other) => row_style(&rows[other]),
        };
        let lines = lines(rows).into_iter().enumerate().map(|(number, line)| Line::styled(line, style(number)));
        Paragraph::new(lines.collect::<Vec<_>>())
    }
}

fn row_style(row: &Row) -> Style {
    match (row.standing.as_str(), row.process.as_str()) {
        ("live", "running") => Style::new().fg(Color::Green),
        ("dead", _) => Style::new().fg(Color::Red),
        _ => Style::new().fg(Color::Yellow),
    }
}

fn event_style(event: &str) -> Style {
    if event.contains("dead") || event.contains("has ended") {
        Style::new().fg(Color::Red)
    } else if event.contains("took over") || event.contains("handed over") || event.contains("began again") {
        Style::new().fg(Color::Cyan)
    } else {
        Style::new()
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::look::{Look, Node, Process};

    fn lines(screen: &Screen, model: &Model) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(110, 12)).unwrap();
        terminal.draw(|frame| screen.draw(frame, model)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let cells = buffer.content().chunks(110);
        cells.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()).collect()
    }

    #[test]
    fn the_table_stands_above_what_happens_and_the_keys_are_last() {
        let (mut model, mut screen) = (Model::default(), Screen::default());
        let node = |name: &str, process| Node { name: name.to_owned(), pid: Some(42), process, counters: None };
        let nodes = vec![node("node-1", Process::Running), node("node-2", Process::Paused)];
        model.observe(Look { nodes, ..Look::default() });
        (0..9).for_each(|number| screen.tell(format!("event {number}")));
        let lines = lines(&screen, &model);
        assert!(lines[1].contains("incarnation  standing"), "{lines:#?}");
        let row: Vec<&str> = lines[3].trim_matches('│').split_whitespace().collect();
        assert_eq!(row, ["node-2", "-", "starting", "-", "0.0", "%", "0", "-", "-", "42", "paused"]);
        assert!(lines[5].starts_with("0 conversations, 0 of them free"), "{lines:#?}");
        assert_eq!(lines[7..11], ["What happens", "event 6", "event 7", "event 8"]);
        assert_eq!(lines[11], KEYS);
    }

    #[test]
    fn help_says_where_browsers_go() {
        let mut screen = Screen::new("customers: http://127.0.0.1:3000/".to_owned());
        screen.keys.help = true;
        assert!(lines(&screen, &Model::default())[1].contains("customers: http://127.0.0.1:3000/"));
    }
}
