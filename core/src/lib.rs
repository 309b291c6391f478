//! Every decision Onya takes, and no effect.
//!
//! This crate is a set of synchronous state machines. A machine is asked to decide on a command, answers with
//! the events that follow and the effects that the caller should run, and changes only when the events are applied.
//! Nothing here reads a clock, draws a random number, does I/O, awaits or iterates in hash order: time, identifiers
//! and texts come in as arguments, so that a replay of the same events gives the same state, always.
//!
//! Read [`conversation`] first: a conversation is one log of entries and the rules that extend it.
//! [`desk`] orders the customers who wait for a person. [`cluster`] says which process should own which conversation.

pub mod cluster;
pub mod conversation;
pub mod desk;
pub mod id;
pub mod time;

pub use id::{AssignmentId, ClientMsgId, ConversationId, Incarnation, InvalidClientMsgId, ParticipantId, Seq};
pub use time::Timestamp;
