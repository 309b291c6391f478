//! The nodes of a cluster to each other: what they leave in Redis.
//!
//! All of it may be lost: leases, which show early that a node is gone, and hints, which save a question to the store. Who
//! belongs to the cluster and who owns what is decided in the store, and nowhere else. Read [`leases`] first.

pub mod hints;
pub mod leases;
pub mod redis;
