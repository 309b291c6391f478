//! One socket: a bounded send queue, and for each conversation it follows a subscriber.
//!
//! A connection is no actor: the task that owns the socket reads frames into [`CustomerConnection::handle`] or
//! [`StaffConnection::handle`] and writes what [`SendQueue::next`] yields. Dropping the connection unsubscribes;
//! it never stops a reply. Start with [`SendQueue`]: its rules are the promises to a slow reader.

mod customer;
mod queue;
mod registry;
mod staff;
mod subscriber;
mod sync;
mod viewer;

pub use customer::CustomerConnection;
pub use queue::{SendQueue, SendQueueLimits, ShortCut, Written};
pub use staff::StaffConnection;

pub(crate) use registry::Registry;
#[cfg(test)]
pub(crate) use subscriber::standing_at_3;
pub(crate) use subscriber::{Attempt, Published, PublishedEntry, Subscriber};
pub(crate) use sync::{Standing, synced};
pub(crate) use viewer::Viewer;
