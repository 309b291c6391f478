//! The edge: HTTP and WebSockets in, calls of [`Sessions`] out.
//!
//! Every request passes the same gates in the same order: origin, size and time limits, token, role. What is allowed in a
//! conversation is not decided here but by its owner; what is stored is not known here. A failure becomes a status and a
//! code in [`error`] and nowhere else.
//!
//! Read [`mod@router`] for every route, `http/` for one resource a file, `ws/` for the life of a socket.

pub mod error;
mod health;
mod http;
mod identity;
mod json;
mod limits;
mod meters;
mod observe;
mod origin;
mod router;
mod serve;
mod ws;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onya_actors::Sessions;
use onya_actors::ports::Random;

pub use health::{Probe, ProbeOutcome};
pub use http::pages::Pages;
pub use limits::Sockets;
pub use origin::Origins;
pub use router::{metrics_router, openapi, router};
pub use serve::{Listening, ServeLimits, serve};

use crate::auth::{Issuer, Verifier};
use crate::config::SocketConfig;

/// What every handler has at hand.
pub struct Edge {
    /// The running system.
    pub sessions: Sessions,
    /// Checks tokens.
    pub verifier: Verifier,
    /// Signs tokens of visitors.
    pub issuer: Issuer,
    /// Pages that may call.
    pub origins: Origins,
    /// What the pages may do.
    pub pages: Pages,
    /// Open WebSockets.
    pub sockets: Sockets,
    /// Sizes and times in force.
    pub limits: EdgeLimits,
    /// What `/health` asks.
    pub probes: Vec<Box<dyn Probe>>,
    /// Spreads pings.
    pub random: Arc<dyn Random>,
    /// Name of this process, for `/health`.
    pub node: String,
    /// Whether new work is welcome.
    pub ready: Readiness,
}

/// Sizes and times of the edge.
#[derive(Clone, Debug)]
pub struct EdgeLimits {
    /// Largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// Longest message of a conversation, in bytes of UTF-8; clients are told.
    pub max_message_bytes: usize,
    /// Time in which a request is answered, in ms.
    pub request_timeout_ms: u64,
    /// Difference between clocks that is forgiven at the end of a token, in seconds.
    pub token_leeway_s: u64,
    /// Limits of a WebSocket.
    pub socket: SocketConfig,
}

/// Whether the process wants new work. Says nothing about its database: a database that is gone for all must not take
/// all processes out of the load balancer.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on it is as told.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    /// Whether it is ready.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
