//! Customer and agent: each of their commands is sent, sent again, and answered or not.

use crate::log::{Key, Seq};
use crate::planted::Planted;
use crate::scenario::Command;

/// Names that a command may have, if a planted fault renames it.
pub const MAX_NAMES: u8 = 8;

/// One command and its sender's view of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sending {
    /// Whether it has been sent at all.
    pub sent: bool,
    /// Copies under way that no owner has taken up.
    pub waiting: u8,
    /// What the sender has heard.
    pub told: Told,
    /// Whether a copy got lost on the way, or its outcome: it may be stored.
    pub doubtful: bool,
    /// How often a planted fault has renamed it.
    pub name: u8,
}

/// What a sender has heard of its command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// That it was not stored, and may be sent again.
    NotStored,
    /// That nobody knows, or nothing for so long that nobody does.
    Unknown,
    /// That the rules forbid it.
    Refused,
    /// That it stands at this position.
    Acked(Ack),
}

/// An acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ack {
    /// Where the command stands.
    pub seq: Seq,
    /// Whether it had been stored before.
    pub repeated: bool,
}

impl Sending {
    /// Whether the sender asks for nothing more.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(self.told, Told::Refused | Told::Acked(_))
    }

    /// A copy goes out.
    pub const fn send(&mut self) {
        self.sent = true;
        self.waiting += 1;
    }

    /// An owner takes a copy up; the name that it reads.
    pub fn take(&mut self, command: usize, planted: Option<Planted>) -> Key {
        let key = Key { command: u8::try_from(command).unwrap_or(u8::MAX), name: self.name };
        self.waiting -= 1;
        self.name += u8::from(planted == Some(Planted::NoDedupe));
        key
    }

    /// The sender hears of a copy. What it was promised once stays promised.
    pub fn hear(&mut self, told: Told, planted: Option<Planted>) {
        if told == Told::Unknown {
            self.doubtful = true;
            self.name += u8::from(planted == Some(Planted::RetryUnderNewName));
        }
        if !self.is_settled() || matches!(told, Told::Acked(_)) {
            self.told = told;
        }
    }
}

/// Whether the sender would give a command its first sending now.
#[must_use]
pub fn is_wanted(commands: &[Command], sendings: &[Sending], command: Command) -> bool {
    let of =
        |wanted| commands.iter().zip(sendings).find(|(command, _)| **command == wanted).map(|(_, sending)| sending);
    match command {
        Command::Say => true,
        Command::SayMore | Command::TakeOver => of(Command::Say).is_some_and(|question| question.sent),
        Command::HandBack => of(Command::TakeOver).is_some_and(|taking| matches!(taking.told, Told::Acked(_))),
    }
}
