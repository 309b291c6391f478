//! Servers of one's own: PostgreSQL, Redis and nginx on free ports with their files in a private folder, and processes that end
//! with whoever started them.
//!
//! Tests, fault campaigns and the local cluster start them the same way. Nothing of the system's is touched: no service, no
//! user's database, no file outside the folder. Only for development and tests: PostgreSQL is told not to survive a crash of
//! the machine.

pub mod nginx;
pub mod postgres;
pub mod process;
pub mod redis;

use std::net::TcpListener;

use anyhow::Result;

/// A port of 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// There is none left.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
