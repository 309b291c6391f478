//! One node: what is started under its name, and the lines between it and everybody else.

use std::net::SocketAddr;

use anyhow::Result;
use onya_servers::free_port;

use crate::clock::Clock;
use crate::line::Line;
use crate::proxy::Proxy;
use crate::server::{Counters, Launch, Server};

/// A node. There may be two servers under its name, and none.
pub(crate) struct Node {
    /// The line to PostgreSQL.
    pub store: Option<Proxy>,
    /// The line to Redis; none where sentinels name its own address.
    pub redis: Option<Line>,
    /// The line on which the other nodes reach it.
    pub link: Option<Line>,
    /// Its wall clock, if it can be set.
    pub clock: Option<Clock>,
    pub launch: Launch,
    pub servers: Vec<Server>,
    /// Whether it has been told to stop: clients are sent elsewhere.
    pub drains: bool,
}

impl Node {
    pub(crate) fn name(&self) -> &str {
        &self.launch.name
    }

    /// Starts a server, beside the one that may be there.
    pub(crate) async fn start(&mut self) -> Result<()> {
        if let Some(link) = &self.link {
            let port = free_port()?;
            link.lead_to(port);
            self.launch.variables.insert("ONYA_CLUSTER__PORT".to_owned(), port.to_string());
        }
        self.servers.push(self.launch.start().await?);
        self.drains = false;
        Ok(())
    }

    /// Where clients find it.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.servers.iter().filter(|_| !self.drains).map(|server| server.address)
    }

    /// Adds what the counters of its servers show.
    pub(crate) async fn count(&self, counters: &mut Counters) {
        for server in &self.servers {
            server.count(counters).await;
        }
    }

    /// The cluster as its servers see it.
    pub(crate) async fn view(&self) -> String {
        let mut views = Vec::new();
        for server in &self.servers {
            views.push(server.page("members").await.unwrap_or_else(|| "no answer".to_owned()));
        }
        views.join(" and ")
    }

    /// Takes away the servers that have ended by themselves, and says with which codes.
    pub(crate) fn ended(&mut self) -> Vec<Option<i32>> {
        let codes: Vec<_> = self.servers.iter_mut().map(Server::ended).collect();
        self.servers.retain_mut(|server| server.ended().is_none());
        codes.into_iter().flatten().collect()
    }
}
