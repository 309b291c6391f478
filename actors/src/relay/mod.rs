//! Between nodes: an edge holds sockets and asks, an owner holds conversations and shows.
//!
//! ```text
//! socket → connection → row ─ outbox ─→ OwnerLink ══ transport ══ EdgeLink ─→ row → conversation
//! socket ← send queue ← row ←───────── OwnerLink ══ transport ══ EdgeLink ←─ row ← what it publishes
//! ```
//!
//! A node dials every other one: its [`OwnerLink`] is the edge's end, the other's [`EdgeLink`] the owner's. What an edge
//! has sent and heard no answer to stays in the outbox of the row (`directory/course.rs`) and is sent again when the link
//! is lost or the conversation has moved. Here is no I/O: a [`crate::ports::Transport`] takes frames from an end and gives
//! it those that arrive. [`courier`] keeps the links and sends on what waits; [`balance`] leaves conversations to whom the
//! ring gives them; [`digest`] finds readers that have missed something.

mod balance;
mod courier;
mod digest;
mod edge_link;
mod owner_link;
mod peers;
mod queue;

#[cfg(feature = "testing")]
pub use balance::{AT_A_TIME, EVERY, RESIDENCE};
pub(crate) use courier::start;
pub use edge_link::EdgeLink;
pub use owner_link::OwnerLink;
pub(crate) use owner_link::Watched;
pub(crate) use peers::Peers;
