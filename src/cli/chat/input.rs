//! What is typed: lines, and the commands among them.

use onya_core::ConversationId;
use onya_core::conversation::{ReturnTo, Score};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin, stdin};

/// One line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Say(String),
    Stop,
    Regenerate,
    Human,
    Assistant,
    Rate(Score, Option<String>),
    Close,
    Queue,
    List,
    Claim(Place),
    Watch(Place),
    TakeOver,
    Back(ReturnTo),
    Quit,
    Help,
    Unknown(String),
}

/// Which conversation: by its number in the last list, or by its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Number(usize),
    Id(ConversationId),
}

impl Line {
    /// `None` for an empty line. `//` says something that begins with a slash.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() {
            return None;
        }
        let Some(command) = line.strip_prefix('/') else { return Some(Self::Say(line.to_owned())) };
        if command.starts_with('/') {
            return Some(Self::Say(command.to_owned()));
        }
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        Some(parse_command(name, rest.trim()).unwrap_or_else(|| Self::Unknown(line.to_owned())))
    }

    /// Whether a script means it now, not after the reply in progress.
    pub(super) const fn is_urgent(&self) -> bool {
        matches!(self, Self::Stop | Self::Quit)
    }
}

fn parse_command(name: &str, rest: &str) -> Option<Line> {
    Some(match name {
        "stop" => Line::Stop,
        "regenerate" => Line::Regenerate,
        "human" => Line::Human,
        "assistant" => Line::Assistant,
        "rate" => {
            let (score, comment) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let score = match score {
                "up" => Score::Up,
                "down" => Score::Down,
                _ => return None,
            };
            Line::Rate(score, Some(comment.trim().to_owned()).filter(|comment| !comment.is_empty()))
        }
        "close" => Line::Close,
        "queue" => Line::Queue,
        "list" => Line::List,
        "claim" => Line::Claim(parse_place(rest)?),
        "watch" => Line::Watch(parse_place(rest)?),
        "takeover" => Line::TakeOver,
        "back" if rest.is_empty() => Line::Back(ReturnTo::Assistant),
        "back" if rest == "queue" => Line::Back(ReturnTo::Queue),
        "quit" => Line::Quit,
        "help" => Line::Help,
        _ => return None,
    })
}

fn parse_place(text: &str) -> Option<Place> {
    if text.is_empty() {
        return Some(Place::Number(1));
    }
    text.parse().map(Place::Number).or_else(|_| text.parse().map(Place::Id)).ok()
}

/// Standard input, line by line.
pub(super) struct Input {
    lines: Lines<BufReader<Stdin>>,
    has_ended: bool,
}

impl Input {
    pub(super) fn new() -> Self {
        Self { lines: BufReader::new(stdin()).lines(), has_ended: false }
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The next line with something in it; `None` at the end. Cancellation loses nothing.
    pub(super) async fn next(&mut self) -> Option<Line> {
        loop {
            match self.lines.next_line().await {
                Ok(Some(text)) => {
                    if let Some(line) = Line::parse(&text) {
                        return Some(line);
                    }
                }
                Ok(None) | Err(_) => {
                    self.has_ended = true;
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages_and_slashes_are_commands() {
        let id = "0198c0de-0000-7000-8000-000000000001";
        for (text, expected) in [
            ("  hello there ", Some(Line::Say("hello there".to_owned()))),
            ("", None),
            ("//stop", Some(Line::Say("/stop".to_owned()))),
            ("/stop", Some(Line::Stop)),
            ("/rate up", Some(Line::Rate(Score::Up, None))),
            ("/rate down  not it ", Some(Line::Rate(Score::Down, Some("not it".to_owned())))),
            ("/rate", Some(Line::Unknown("/rate".to_owned()))),
            ("/back", Some(Line::Back(ReturnTo::Assistant))),
            ("/back queue", Some(Line::Back(ReturnTo::Queue))),
            ("/claim", Some(Line::Claim(Place::Number(1)))),
            ("/claim 3", Some(Line::Claim(Place::Number(3)))),
            (&format!("/watch {id}"), Some(Line::Watch(Place::Id(id.parse().unwrap())))),
            ("/claim x", Some(Line::Unknown("/claim x".to_owned()))),
            ("/dance", Some(Line::Unknown("/dance".to_owned()))),
        ] {
            assert_eq!(Line::parse(text), expected, "{text:?}");
        }
    }
}
