//! The promises under stress: random cuts, takeovers and kills. Each proof states how often, and from which seed.

use onya_core::conversation::Outcome;
use onya_protocol::EntryBody;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio::sync::watch;

use crate::on_each_store;
use crate::support::{AgentClient, Backend, ChatClient, Cutter, NodeSettings, Roamer, TestNode, ledger};

const SEED: u64 = 20_260;
const CUTS: usize = 200;
const STOPS: usize = 50;
const TAKEOVERS: usize = 200;
const KILLS: usize = 50;

on_each_store!(
    a_client_cut_at_200_random_points_ends_with_exactly_the_servers_log,
    a_stop_cuts_where_it_says_at_50_random_points,
    no_byte_of_the_assistant_follows_any_of_200_takeovers,
    everything_acknowledged_survives_50_kills,
);

async fn a_client_cut_at_200_random_points_ends_with_exactly_the_servers_log(backend: Backend) {
    let node = TestNode::start(backend).await;
    let cutter = Cutter::start(node.address(), (CUTS, 4_000), SEED).await;
    let (_there, address) = watch::channel(Some(cutter.address()));
    let mut roamer = Roamer::new(node.visitor().await, address);
    while cutter.cuts() < CUTS {
        if roamer.waiting() < 3 {
            roamer.say(format!("message {}", roamer.said.len()));
        }
        roamer.step().await;
    }
    while !roamer.is_settled() {
        roamer.step().await;
    }
    ledger::check(&node, &roamer).await;
    assert!(roamer.recovered > CUTS / 4, "few connections went on: {}", roamer.recovered);
    assert!(roamer.repeated > 0, "no acknowledgement was ever cut off");
}

async fn a_stop_cuts_where_it_says_at_50_random_points(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut client = ChatClient::visit(&node).await;
    for stop in 0..STOPS {
        // Long enough for a stop that has to be sent again while the store is slow.
        let said = client.say("/mock long 8000").await;
        client.until_shown(random.random_range(1..200)).await;
        let cut_at = stopped(&mut client, (said.seq, &format!("stop-{stop}"))).await;
        let (outcome, text) = client.answered(said.seq).await;
        assert_eq!((outcome, text.len() as u64), (Outcome::Stopped, cut_at));
    }
}

/// Stops the reply. As the protocol asks, what is refused for now is sent again under its name.
async fn stopped(client: &mut ChatClient, (said, id): (u64, &str)) -> u64 {
    client.refusals.clear();
    loop {
        let before = client.refusals.len();
        client.send(json!({"type": "stop", "client_msg_id": id})).await;
        client.until(|client| client.acks.contains_key(id) || client.refusals.len() > before).await;
        if let Some(ack) = client.acks.get(id) {
            return ack.cut_at.unwrap();
        }
        let end = client.replica.turn_of(said).and_then(|turn| client.replica.turn_end(turn));
        let for_now = client.refusals.iter().all(|refusal| refusal.code.is_retryable());
        assert!(for_now, "{:?}, and the reply ended as {end:?}", client.refusals);
    }
}

async fn no_byte_of_the_assistant_follows_any_of_200_takeovers(backend: Backend) {
    let node = TestNode::start(backend).await;
    let pairs = (0..4).map(|pair| takeovers(&node, TAKEOVERS / 4, SEED + pair));
    futures::future::join_all(pairs).await;
}

/// The customer's copy ends the test if text of the assistant follows a change of control.
async fn takeovers(node: &TestNode, number: usize, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut customer = ChatClient::visit(node).await;
    let conversation = customer.visitor.conversation;
    let mut agent = AgentClient::agent(node, "Ana").await;
    agent.watch(conversation).await;
    customer.say("/mock long 2000").await;
    for _ in 0..number {
        let turn = customer.until_shown(random.random_range(1..300)).await;
        agent.until(|agent| agent.watched[&conversation].turn_opened(turn)).await;
        let taken = agent.with_version(conversation, "take_over").await;
        let ack = agent.ack(&taken).await;
        customer.until(|customer| customer.replica.entries.contains_key(&ack.seq)).await;
        let (outcome, text) = customer.replica.turn_end(turn).unwrap();
        assert_eq!((outcome, text.len() as u64), (Outcome::TakenOver, ack.cut_at.unwrap()));
        agent.until(|agent| agent.watched[&conversation].entries.contains_key(&ack.seq)).await;
        let id = agent.with_version(conversation, "hand_back").await;
        let returned = agent.ack(&id).await;
        customer.until(|customer| customer.replica.entries.contains_key(&returned.seq)).await;
    }
    let taken = |entry: &onya_protocol::LogEntry| {
        matches!(entry.body, EntryBody::TurnEnded { outcome: Outcome::TakenOver, .. })
    };
    assert_eq!(customer.replica.entries.values().filter(|entry| taken(entry)).count(), number);
}

async fn everything_acknowledged_survives_50_kills(backend: Backend) {
    let settings = NodeSettings::new(backend).await.with("ONYA_CONVERSATION__PASSIVATE_AFTER_MS", 1_000);
    let mut node = settings.start().await;
    let mut random = StdRng::seed_from_u64(SEED);
    let (there, address) = watch::channel(Some(node.address()));
    let mut roamers = Vec::new();
    for _ in 0..4 {
        roamers.push(Roamer::new(node.visitor().await, address.clone()));
    }
    let (frames, over) = (watch::Sender::new(0_usize), watch::Sender::new(false));
    let clients = roamers.iter_mut().map(|roamer| load(roamer, &frames, over.subscribe()));
    let kills = async {
        for _ in 0..KILLS {
            let kill_at = *frames.borrow() + random.random_range(1..150);
            frames.subscribe().wait_for(|frames| *frames >= kill_at).await.unwrap();
            there.send_replace(None);
            node.kill().await;
            node.restart().await;
            there.send_replace(Some(node.address()));
        }
        over.send_replace(true);
    };
    tokio::join!(futures::future::join_all(clients), kills);
    for roamer in &roamers {
        ledger::check(&node, roamer).await;
    }
    let total = |count: fn(&Roamer) -> usize| roamers.iter().map(count).sum::<usize>();
    println!(
        "{KILLS} kills: {} messages acknowledged, {} connections lost, {} repeats answered from the log",
        total(|roamer| roamer.acked.len()),
        total(|roamer| roamer.lost),
        total(|roamer| roamer.repeated),
    );
    assert!(total(|roamer| roamer.repeated) > 0, "no acknowledgement was ever lost with its server");
}

/// Keeps talking until it is over, then until everything has its outcome.
async fn load(roamer: &mut Roamer, frames: &watch::Sender<usize>, over: watch::Receiver<bool>) {
    loop {
        let is_over = *over.borrow();
        if is_over && roamer.is_settled() {
            return;
        }
        if !is_over && roamer.waiting() < 3 {
            roamer.say(format!("message {}", roamer.said.len()));
        }
        roamer.step().await;
        frames.send_modify(|frames| *frames += 1);
    }
}
