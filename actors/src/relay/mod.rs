//! Between nodes: an edge holds sockets and asks, an owner holds conversations and shows.
//!
//! ```text
//! socket → connection → row ─ outbox ─→ OwnerLink ══ transport ══ EdgeLink ─→ row → conversation
//! socket ← send queue ← row ←───────── OwnerLink ══ transport ══ EdgeLink ←─ row ← what it publishes
//! ```
//!
//! A node dials every other one: its [`OwnerLink`] is the edge's end, the other's [`EdgeLink`] the owner's. What an edge
//! has sent and heard no answer to stays in the outbox of the row (`outbox.rs`) and is sent again when the link is lost or
//! the conversation has moved. Here is no I/O: a [`crate::ports::Transport`] takes frames from a [`LinkQueue`] and gives
//! those that arrive to the end.

mod edge_link;
mod owner_link;
mod queue;

pub use edge_link::EdgeLink;
pub use owner_link::OwnerLink;
pub(crate) use queue::{LinkFrame, LinkQueue};
