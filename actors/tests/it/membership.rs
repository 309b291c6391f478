//! A node among the others: what it sees, what it says, and when it is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use onya_actors::ports::{Load, Membership, Placement};
use onya_actors::testing::{MemoryCluster, MemoryLeases};
use onya_actors::{Expelled, Identity, Roster};
use onya_core::Incarnation;
use onya_core::cluster::{Standing, Times};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// After this time every node is well placed to judge.
const SETTLED: Duration = Duration::from_secs(10);

struct Node {
    me: Incarnation,
    roster: Roster,
    placement: watch::Receiver<Arc<Placement>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    renewing: JoinSet<()>,
}

impl Node {
    async fn start(cluster: &MemoryCluster, name: &str) -> Self {
        let me = Incarnation(Uuid::now_v7());
        let member = Arc::new(cluster.join(me, name));
        let leases = MemoryLeases::new(cluster, me);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let identity = Identity { incarnation: me, name: name.to_owned() };
        let ports = (member as _, Some(Arc::clone(&leases) as _));
        let roster = Roster::start(identity, ports, Times::default(), (&tasks, stop.clone())).await.unwrap();
        roster.ready().await.unwrap();
        let mut renewing = JoinSet::new();
        renewing.spawn(leases.run());
        Self { me, placement: roster.placement(), roster, tasks, stop, renewing }
    }

