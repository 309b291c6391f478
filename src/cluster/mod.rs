//! Several nodes as one service: what connects them.
//!
//! [`link`] are the connections between two nodes. What the nodes leave in Redis may be lost, all of it: [`leases`], which
//! show early that a node is gone. Who belongs to the cluster and who owns what is decided in `onya-core`, `onya-actors` and
//! the store, and nowhere here.

pub mod leases;
pub mod link;
pub mod redis;
