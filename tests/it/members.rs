//! Who belongs to the cluster: nodes that join, are killed, stand still, drain or are replaced, and a Redis that fails.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Instant;

use futures::future::join_all;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::MutexGuard;

use crate::support::{
    Backend, ChatClient, NodeSettings, RedisServer, SIGNING_KEYS, TestNode, answer, eventually, one_cluster_at_a_time,
};

/// The nodes `a`, `b` and `c` on one database, with a Redis of their own or none.
struct Trio {
    settings: NodeSettings,
    nodes: Vec<TestNode>,
    _turn: MutexGuard<'static, ()>,
}

impl Trio {
    async fn start(redis: Option<&RedisServer>) -> Self {
        let turn = one_cluster_at_a_time().await;
        let settings = NodeSettings::new(Backend::Postgres).await;
        let mut settings = settings.with("ONYA_AUTH__SIGNING_KEYS", SIGNING_KEYS);
        if let Some(redis) = redis {
            settings = settings.with("REDIS_URL", redis.url());
        }
        let mut trio = Self { settings, nodes: Vec::new(), _turn: turn };
        for name in ["a", "b", "c"] {
            let node = trio.named(name).start().await;
            trio.nodes.push(node);
        }
        for node in &trio.nodes {
            node.sees(&["a", "b", "c"]).await;
        }
        trio
    }

    /// Every node may judge the others by this kind of evidence.
    async fn trusts(&self, source: &str) {
        for node in &self.nodes {
            node.trusts(source, true).await;
        }
    }

    fn named(&self, name: &str) -> NodeSettings {
        self.settings.beside().with("ONYA_NODE__NAME", name)
    }

    /// Runs a subcommand as the operator of none of the nodes.
    async fn run(&self, arguments: &[&str]) -> Output {
        self.settings.run(arguments).await
    }

    /// Waits until each node has failed so often more to renew its lease.
    async fn fail_to_renew(&self, times: f64) {
        let before = join_all(self.nodes.iter().map(TestNode::failures)).await;
        for (node, before) in self.nodes.iter().zip(before) {
            eventually(async || (node.failures().await >= before + times).then_some(())).await;
        }
    }

    async fn verdicts(&self, evidence: &str) -> f64 {
        let mut sum = 0.0;
        for node in &self.nodes {
            sum += node.metric(&format!("onya_verdicts_total{{evidence=\"{evidence}\"}}")).await;
        }
        sum
    }
}

impl TestNode {
    /// The node's view as it tells it, if it can.
    async fn view(&self) -> Option<Value> {
        let shown = self.shows(self.members_url()).await;
        shown.status.is_success().then(|| shown.json())
    }

    /// Waits until exactly these are live members in the node's view.
    async fn sees(&self, names: &[&str]) {
        let live = |view: &Value| -> Vec<String> {
            let members = view["members"].as_array().unwrap().iter();
            let live = members.filter(|member| member["standing"] == "live");
            live.map(|member| member["name"].as_str().unwrap().to_owned()).collect()
        };
        eventually(async || self.view().await.filter(|view| live(view) == names)).await;
    }

    async fn trusts(&self, source: &str, trusted: bool) {
        let gauge = format!("onya_evidence_trusted{{source=\"{source}\"}}");
        eventually(async || (self.metric(&gauge).await == f64::from(u8::from(trusted))).then_some(())).await;
    }

