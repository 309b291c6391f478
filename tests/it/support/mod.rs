//! What stories are told with: a node of the built program, clients that hold the protocol's promises against it.
//!
//! [`TestNode`] is the program on data of its own, [`TestCluster`] several of it on the same. [`ChatClient`] and [`AgentClient`] keep a copy of each log with
//! [`Replica`], which ends the test when a promise of docs/PROTOCOL.md is broken; so a story only has to say what should
//! happen, never what should not.

mod agent;
mod chat;
mod cluster;
mod cutter;
mod database;
mod http;
pub mod ledger;
pub mod nginx;
mod node;
mod redis;
mod replica;
mod roamer;
mod wire;

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

pub use self::redis::RedisServer;
pub use agent::AgentClient;
pub use chat::ChatClient;
pub use cluster::{SIGNING_KEYS, TestCluster};
pub use cutter::Cutter;
pub use database::{Backend, Database};
pub use http::{Answer, Visitor, answer};
pub use node::{NodeSettings, TestNode};
pub use replica::Replica;
pub use roamer::Roamer;
pub use wire::{Dialled, Wire};

/// Longest wait for anything that should happen at once, on a machine with other things to do.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Stories of several nodes are told one after the other: their members must answer each other in time.
pub async fn one_cluster_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Asks again until the answer is there; ends the test when it does not come.
pub async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    // Whoever asks without a pause keeps a processor from those who are asked.
    let mut moments = tokio::time::interval(Duration::from_millis(20));
    let asking = async {
        loop {
            moments.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("it does not happen"))
}

/// Runs each story on SQLite and on Postgres.
#[macro_export]
macro_rules! on_each_store {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $story() {
                super::$story($crate::support::Backend::Sqlite).await;
            })+
        }
        mod postgres {
            $(#[tokio::test] async fn $story() {
                super::$story($crate::support::Backend::Postgres).await;
            })+
        }
    };
}
