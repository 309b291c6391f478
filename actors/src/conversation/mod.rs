//! One process per live conversation: decide → append → apply → publish → acknowledge → effects.
//!
//! ```text
//! Handle ──(admission: commands and bytes)──▶ mailbox ──▶ inbox ─┐
//! completion ── end ───────────────────────▶ mailbox ──▶ reply ──┼─▶ decide ─▶ persistence ─▶ Appended ─▶ commit
//! timer ── Wake ───────────────────────────▶ mailbox ──▶ signals ┘
//! completion ── text ──▶ gate ──▶ readers
//! ```
//!
//! One append is in flight at a time; it is sent, and its outcome comes back as a message, so that text, readers and
//! new commands are handled while the store is slow. A command that cuts a reply closes the gate for its text on
//! receipt, and the gate is closed while anything is decided; if nothing cuts the reply, it opens again.
//!
//! [`actor`] holds the messages and the life of the process, [`steps`] one step of the loop above, [`outcome`] what the
//! store's answer makes of it, [`reply`] the reply in progress, [`gate`] the way of its text, [`window`] the end of the
//! log, [`departure`] its way to another node, [`confirmation`] what a
//! takeover waits for, [`handle`] how others reach it.

mod actor;
mod confirmation;
mod departure;
mod gate;
mod handle;
mod live;
mod outcome;
mod reply;
mod steps;
mod window;

pub(crate) use actor::{Arguments, ConversationActor, Message};
pub(crate) use gate::Gate;
pub(crate) use handle::{Admission, Command, Handle, Refused, Reply, WaitingText, busy, text_bytes};