    /// The value of a metric; 0 if it is not there.
    async fn metric(&self, series: &str) -> f64 {
        let scrape = self.shows(self.metrics_url()).await;
        let value = scrape.text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    /// How often it has failed to renew its lease.
    async fn failures(&self) -> f64 {
        self.metric("onya_redis_failures_total{of=\"lease\"}").await
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn three_nodes_join_and_each_knows_all() {
    let redis = RedisServer::start().await;
    let trio = Trio::start(Some(&redis)).await;
    let mut versions = Vec::new();
    for node in &trio.nodes {
        let view = node.view().await.unwrap();
        let members = view["members"].as_array().unwrap();
        let shares: Vec<f64> = members.iter().map(|member| member["share"].as_f64().unwrap()).collect();
        assert!(shares.iter().all(|share| *share > 0.2) && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{view}");
        assert!(members.iter().any(|member| member["incarnation"] == view["me"]), "{view}");
        versions.push(view["version"].as_u64().unwrap());
    }
    assert!(versions.iter().all(|version| *version == versions[0]), "{versions:?}");
    let listed = trio.run(&["members", "--json"]).await;
    let listed: Vec<BTreeMap<String, Value>> = serde_json::from_slice(&listed.stdout).unwrap();
    let names: Vec<_> = listed.iter().map(|member| member["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    for member in &listed {
        assert_eq!((&member["standing"], &member["role"]), (&"live".into(), &"both".into()));
        assert_eq!(member["release"], env!("CARGO_PKG_VERSION"));
        assert!(member["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{member:?}");
        assert!(member["heartbeat_age_ms"].as_i64().unwrap() < 60_000, "{member:?}");
    }
    let table = text(&trio.run(&["members"]).await);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.starts_with("name  incarnation") && table.lines().all(|line| line.len() > 60), "{table}");
}

#[tokio::test]
async fn a_node_that_is_killed_is_found_dead_by_its_lease() {
    let redis = RedisServer::start().await;
    let mut trio = Trio::start(Some(&redis)).await;
    trio.trusts("lease").await;
    let killed_at = Instant::now();
    trio.nodes[1].kill().await;
    trio.nodes.remove(1);
    for node in &trio.nodes {
        node.sees(&["a", "c"]).await;
    }
    println!("with Redis, one of three: every view after {} ms", killed_at.elapsed().as_millis());
    assert_eq!((trio.verdicts("lease").await, trio.verdicts("heartbeat").await), (1.0, 0.0));
}

#[tokio::test]
async fn without_redis_a_node_that_is_killed_is_found_dead_by_its_heartbeat() {
    let mut trio = Trio::start(None).await;
    trio.trusts("heartbeat").await;
    let killed_at = Instant::now();
    trio.nodes[1].kill().await;
    trio.nodes.remove(1);
    for node in &trio.nodes {
        node.sees(&["a", "c"]).await;
    }
    println!("without Redis, one of three: every view after {} ms", killed_at.elapsed().as_millis());
    assert_eq!((trio.verdicts("lease").await, trio.verdicts("heartbeat").await), (0.0, 1.0));
}

#[tokio::test]
async fn the_one_that_is_left_of_three_is_alone_by_their_heartbeats() {
    let redis = RedisServer::start().await;
    let mut trio = Trio::start(Some(&redis)).await;
    trio.trusts("heartbeat").await;
    let killed_at = Instant::now();
    trio.nodes[0].kill().await;
    trio.nodes[1].kill().await;
    trio.nodes.drain(..2);
    trio.nodes[0].sees(&["c"]).await;
    println!("two of three: the view after {} ms", killed_at.elapsed().as_millis());
    assert_eq!((trio.verdicts("lease").await, trio.verdicts("heartbeat").await), (0.0, 2.0));
}

#[tokio::test]
async fn a_zombie_finds_itself_dead_and_ends() {
    let redis = RedisServer::start().await;
    let mut trio = Trio::start(Some(&redis)).await;
    trio.trusts("lease").await;
    let mut zombie = trio.nodes.remove(1);
    zombie.pause();
    for node in &trio.nodes {
        node.sees(&["a", "c"]).await;
    }
    zombie.resume();
    assert_eq!(zombie.ended().await.code(), Some(70));
    assert!(zombie.log().contains("the others have found this process dead"), "{}", zombie.log());
    for node in &trio.nodes {
        node.sees(&["a", "c"]).await;
    }
}

#[tokio::test]
async fn a_redis_that_dies_hangs_or_loses_everything_costs_no_member_its_place() {
    let mut redis = RedisServer::start().await;
    let trio = Trio::start(Some(&redis)).await;
    trio.trusts("lease").await;
    let view = trio.nodes[0].view().await.unwrap();
    for _ in 0..2 {
        redis.command(&["FLUSHALL"]).await;
        trio.nodes[0].trusts("lease", false).await;
        trio.trusts("lease").await;
    }
    redis.kill().await;
    // One every quarter of a second: longer than a lease lasts, and than makes a heartbeat stale.
    trio.fail_to_renew(28.0).await;
    for node in &trio.nodes {
        node.trusts("lease", false).await;
        assert_eq!(answer(node.request(Method::GET, "/health/ready")).await.status, 200);
        let health = answer(node.request(Method::GET, "/health")).await;
        assert_eq!((health.status.as_u16(), health.json()["status"].as_str()), (503, Some("degraded")));
    }
    redis.restart().await;
    trio.trusts("lease").await;
    redis.pause();
    trio.fail_to_renew(6.0).await;
    redis.resume();
    trio.trusts("lease").await;
    for node in &trio.nodes {
        let now = node.view().await.unwrap();
        assert_eq!((&now["version"], &now["members"]), (&view["version"], &view["members"]), "nothing has changed");
        assert_eq!(node.metric("onya_suspicions_total{evidence=\"lease\"}").await, 0.0);
    }
    assert_eq!(trio.verdicts("lease").await + trio.verdicts("heartbeat").await, 0.0);
}

#[tokio::test]
async fn a_node_starts_while_redis_is_gone_and_leaves_signs_of_life_when_it_is_back() {
    let mut redis = RedisServer::start().await;
    redis.kill().await;
    let settings = NodeSettings::new(Backend::Postgres).await.with("REDIS_URL", redis.url());
    let node = settings.start().await;
    assert!(node.log().contains("Redis does not answer (redis.url)"), "{}", node.log());
    eventually(async || (node.failures().await > 0.0).then_some(())).await;
    redis.restart().await;
    let leases = async || match redis.command(&["KEYS", "onya:lease:*"]).await {
        redis::Value::Array(keys) if keys.len() == 1 => Some(()),
        _ => None,
    };
    eventually(leases).await;
}

#[tokio::test]
async fn a_start_under_the_same_name_takes_the_place_at_once() {
    let redis = RedisServer::start().await;
    let mut trio = Trio::start(Some(&redis)).await;
    let again = trio.named("b").start().await;
    let mut replaced = trio.nodes.remove(1);
    assert_eq!(replaced.ended().await.code(), Some(70));
    assert!(replaced.log().contains("each node needs a name of its own"), "{}", replaced.log());
    let me = again.view().await.unwrap()["me"].clone();
    for node in &trio.nodes {
        eventually(async || {
            let view = node.view().await?;
            view["members"].as_array()?.iter().any(|member| member["incarnation"] == me).then_some(())
        })
        .await;
        node.sees(&["a", "b", "c"]).await;
    }
    assert_eq!(trio.verdicts("lease").await + trio.verdicts("heartbeat").await, 0.0, "nobody had to be accused");
}

#[tokio::test]
async fn a_node_that_is_told_to_stop_leaves_the_view_without_a_verdict() {
    let redis = RedisServer::start().await;
    let mut trio = Trio::start(Some(&redis)).await;
    trio.nodes[1].terminate();
    let mut stopped = trio.nodes.remove(1);
    assert_eq!(stopped.ended().await.code(), Some(0));
    for node in &trio.nodes {
        node.sees(&["a", "c"]).await;
    }
    assert_eq!(trio.verdicts("lease").await + trio.verdicts("heartbeat").await, 0.0);
    let redis::Value::Array(leases) = redis.command(&["KEYS", "onya:lease:*"]).await else { panic!("no list") };
    assert_eq!(leases.len(), 2, "it has given its lease up");
}

#[tokio::test]
async fn a_drain_from_outside_ends_an_idle_node_in_good_order() {
    let mut trio = Trio::start(None).await;
    let drained = trio.run(&["drain", "c"]).await;
    assert_eq!(drained.status.code(), Some(0), "{drained:?}");
    let lines = text(&drained);
    assert!(lines.starts_with("c: told to drain\n"), "{lines}");
    assert!(lines.ends_with("c: gone\n") || lines.ends_with("c: drained\n"), "{lines}");
    let mut ended = trio.nodes.remove(2);
    assert_eq!(ended.ended().await.code(), Some(0));
    for node in &trio.nodes {
        node.sees(&["a", "b"]).await;
    }
    let again = trio.run(&["drain", "c"]).await;
    assert_eq!((again.status.code(), text(&again).as_str()), (Some(0), "c: gone\n"));
    let unknown = trio.run(&["drain", "d"]).await;
    assert_eq!((unknown.status.code(), text(&unknown).as_str()), (Some(1), ""));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no node \"d\""), "{unknown:?}");
}

#[tokio::test]
async fn a_drain_waits_for_sockets_and_replies_and_says_what_is_left() {
    let settings = NodeSettings::new(Backend::Postgres).await.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 8);
    let mut node = settings.with("ONYA_NODE__NAME", "a").start().await;
    let mut customer = ChatClient::visit(&node).await;
    customer.say("Keep it busy").await;
    customer.until_shown(1).await;
    let drained = node.run(&["drain"]);
    let left = customer.until_closed();
    let (drained, _) = tokio::join!(drained, left);
    assert_eq!(drained.status.code(), Some(0), "{drained:?}");
    assert!(text(&drained).contains("a: 1 sockets, 1 conversations\n"), "{drained:?}");
    assert_eq!(node.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_drain_that_takes_too_long_says_so() {
    let trio = Trio::start(None).await;
    trio.nodes[2].pause();
    let output = trio.run(&["drain", "c", "--timeout", "1"]).await;
    trio.nodes[2].resume();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("c is not drained after 1 s"), "{output:?}");
}

#[tokio::test]
async fn the_embedded_database_has_one_member_and_no_cluster() {
    let node = NodeSettings::new(Backend::Sqlite).await.with("ONYA_NODE__NAME", "alone").start().await;
    let listed: Value = serde_json::from_slice(&node.run(&["members", "--json"]).await.stdout).unwrap();
    assert_eq!(listed[0]["name"], "alone");
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["heartbeat_age_ms"]), (1, &Value::Null));
    let drain = node.run(&["drain"]).await;
    assert_eq!(drain.status.code(), Some(1), "{drain:?}");
    assert!(String::from_utf8_lossy(&drain.stderr).contains("stop it with SIGTERM"), "{drain:?}");
    assert_eq!(node.shows(node.members_url()).await.status, 404);
}

#[tokio::test]
async fn a_node_that_nobody_could_reach_is_told_what_to_set_before_it_starts() {
    let settings = NodeSettings::new(Backend::Postgres).await.with("ONYA_SERVER__HOST", "0.0.0.0");
    for subcommand in ["serve", "check-config"] {
        let refused = settings.run(&[subcommand]).await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let line = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(line.contains("set ONYA_CLUSTER__ADVERTISE to host:port"), "{line}");
    }
    assert_eq!(settings.run(&["migrate", "status"]).await.status.code(), Some(0), "nobody has to reach that");
    let node = settings.clone().with("ONYA_CLUSTER__ADVERTISE", "onya-0.onya:7400").start().await;
    let view = eventually(async || node.view().await).await;
    assert_eq!(view["members"][0]["address"], "onya-0.onya:7400");
}
