//! Several nodes as one service: what connects them.
//!
//! Decisions about conversations are none of this module's; who belongs to the cluster and who should own what is decided in
//! `onya-core` and `onya-actors`. Read `link/` for the connections between two nodes.

pub mod link;
