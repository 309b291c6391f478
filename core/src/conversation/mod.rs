//! A conversation: one totally ordered log of entries, and the rules that extend it.
//!
//! ```text
//! State::decide(context, command) -> Ok(Decision { entries, effects, ack }) | Err(Rejection)   changes nothing
//! State::apply(entry)                total: live and replay use the same
//! State::next_deadline(policy)       when the shell must send Signal::DeadlineReached
//! State::recovery()                  the signal to send first after a reload, if any
//! ```
//!
//! The shell decides, appends the entries to the store, applies them, acknowledges, publishes and then runs the
//! effects, in that order. If the append is refused nothing has leaked: the decision is dropped.
//!
//! One family of rules per file: [`turn`] (what the assistant owes), [`handoff`] (who is in control),
//! [`delivery`] (idempotency and sender order), [`idle`] (timers), [`erasure`] (nothing that was said is kept), [`prompt`]
//! (what the model is shown).
//! What is deliberately absent: the text of a reply in progress (it arrives with the command that ends the turn),
//! sockets, tokens, clocks.

mod apply;
mod command;
mod decide;
mod delivery;
mod draft;
mod effect;
mod erasure;
mod event;
mod handoff;
mod idle;
mod policy;
mod prompt;
mod rejection;
mod state;
mod turn;

pub use command::{
    Action, Actor, Command, Context, Overlap, PartialReply, ReplyEnding, Request, ReturnTo, Role, Signal,
};
pub use delivery::{Commitment, Key, KnownKey, RECENT_KEYS, Salt};
pub use effect::{Ack, Decision, Effect};
pub use event::{
    Author, Cause, Control, Entry, EscalationReason, Event, Failure, Notice, Outcome, Priority, Score, View,
};
pub use policy::Policy;
pub use prompt::{Prompt, PromptMessage, Speaker, build_prompt};
pub use rejection::Rejection;
pub use state::{Assignment, Head, Queued, Snapshot, State, Turn};