    /// Ends without a word.
    async fn kill(&mut self) {
        self.renewing.abort_all();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// How the members stand, in this node's eyes.
    fn standings(&self) -> BTreeMap<String, Standing> {
        let placement = self.placement.borrow();
        placement.view.members.iter().map(|member| (member.name.clone(), member.standing)).collect()
    }

    async fn sees(&mut self, names: &[&str]) {
        let is_it = |placement: &Arc<Placement>| {
            let live = placement.view.members.iter().filter(|member| member.standing == Standing::Live);
            live.map(|member| member.name.as_str()).eq(names.iter().copied())
        };
        timeout(Duration::from_secs(60), self.placement.wait_for(is_it)).await.unwrap().unwrap();
    }
}

async fn three(cluster: &MemoryCluster) -> [Node; 3] {
    let mut nodes = [Node::start(cluster, "a").await, Node::start(cluster, "b").await, Node::start(cluster, "c").await];
    for node in &mut nodes {
        node.sees(&["a", "b", "c"]).await;
    }
    sleep(SETTLED).await;
    nodes
}

#[tokio::test(start_paused = true)]
async fn one_of_three_that_is_killed_leaves_every_view_within_4_s() {
    let cluster = MemoryCluster::new(Times::default());
    let [mut a, mut b, mut c] = three(&cluster).await;
    b.kill().await;
    let killed_at = Instant::now();
    a.sees(&["a", "c"]).await;
    c.sees(&["a", "c"]).await;
    assert!(killed_at.elapsed() <= Duration::from_secs(4), "{:?}", killed_at.elapsed());
    let placement = Arc::clone(&a.placement.borrow());
    assert!(!placement.ring.shares().contains_key(&b.me), "its part of the ring has gone to the others");
}

#[tokio::test(start_paused = true)]
async fn without_leases_it_takes_9_s_and_so_it_does_for_two_of_three() {
    let cluster = MemoryCluster::new(Times::default());
    cluster.set_leases_down(true);
    let [mut a, mut b, mut c] = three(&cluster).await;
    b.kill().await;
    let killed_at = Instant::now();
    a.sees(&["a", "c"]).await;
    c.sees(&["a", "c"]).await;
    assert!(killed_at.elapsed() <= Duration::from_secs(9), "{:?}", killed_at.elapsed());

    let cluster = MemoryCluster::new(Times::default());
    let [mut a, mut b, mut c] = three(&cluster).await;
    a.kill().await;
    b.kill().await;
    let killed_at = Instant::now();
    c.sees(&["c"]).await;
    assert!(killed_at.elapsed() <= Duration::from_secs(9), "{:?}", killed_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn leases_that_are_lost_and_leases_that_do_not_answer_cost_nobody_its_place() {
    let cluster = MemoryCluster::new(Times::default());
    let nodes = three(&cluster).await;
    for _ in 0..20 {
        cluster.lose_leases();
        sleep(Duration::from_millis(700)).await;
        cluster.set_leases_down(true);
        sleep(Duration::from_secs(5)).await;
        cluster.set_leases_down(false);
        sleep(Duration::from_millis(300)).await;
    }
    assert!(nodes.iter().all(|node| !cluster.is_dead(node.me) && node.standings().len() == 3));
}

#[tokio::test(start_paused = true)]
async fn without_the_store_the_last_view_stands_and_afterwards_nobody_is_dead() {
    let cluster = MemoryCluster::new(Times::default());
    let nodes = three(&cluster).await;
    cluster.set_store_down(true);
    sleep(Duration::from_secs(60)).await;
    assert!(nodes.iter().all(|node| node.standings().len() == 3));
    cluster.set_store_down(false);
    sleep(Duration::from_secs(60)).await;
    assert!(nodes.iter().all(|node| !cluster.is_dead(node.me) && node.standings().len() == 3));
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_name_is_taken_over_is_told_so_at_once() {
    let cluster = MemoryCluster::new(Times::default());
    let [a, _b, mut c] = three(&cluster).await;
    let again = Node::start(&cluster, "a").await;
    assert_eq!(timeout(Duration::from_secs(1), a.roster.expelled()).await, Ok(Expelled::Replaced));
    let has_changed = |placement: &Arc<Placement>| placement.view.member(again.me).is_some();
    timeout(Duration::from_secs(1), c.placement.wait_for(has_changed)).await.unwrap().unwrap();
    assert!(c.placement.borrow().view.member(a.me).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_found_dead_is_told_so() {
    let cluster = MemoryCluster::new(Times::default());
    let [mut a, b, c] = three(&cluster).await;
    a.renewing.abort_all();
    // Nobody hears of it while it stands still; here its rounds are all that stops.
    a.stop.cancel();
    sleep(SETTLED).await;
    assert!(cluster.is_dead(a.me) && !cluster.is_dead(b.me) && !cluster.is_dead(c.me));
    let identity = Identity { incarnation: a.me, name: "a".to_owned() };
    let member = Arc::new(cluster.member(a.me));
    let again = Roster::start(identity, (member, None), Times::default(), (&a.tasks, CancellationToken::new()));
    assert_eq!(again.await.unwrap().expelled().await, Expelled::FoundDead);
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_seen_by_all_and_the_node_is_told_unless_it_asked_itself() {
    let cluster = MemoryCluster::new(Times::default());
    let [a, mut b, mut c] = three(&cluster).await;
    a.roster.drain().await.unwrap();
    b.sees(&["b", "c"]).await;
    assert_eq!(b.standings()["a"], Standing::Draining);
    let placement = Arc::clone(&b.placement.borrow());
    assert!(!placement.ring.shares().contains_key(&a.me), "nothing new is placed on it");
    cluster.drain(b.me);
    timeout(Duration::from_secs(1), b.roster.told_to_drain()).await.unwrap();
    c.sees(&["c"]).await;
    assert!(timeout(SETTLED, a.roster.told_to_drain()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_tells_what_the_node_carries() {
    let cluster = MemoryCluster::new(Times::default());
    let node = Node::start(&cluster, "a").await;
    let load = Load { sockets: 3, conversations: 5 };
    node.roster.carries(move || load);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(cluster.load(node.me), load);
}

#[tokio::test(start_paused = true)]
async fn the_whole_view_is_read_only_when_it_has_changed() {
    let cluster = MemoryCluster::new(Times::default());
    let _nodes = three(&cluster).await;
    let read = cluster.views_read();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(cluster.views_read(), read);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_cannot_be_reached_is_looked_at_at_once_and_for_a_while() {
    let cluster = MemoryCluster::new(Times::default());
    let mut nodes = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        nodes.push(Node::start(&cluster, name).await);
    }
    sleep(SETTLED).await;
    let (a, e) = (&nodes[0], nodes[4].me);
    let looks_at_e = || cluster.looked_at_by(a.me).contains(&e);
    assert!(!looks_at_e(), "it is the others' to watch");
    a.roster.unreachable(e);
    sleep(Duration::from_millis(250)).await;
    assert!(looks_at_e());
    sleep(Duration::from_secs(60)).await;
    assert!(!looks_at_e() && !cluster.is_dead(e));
}

#[tokio::test(start_paused = true)]
async fn a_node_is_in_time_as_long_as_its_heartbeats_are() {
    let cluster = MemoryCluster::new(Times::default());
    let [mut a, b, c] = three(&cluster).await;
    for _ in 0..100 {
        assert!(a.roster.is_in_time());
        sleep(Duration::from_millis(100)).await;
    }
    // As if it stood still: what it knew is not what is.
    a.stop.cancel();
    sleep(Duration::from_millis(Times::default().late_after_ms())).await;
    assert!(!a.roster.is_in_time());
    a.kill().await;
    drop((b, c));
}
