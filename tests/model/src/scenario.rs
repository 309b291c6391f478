//! What is varied: the commands that are given, how often each fault may strike, and what is wrong on purpose.
//!
//! [`crate::scenarios`] has those that are checked.

use crate::planted::Planted;

/// A bounded world, of which every interleaving is looked at.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is about, in a word.
    pub name: &'static str,
    /// What the customer and the agent ask for.
    pub commands: &'static [Command],
    /// How often each fault may strike.
    pub faults: Faults,
    /// Whether owners remember no commands, as if each had been followed by more than a state keeps: only the store can
    /// tell a repeat.
    pub forgets: bool,
    /// What must be reached in it: names of [`crate::reached`].
    pub reaches: &'static [&'static str],
    /// What is wrong on purpose.
    pub planted: Option<Planted>,
}

/// Something that a participant asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The customer's question.
    Say,
    /// Another message of the customer's, after the first has been sent.
    SayMore,
    /// The agent takes over from the assistant, once there is a question.
    TakeOver,
    /// The agent hands back, once the takeover is acknowledged.
    HandBack,
}

/// How often each fault may strike. What follows from one, such as a new start, is not bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// A process is killed.
    pub crashes: u8,
    /// A connection between pod and store breaks, or a time limit passes, before the outcome of a statement is known.
    pub cuts: u8,
    /// The store takes a statement just now not, and says so.
    pub refusals: u8,
    /// A process that is only slow is declared dead.
    pub verdicts: u8,
    /// A pod is asked to hand the conversation over.
    pub handovers: u8,
    /// A pod is shut down in good order.
    pub drains: u8,
    /// An idle actor leaves memory, and its pod stays the owner.
    pub passivations: u8,
    /// A command is sent once more although nothing says that it was lost.
    pub repeats: u8,
    /// The store goes back to an earlier state.
    pub restores: u8,
}

impl Faults {
    /// None at all.
    pub const NONE: Self = Self {
        crashes: 0,
        cuts: 0,
        refusals: 0,
        verdicts: 0,
        handovers: 0,
        drains: 0,
        passivations: 0,
        repeats: 0,
        restores: 0,
    };
}

impl Scenario {
    /// Nothing is asked for, and nothing happens.
    pub const CALM: Self =
        Self { name: "calm", commands: &[], faults: Faults::NONE, forgets: false, reaches: &[], planted: None };

    /// The same world with a fault planted.
    #[must_use]
    pub const fn with(self, planted: Planted) -> Self {
        Self { planted: Some(planted), ..self }
    }

    /// Whether this is what is wrong.
    #[must_use]
    pub fn is(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }
}
