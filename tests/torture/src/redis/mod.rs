//! The Redis of a campaign: one server, or a master and its replica behind sentinels, to be killed, emptied and stopped.
//!
//! A server that is started again is empty and takes itself for a master, as one is whose file has not been written since. If
//! another one is the master by then, the sentinels tell it to follow that one, some seconds later.

mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use onya_servers::process::PATIENCE;
use onya_servers::redis::SERVICE;
use rustix::process::{Pid, Signal};
use tokio::time::{Duration, Instant, sleep};

use self::server::Server;
use crate::clock::Clock;

const SENTINELS: usize = 3;
const GLANCE: Duration = Duration::from_millis(50);
/// What members of a cluster leave (docs/CLUSTER.md).
const LEASES: &str = "onya:lease:*";
/// What is written where the replica does not hear it.
const UNREPLICATED: &str = "torture:unreplicated";
/// What the sentinel that leads a failover logs when the replica has become the master.
const PROMOTED: &str = "+promoted-slave";

/// What nodes leave their leases in.
pub(crate) struct Redis {
    /// One, or two of which either may be the master.
    servers: Vec<Server>,
    /// They name the master; none where there is one server.
    sentinels: Vec<Server>,
    /// The wall clock of the servers, if it can be set.
    pub clock: Option<Clock>,
}

impl Redis {
    /// One server.
    pub(crate) async fn start_alone(folder: &Path, clock: Option<Clock>) -> Result<Self> {
        Ok(Self { servers: vec![Server::start(folder, clock.as_ref()).await?], sentinels: Vec::new(), clock })
    }

