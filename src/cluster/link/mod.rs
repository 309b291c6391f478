//! Links between nodes: one connection for each pair and direction, carrying frames of [`onya_protocol::peer`] both ways.
//!
//! ```text
//! dial       resolve, connect, upgrade with a proof, check the answer   ─┐
//! accept     listen, admit (Origin, proof, version, place), answer      ─┴─ carry: read ∥ write, until either ends
//! ```
//!
//! A frame is JSON; a WebSocket message holds as many as wait. Whoever dials and whoever answers have both proven that they
//! hold the cluster's keys, and which start of which process they are, before a frame passes (`handshake.rs`). Nothing is
//! encrypted here. What waits to be written is the business of the [`onya_actors::ports::LinkEnd`], here is no queue;
//! dialing again is the business of whoever dials. Read `carry.rs` for how a link is found to be lost.

mod accept;
mod admission;
mod batch;
mod carry;
mod credentials;
mod dial;
mod ending;
mod handshake;
mod network;
mod nonces;
mod places;
mod presence;
mod pulse;
mod read;
mod write;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

pub use accept::Acceptor;
pub use credentials::{CredentialError, Credentials, Proven, Purpose};
pub use dial::Dialer;
pub use network::{Network, Tcp};

use pulse::Watched;

/// Most bytes of one message. A frame that tells a reader where a conversation stands is the longest: the window of entries
/// (`conversation.window_bytes`) and the reply so far, at worst six bytes of JSON for each of theirs.
pub(crate) const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// What is read at once, and what is gathered before it is written.
const BUFFER_BYTES: usize = 64 * 1024;

/// A connection that has become a link.
type Socket<S> = WebSocketStream<Watched<S>>;

/// How a node takes links.
#[derive(Clone, Copy, Debug)]
pub struct LinkSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Most links at a time: as many as there are other nodes, with room for those that are being replaced.
    pub max_links: usize,
    /// Most connections at a time that have not proven who they are.
    pub max_handshakes: usize,
    /// Its times.
    pub times: LinkTimes,
}

impl LinkSettings {
    /// The usual bounds and times.
    #[must_use]
    pub fn at(listen: SocketAddr) -> Self {
        Self { listen, max_links: 256, max_handshakes: 64, times: LinkTimes::default() }
    }
}

/// How long things may take on a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkTimes {
    /// Finding the address and connecting.
    pub connect: Duration,
    /// From the connection to the link.
    pub handshake: Duration,
    /// From one sign of life to the next.
    pub ping_interval: Duration,
    /// Not a byte comes in: then the other side is gone. The kernel does not tell when a host disappears.
    pub silence: Duration,
    /// Not a byte of what is to be written goes out: then the other side does not read.
    pub write: Duration,
}

impl Default for LinkTimes {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            handshake: Duration::from_secs(5),
            ping_interval: Duration::from_secs(2),
            silence: Duration::from_secs(6),
            write: Duration::from_secs(6),
        }
    }
}

fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        // What waits is written before more is added, and a message is the most that is added.
        .max_write_buffer_size(2 * MAX_MESSAGE_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
}
