//! What the mock model will do, decided before it says anything.

use onya_actors::ports::ModelEnd;
use onya_core::conversation::{Failure, Priority};

use super::wording;

/// Most tokens that a command can ask for.
const MAX_TOKENS: usize = 100_000;

/// One performance of the mock model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Script {
    /// What it says, token by token.
    pub tokens: Vec<String>,
    /// Its pace, if the message sets one.
    pub tokens_per_second: Option<f64>,
    /// What happens after the last token.
    pub finish: Finish,
}

/// How a performance ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// By itself.
    With(ModelEnd),
    /// Not by itself: it falls silent until a clock ends it.
    Stall,
}

enum Command {
    Fail,
    Stall,
    Human,
    Cut(usize),
    Long(usize),
    Slow(f64),
}

impl Script {
    /// What this message and seed lead to.
    pub(super) fn new(message: &str, seed: u64) -> Self {
        let mut words = message.split_whitespace();
        if words.next() != Some("/mock") {
            return Self::saying(&wording::answer(message, seed));
        }
        match Command::read(words) {
            Some(command) => command.script(message, seed),
            None => Self::saying(wording::COMMANDS),
        }
    }

    fn saying(text: &str) -> Self {
        Self::ending(tokens(text), Finish::With(ModelEnd::Complete))
    }

    fn ending(tokens: Vec<String>, finish: Finish) -> Self {
        Self { tokens, tokens_per_second: None, finish }
    }
}

impl Command {
    /// `None` if there is no such command, its number is missing or wrong, or something follows it.
    fn read<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let name = words.next()?;
        let number = words.next();
        if words.next().is_some() {
            return None;
        }
        let count = || number?.parse().ok().filter(|count| (1..=MAX_TOKENS).contains(count));
        let pace = || number?.parse().ok().filter(|pace: &f64| (0.01..=1_000_000.0).contains(pace));
        match (name, number) {
            ("fail", None) => Some(Self::Fail),
            ("stall", None) => Some(Self::Stall),
            ("human", None) => Some(Self::Human),
            ("cut", Some(_)) => count().map(Self::Cut),
            ("long", Some(_)) => count().map(Self::Long),
            ("slow", Some(_)) => pace().map(Self::Slow),
            _ => None,
        }
    }

    fn script(self, message: &str, seed: u64) -> Script {
        let failed = |failure| Finish::With(ModelEnd::Failed(failure));
        match self {
            Self::Fail => Script::ending(Vec::new(), failed(Failure::ModelUnavailable)),
            Self::Stall => Script::ending(Vec::new(), Finish::Stall),
            Self::Human => Script::ending(Vec::new(), Finish::With(asking_for_a_person())),
            Self::Cut(count) => Script::ending(counted(message, seed, count), failed(Failure::ReplyCut)),
            Self::Long(count) => Script::ending(counted(message, seed, count), Finish::With(ModelEnd::Complete)),
            Self::Slow(pace) => {
                Script { tokens_per_second: Some(pace), ..Script::saying(&wording::answer(message, seed)) }
            }
        }
    }
}

fn asking_for_a_person() -> ModelEnd {
    let summary = "The mock model was told to ask for a person.".to_owned();
    ModelEnd::AskForPerson { summary: Some(summary), priority: Priority::Normal }
}

/// The words of a text, each with the space before it.
fn tokens(text: &str) -> Vec<String> {
    let words = text.split(' ').enumerate();
    words.map(|(index, word)| if index == 0 { word.to_owned() } else { format!(" {word}") }).collect()
}

/// Exactly so many tokens: an answer, then numbers, so that a missing or doubled token shows.
fn counted(message: &str, seed: u64, count: usize) -> Vec<String> {
    let mut tokens = tokens(&wording::answer(message, seed));
    tokens.extend((tokens.len()..count).map(|index| format!(" {}", index + 1)));
    tokens.truncate(count);
    tokens
}
