//! What can be done to the cluster, as a word on a line or as a key.

use std::fmt;

use anyhow::{Context as _, Result, bail};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What can be done to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// To the node of this name.
    Node(Verb, String),
    Add,
    /// The customers of our own come, or go if they are there.
    Traffic,
    Quit,
}

/// What can be done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Kill,
    /// Stands still, or goes on if it stands still.
    Pause,
    Drain,
    Restart,
}

impl Command {
    /// Reads a line such as `kill node-2`.
    pub(crate) fn read(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let node = |verb| {
            let name = words.get(1).with_context(|| format!("{} whom? For example: {0} node-1", words[0]))?;
            Ok(Self::Node(verb, (*name).to_owned()))
        };
        match words.first().copied() {
            Some("kill") => node(Verb::Kill),
            Some("pause") => node(Verb::Pause),
            Some("drain") => node(Verb::Drain),
            Some("restart") => node(Verb::Restart),
            Some("add") => Ok(Self::Add),
            Some("traffic") => Ok(Self::Traffic),
            Some("quit") => Ok(Self::Quit),
            _ => bail!("{line:?} is none of kill, pause, drain, restart NODE, add, traffic, quit"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(verb, name) => write!(out, "{} {name}", format!("{verb:?}").to_lowercase()),
            other => write!(out, "{}", format!("{other:?}").to_lowercase()),
        }
    }
}

/// What keys have chosen so far.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The number of the chosen row.
    pub chosen: usize,
    pub help: bool,
}

impl Keys {
    /// Takes a key; what it asks for, given the names in the table's order.
    pub(crate) fn press(&mut self, key: KeyEvent, names: &[String]) -> Option<Command> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return (key.code == KeyCode::Char('c')).then_some(Command::Quit);
        }
        let on = |verb| names.get(self.chosen).map(|name| Command::Node(verb, name.clone()));
        match key.code {
            KeyCode::Up => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Down => self.chosen = (self.chosen + 1).min(names.len().saturating_sub(1)),
            KeyCode::Char('?') => self.help = !self.help,
            KeyCode::Esc => self.help = false,
            KeyCode::Char('k') => return on(Verb::Kill),
            KeyCode::Char('p') => return on(Verb::Pause),
            KeyCode::Char('d') => return on(Verb::Drain),
            KeyCode::Char('r') => return on(Verb::Restart),
            KeyCode::Char('a') => return Some(Command::Add),
            KeyCode::Char('t') => return Some(Command::Traffic),
            KeyCode::Char('q') => return Some(Command::Quit),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keys: &mut Keys, code: KeyCode) -> Option<Command> {
        let names = ["node-1", "node-2"].map(str::to_owned);
        keys.press(KeyEvent::new(code, KeyModifiers::NONE), &names)
    }

    #[test]
    fn keys_act_on_the_chosen_node_and_the_choice_stays_in_the_table() {
        let mut keys = Keys::default();
        assert_eq!(press(&mut keys, KeyCode::Char('k')), Some(Command::Node(Verb::Kill, "node-1".to_owned())));
        for _ in 0..3 {
            assert_eq!(press(&mut keys, KeyCode::Down), None);
        }
        assert_eq!(press(&mut keys, KeyCode::Char('p')), Some(Command::Node(Verb::Pause, "node-2".to_owned())));
        assert_eq!(press(&mut keys, KeyCode::Up), None);
        assert_eq!(press(&mut keys, KeyCode::Char('d')), Some(Command::Node(Verb::Drain, "node-1".to_owned())));
    }

    #[test]
    fn control_c_quits_and_a_key_that_is_let_go_does_nothing() {
        let mut keys = Keys::default();
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(keys.press(control_c, &[]), Some(Command::Quit));
        let released = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(keys.press(released, &[]), None);
        assert_eq!(keys.press(KeyEvent::new(KeyCode::Char('k'), KeyModifiers::NONE), &[]), None);
    }

    #[test]
    fn lines_are_read_and_what_is_missing_is_said() {
        assert_eq!(Command::read(" restart  node-3 ").unwrap(), Command::Node(Verb::Restart, "node-3".to_owned()));
        assert_eq!(Command::read("add").unwrap(), Command::Add);
        assert!(Command::read("kill").unwrap_err().to_string().contains("kill node-1"));
        assert!(Command::read("explode node-1").unwrap_err().to_string().contains("explode"));
    }
}
