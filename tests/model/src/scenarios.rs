//! The scenarios that are checked. All of them have two pods and one conversation.
//!
//! Each is small enough that every interleaving is looked at, and most are about one kind of fault, because faults
//! multiply: three kinds at once leave room for one command.

use crate::reached;
use crate::scenario::Command::{HandBack, Say, SayMore, TakeOver};
use crate::scenario::{Faults, Scenario};

/// All of them.
pub const ALL: [Scenario; 10] =
    [TALK, KILLED, CUT, SLOW, MOVED, MOVED_AND_KILLED, REPEATED, FORGOTTEN, RESTORED, AT_ONCE];

/// Everything that the customer and the agent ask for.
pub const TALK: Scenario = Scenario {
    name: "talk",
    commands: &[Say, SayMore, TakeOver, HandBack],
    faults: Faults { cuts: 1, ..Faults::NONE },
    reaches: &[reached::TAKEN_OVER, reached::HANDED_BACK, reached::STORED],
    ..Scenario::CALM
};

/// Processes are killed and start again.
pub const KILLED: Scenario = Scenario {
    name: "killed",
    commands: &[Say, TakeOver],
    faults: Faults { crashes: 2, ..Faults::NONE },
    reaches: &[reached::LOST_RACE, reached::TAKEN_OVER, reached::GONE_ON, reached::GIVEN_UP],
    ..Scenario::CALM
};

/// Connections to the store break, and the store takes nothing for a moment.
pub const CUT: Scenario = Scenario {
    name: "cut",
    commands: &[Say, TakeOver],
    faults: Faults { cuts: 2, refusals: 1, ..Faults::NONE },
    reaches: &[reached::STORED, reached::NOT_STORED, reached::LATE, reached::REPEATED, reached::FENCED],
    ..Scenario::CALM
};

/// A process that is only slow is declared dead, and goes on until it finds out.
pub const SLOW: Scenario = Scenario {
    name: "slow",
    commands: &[Say, TakeOver],
    faults: Faults { verdicts: 1, cuts: 1, ..Faults::NONE },
    reaches: &[
        reached::FENCED,
        reached::ZOMBIE,
        reached::LOCKED,
        reached::DEAD_CLAIMS,
        reached::DEAD_REFUSED,
        reached::LOST_RACE,
    ],
    ..Scenario::CALM
};

/// Conversations are handed over, pods are shut down in good order, and actors leave memory.
pub const MOVED: Scenario = Scenario {
    name: "moved",
    commands: &[Say, TakeOver],
    faults: Faults { handovers: 1, drains: 1, passivations: 1, ..Faults::NONE },
    reaches: &[reached::RELEASED, reached::DRAINED, reached::GONE_ON, reached::TAKEN_OVER],
    ..Scenario::CALM
};

/// The same while processes are killed.
pub const MOVED_AND_KILLED: Scenario = Scenario {
    name: "moved and killed",
    commands: &[Say],
    faults: Faults { handovers: 1, drains: 1, crashes: 1, ..Faults::NONE },
    reaches: &[reached::RELEASED, reached::DRAINED, reached::GONE_ON],
    ..Scenario::CALM
};

/// Commands are sent again without need, too.
pub const REPEATED: Scenario = Scenario {
    name: "repeated",
    commands: &[Say, SayMore],
    faults: Faults { repeats: 1, cuts: 1, ..Faults::NONE },
    reaches: &[reached::REPEATED, reached::STORED, reached::NOT_STORED],
    ..Scenario::CALM
};

/// The same where owners have forgotten what was sent.
pub const FORGOTTEN: Scenario = Scenario {
    name: "forgotten",
    commands: &[Say, SayMore],
    faults: Faults { repeats: 1, cuts: 1, ..Faults::NONE },
    forgets: true,
    reaches: &[reached::REPEATED, reached::REPEATED_BY_STORE],
    ..Scenario::CALM
};

/// The store goes back to an earlier state while pods run.
pub const RESTORED: Scenario = Scenario {
    name: "restored",
    commands: &[Say],
    faults: Faults { restores: 1, ..Faults::NONE },
    reaches: &[reached::NONCE_ALONE],
    ..Scenario::CALM
};

/// A kill, a cut and a wrong verdict, in every order.
pub const AT_ONCE: Scenario = Scenario {
    name: "at once",
    commands: &[Say],
    faults: Faults { crashes: 1, cuts: 1, verdicts: 1, ..Faults::NONE },
    reaches: &[reached::FENCED, reached::ZOMBIE, reached::LATE, reached::GONE_ON, reached::GIVEN_UP],
    ..Scenario::CALM
};