    /// A master, its replica, and sentinels that know both.
    pub(crate) async fn start_watched(folder: &Path, clock: Option<Clock>) -> Result<Self> {
        let master = Server::start(&folder.join("redis-0"), clock.as_ref()).await?;
        let replica = Server::start(&folder.join("redis-1"), clock.as_ref()).await?;
        replica.ask::<()>(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await?;
        until("the replica does not follow", async || replica.says(&["master_link_status:up"]).await).await?;
        let mut sentinels = Vec::new();
        for number in 0..SENTINELS {
            let folder = folder.join(format!("sentinel-{number}"));
            sentinels.push(Server::start_sentinel(&folder, master.port()).await?);
        }
        let redis = Self { servers: vec![master, replica], sentinels, clock };
        redis.followed_master().await?;
        Ok(redis)
    }

    /// The port of the one server; where there are sentinels, they are to be asked.
    pub(crate) fn port(&self) -> Option<u16> {
        self.servers.first().filter(|_| self.sentinels.is_empty()).map(Server::port)
    }

    /// The address that has the sentinels asked.
    pub(crate) fn sentinels_url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|one| format!("127.0.0.1:{}", one.port())).collect();
        format!("redis+sentinel://{}/{SERVICE}", hosts.join(","))
    }

    /// Kills the master and starts it again with nothing in it, whether another one has become the master or not.
    pub(crate) async fn restart(&mut self, away: Duration) -> Result<()> {
        let master = self.master().await?;
        self.servers[master].kill().await?;
        sleep(away).await;
        self.servers[master].start_again().await
    }

    /// Stops the master; whom to tell to go on.
    pub(crate) async fn stand_still(&self) -> Result<Option<Pid>> {
        let master = &self.servers[self.master().await?];
        master.signal(Signal::STOP);
        Ok(master.pid())
    }

    /// The processes of the servers.
    pub(crate) fn pids(&self) -> Vec<Option<Pid>> {
        self.servers.iter().map(Server::pid).collect()
    }

    /// Forgets everything.
    pub(crate) async fn flush(&self) -> Result<()> {
        self.servers[self.master().await?].ask(&["FLUSHALL"]).await
    }

    /// Kills the master after some time in which the replica does not hear what is written, waits until the replica is the
    /// master, and starts the old one again.
    pub(crate) async fn fail_over(&mut self, unheard: Duration) -> Result<()> {
        let master = self.followed_master().await?;
        let replica = 1 - master;
        self.servers[replica].signal(Signal::STOP);
        // What its socket holds it still reads when it goes on, so the connection has to end, too.
        self.servers[master].ask::<()>(&["CLIENT", "KILL", "TYPE", "replica"]).await?;
        self.servers[master].ask::<()>(&["SET", UNREPLICATED, "1"]).await?;
        sleep(unheard).await;
        self.servers[master].kill().await?;
        self.servers[replica].signal(Signal::CONT);
        until("the replica is not made the master", async || self.named_master().await == Some(replica)).await?;
        let heard: u64 = self.servers[replica].ask(&["EXISTS", UNREPLICATED]).await?;
        anyhow::ensure!(heard == 0, "the replica has heard what it should not have");
        self.servers[master].start_again().await
    }

    /// How many leases the master holds, if there is one.
    pub(crate) async fn leases(&self) -> Option<usize> {
        let master = &self.servers[self.named_master().await?];
        master.ask::<Vec<String>>(&["KEYS", LEASES]).await.ok().map(|keys| keys.len())
    }

    /// How often a replica became the master, if that is possible.
    pub(crate) fn failovers(&self) -> Result<Option<u64>> {
        let mut promoted = 0;
        for sentinel in &self.sentinels {
            promoted += sentinel.log()?.matches(PROMOTED).count() as u64;
        }
        Ok((!self.sentinels.is_empty()).then_some(promoted))
    }

    /// Waits until there is a master, and says which server it is.
    async fn master(&self) -> Result<usize> {
        until("there is no master", async || self.named_master().await.is_some()).await?;
        self.named_master().await.context("the master has gone")
    }

    /// Waits until all sentinels know each other, and the replica follows the master; which server that is.
    async fn followed_master(&self) -> Result<usize> {
        until("the replica does not follow the master", async || self.is_followed().await.is_some()).await?;
        self.master().await
    }

    /// The server that all sentinels name, if it says that it is the master.
    async fn named_master(&self) -> Option<usize> {
        let mut named = BTreeSet::new();
        for sentinel in &self.sentinels {
            let asked = sentinel.ask::<(String, u16)>(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await;
            named.insert(asked.ok()?.1);
        }
        let is_named = |server: &Server| named.is_empty() || (named.len() == 1 && named.contains(&server.port()));
        let master = self.servers.iter().position(is_named)?;
        self.servers[master].says(&["role:master"]).await.then_some(master)
    }

    async fn is_followed(&self) -> Option<()> {
        let master = &self.servers[self.named_master().await?];
        let port = master.port().to_string();
        for sentinel in &self.sentinels {
            let quorum: String = sentinel.ask(&["SENTINEL", "CKQUORUM", SERVICE]).await.ok()?;
            let replicas: Vec<BTreeMap<String, String>> =
                sentinel.ask(&["SENTINEL", "REPLICAS", SERVICE]).await.ok()?;
            let follows = |replica: &BTreeMap<String, String>| {
                let expected = [("flags", "slave"), ("master-link-status", "ok"), ("master-port", port.as_str())];
                expected.iter().all(|(name, value)| replica.get(*name).is_some_and(|found| found == value))
            };
            let all_known = quorum.starts_with(&format!("OK {SENTINELS} usable"));
            if !all_known || replicas.len() + 1 != self.servers.len() || !replicas.iter().all(follows) {
                return None;
            }
        }
        Some(())
    }
}

async fn until(otherwise: &str, is_so: impl AsyncFn() -> bool) -> Result<()> {
    let start = Instant::now();
    while !is_so().await {
        anyhow::ensure!(start.elapsed() < PATIENCE, "Redis: {otherwise} within {} s", PATIENCE.as_secs());
        sleep(GLANCE).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failover_loses_what_was_not_replicated_and_the_old_master_follows_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Redis::start_watched(folder.path(), None).await.unwrap();
        assert_eq!((redis.named_master().await, redis.failovers().unwrap()), (Some(0), Some(0)));
        let master = &redis.servers[0];
        master.ask::<()>(&["SET", "onya:lease:a", "1"]).await.unwrap();
        master.ask::<u64>(&["WAIT", "1", "0"]).await.unwrap();
        redis.fail_over(Duration::ZERO).await.unwrap();
        assert_eq!((redis.named_master().await, redis.failovers().unwrap()), (Some(1), Some(1)));
        assert_eq!(redis.leases().await, Some(1), "what was replicated is there");
        // Sentinels on a machine that stood still may have found the new one dead, too: each failover makes the other the master.
        let master = redis.followed_master().await.unwrap() as u64;
        assert_eq!(
            Some(master),
            redis.failovers().unwrap().map(|count| count % 2),
            "the old master follows the new one"
        );
        redis.flush().await.unwrap();
        assert_eq!(redis.leases().await, Some(0), "the new master was emptied");
    }
}
