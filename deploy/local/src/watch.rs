//! Looks at the cluster: two queries of the database, `/metrics` and `/members` of each node that runs, new lines of the logs.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use reqwest::Client;
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use crate::cluster::{Cluster, log_of};
use crate::look::{Conversation, Counters, Look, Member, Node, Process, Verdict, verdicts_in};

/// Longest wait for what a node says of itself: one that hangs does not keep the others from being shown.
const PATIENCE: Duration = Duration::from_millis(300);

const MEMBERS: &str = "SELECT incarnation, name, CASE state WHEN 'dead' THEN state ELSE standing END, address
                       FROM members ORDER BY started_at, incarnation";
const CONVERSATIONS: &str = "SELECT id, owner, turn_seq, turn_attempt FROM conversations WHERE closed_at IS NULL";

/// Whoever looks.
pub(crate) struct Watch {
    start: Instant,
    database: PgConnection,
    client: Client,
    /// How much of each node's log has been read.
    read: HashMap<String, u64>,
}

#[derive(Deserialize)]
struct MembersView {
    members: Vec<MemberView>,
}

#[derive(Deserialize)]
struct MemberView {
    incarnation: Uuid,
    share: f64,
}

impl Watch {
    pub(crate) async fn new(cluster: &Cluster) -> Result<Self> {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let database = PgConnection::connect(cluster.database()).await?;
        Ok(Self { start: Instant::now(), database, client, read: HashMap::new() })
    }

    /// Looks at everything once.
    pub(crate) async fn look(&mut self, cluster: &mut Cluster) -> Result<Look> {
        let members = sqlx::query_as(MEMBERS).fetch_all(&mut self.database).await?;
        let conversations = sqlx::query_as(CONVERSATIONS).fetch_all(&mut self.database).await?;
        let mut processes: Vec<_> = cluster.nodes.iter_mut().map(|node| (node.process(), node.metrics)).collect();
        let asked = processes.iter().map(|(process, metrics)| self.ask(process, *metrics));
        let (mut shares, mut counters) = (HashMap::new(), Vec::new());
        for (counted, view) in join_all(asked).await {
            counters.push(counted);
            if let (true, Some(view)) = (shares.is_empty(), view) {
                shares = view.members.iter().map(|member| (member.incarnation, member.share)).collect();
            }
        }
        let mut verdicts = Vec::new();
        let mut nodes = Vec::new();
        for ((node, (process, _)), counters) in cluster.nodes.iter().zip(processes.drain(..)).zip(counters) {
            verdicts.extend(self.new_verdicts(cluster.folder(), &node.name));
            nodes.push(Node { name: node.name.clone(), pid: node.pid(), process, counters });
        }
        let member = |(incarnation, name, standing, address)| Member { incarnation, name, standing, address };
        let conversation = |(id, owner, turn, attempt)| Conversation { id, owner, turn, attempt };
        Ok(Look {
            at: self.start.elapsed(),
            members: Vec::into_iter(members).map(member).collect(),
            conversations: Vec::into_iter(conversations).map(conversation).collect(),
            nodes,
            shares,
            verdicts,
        })
    }

    async fn ask(&self, process: &Process, metrics: SocketAddr) -> (Option<Counters>, Option<MembersView>) {
        if *process != Process::Running {
            return (None, None);
        }
        let get = async |path: &str| self.client.get(format!("http://{metrics}/{path}")).send().await.ok();
        let counters = async { get("metrics").await?.text().await.ok().map(|text| Counters::read(&text)) };
        let view = async { get("members").await?.json().await.ok() };
        futures::join!(counters, view)
    }

    /// What a node's log has grown by since the last look, as far as its lines are complete.
    fn new_verdicts(&mut self, folder: &Path, name: &str) -> Vec<Verdict> {
        let position = self.read.entry(name.to_owned()).or_default();
        let grown = File::open(log_of(folder, name)).and_then(|mut log| {
            log.seek(SeekFrom::Start(*position))?;
            let mut bytes = Vec::new();
            log.read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = grown.unwrap_or_default();
        let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        *position += complete as u64;
        verdicts_in(name, &String::from_utf8_lossy(&bytes[..complete]))
    }
}
