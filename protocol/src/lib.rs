//! What crosses a wire: the frames of customers, staff and other nodes ([`peer`]), the error codes, the versions.
//!
//! Types and their translation from [`onya_core`], nothing else: no sockets, no decisions. The JSON Schema in
//! `docs/schema/` is generated from these types; `docs/PROTOCOL.md` explains them to somebody who writes a client.
//!
//! Two kinds of server frame are never confused. A *committed* frame ([`ServerFrame::Entry`], and the entries of
//! [`ServerFrame::Synced`]) is a fact of the log with its `seq`. Everything else is *provisional*: it may be withdrawn,
//! and a committed frame replaces it.

pub mod convert;
mod customer;
mod entry;
mod error;
pub mod peer;
mod schema;
mod server;
mod staff;
mod version;

pub use customer::CustomerFrame;
pub use entry::{Author, Cause, Control, EntryBody, LogEntry, Notices};
pub use error::{CloseCode, ErrorCode};
pub use server::{
    Ack, Cursor, Delta, LiveTurn, NotRecovered, Position, QueueEntry, Refusal, Reset, ServerFrame, Synced, Typing,
};
pub use staff::StaffFrame;
pub use version::{SERVED_VERSIONS, VERSION, negotiate};
