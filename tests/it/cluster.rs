//! Several nodes are one service: any takes any socket, and nothing is lost when one of them goes.

use onya_core::conversation::Outcome;
use onya_protocol::Control;
use serde_json::json;

use crate::support::{AgentClient, ChatClient, NodeSettings, TestCluster, eventually};

/// So slow that there is time in the middle of a sentence.
async fn slow(nodes: usize) -> TestCluster {
    TestCluster::with(nodes, |settings| settings.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 20)).await
}

#[tokio::test]
async fn a_conversation_is_the_same_on_every_node() {
    let cluster = TestCluster::start(3).await;
    let mut windows = vec![ChatClient::visit(&cluster.nodes[0]).await];
    let visitor = windows[0].visitor.clone();
    for node in &cluster.nodes[1..] {
        windows.push(ChatClient::open(node, visitor.clone()).await);
    }
    for which in 0..3 {
        let said = windows[which].say(&format!("Hello from window {which}")).await;
        for window in &mut windows {
            assert_eq!(window.answered(said.seq).await.0, Outcome::Final);
        }
    }
    let copies: Vec<_> = windows.iter().map(|window| window.replica.entries.clone()).collect();
    assert!(copies.iter().all(|copy| *copy == copies[0]));
    let fresh = ChatClient::open(&cluster.nodes[1], visitor).await;
    assert_eq!(fresh.replica.entries, copies[0]);
}

#[tokio::test]
async fn a_takeover_through_another_node_silences_the_assistant() {
    let cluster = slow(3).await;
    let mut customer = ChatClient::visit(&cluster.nodes[0]).await;
    let id = customer.visitor.conversation;
    let first = customer.say("Explain everything").await;
    customer.until_shown(10).await;
    let (far, desk) = cluster.others(id).await;
    customer.connect(&cluster.nodes[far]).await;
    let mut agent = AgentClient::agent(&cluster.nodes[desk], "Ada").await;
    agent.watch(id).await;
    let take = agent.with_version(id, "take_over").await;
    let cut_at = agent.ack(&take).await.cut_at.unwrap();
    customer.until(|client| matches!(client.replica.control, Control::Agent { .. })).await;
    let turn = customer.replica.turn_of(first.seq).unwrap();
    let (outcome, text) = customer.replica.turn_end(turn).unwrap();
    assert_eq!((outcome, text.len() as u64), (Outcome::TakenOver, cut_at));
    let hello = agent.command(id, json!({"type": "say", "text": "This is Ada"})).await;
    let hello = agent.ack(&hello).await.seq;
    customer.until(|client| client.replica.entries.contains_key(&hello)).await;
    let quiet = customer.say("Thank you, Ada").await;
    let back = agent.with_version(id, "hand_back").await;
    agent.ack(&back).await;
    assert_eq!(customer.answered(quiet.seq).await.0, Outcome::Final);
}

#[tokio::test]
async fn every_desk_shows_who_waits_on_any_node() {
    let cluster = TestCluster::start(3).await;
    let mut desks = Vec::new();
    for node in &cluster.nodes {
        desks.push(AgentClient::agent(node, "Ada").await);
    }
    for node in &cluster.nodes {
        let mut customer = ChatClient::visit(node).await;
        let ask = customer.command(json!({"type": "escalate", "summary": "my order"})).await;
        customer.ack(&ask).await;
        customer.until(|client| !client.places.is_empty()).await;
        for desk in &mut desks {
            desk.until_queued(customer.visitor.conversation).await;
        }
    }
    assert!(desks.iter().all(|desk| desk.queue.len() == 3));
}

#[tokio::test]
async fn a_killed_owner_costs_a_customer_elsewhere_nothing_but_a_new_attempt() {
    let mut cluster = slow(3).await;
    let mut customer = ChatClient::visit(&cluster.nodes[0]).await;
    let id = customer.visitor.conversation;
    customer.say("First").await;
    let (far, _) = cluster.others(id).await;
    let owner = cluster.owner(id).await;
    customer.connect(&cluster.nodes[far]).await;
    let said = customer.say("Tell me a long story").await;
    customer.until(|client| client.replica.turn_of(said.seq).is_some()).await;
    customer.until_shown(5).await;
    cluster.nodes[owner].kill().await;
    // On the same socket: the owner is gone, the edge is not.
    let after = customer.say("Are you still there?").await;
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
    assert_eq!(customer.answered(after.seq).await.0, Outcome::Final);
    assert_ne!(cluster.owner(id).await, owner);
    let fresh = ChatClient::open(&cluster.nodes[far], customer.visitor.clone()).await;
    assert_eq!(fresh.replica.entries, customer.replica.entries);
}

#[tokio::test]
async fn a_killed_edge_is_no_gap_for_who_connects_elsewhere() {
    let mut cluster = slow(3).await;
    let mut customer = ChatClient::visit(&cluster.nodes[0]).await;
    let id = customer.visitor.conversation;
    customer.say("First").await;
    let (edge, other) = cluster.others(id).await;
    customer.connect(&cluster.nodes[edge]).await;
    let said = customer.say("Go on while my server dies").await;
    customer.until_shown(5).await;
    cluster.nodes[edge].kill().await;
    customer.cut();
    customer.connect(&cluster.nodes[other]).await;
    assert_eq!(customer.replica.recovered, Some(true));
    let (outcome, text) = customer.answered(said.seq).await;
    assert_eq!(outcome, Outcome::Final);
    assert_eq!(customer.replica.said().last().unwrap().1, text);
}

#[tokio::test]
async fn a_frozen_owner_that_comes_back_finds_itself_replaced_and_ends() {
    let mut cluster = slow(3).await;
    let mut customer = ChatClient::visit(&cluster.nodes[0]).await;
    let id = customer.visitor.conversation;
    customer.say("First").await;
    let (far, _) = cluster.others(id).await;
    let owner = cluster.owner(id).await;
    customer.connect(&cluster.nodes[far]).await;
    let said = customer.say("Tell me a long story").await;
    customer.until_shown(5).await;
    cluster.nodes[owner].pause();
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
    assert_ne!(cluster.owner(id).await, owner);
    cluster.nodes[owner].resume();
    let status = cluster.nodes[owner].ended().await;
    assert!(!status.success(), "it is not a stop in good order");
    let last = customer.say("Who is there?").await;
    assert_eq!(customer.answered(last.seq).await.0, Outcome::Final);
    let fresh = ChatClient::open(&cluster.nodes[far], customer.visitor.clone()).await;
    assert_eq!(fresh.replica.entries, customer.replica.entries, "nothing of the old owner was stored");
}

#[tokio::test]
async fn an_agent_is_lost_with_the_last_node_that_holds_a_socket_of_theirs() {
    let quick = |settings: NodeSettings| settings.with("ONYA_CONVERSATION__AGENT_LOST_AFTER_MS", 2_000);
    let mut cluster = TestCluster::with(3, quick).await;
    // Ada has sockets at two nodes, Bob at one of them; the customers are at the third.
    let (gone, stays, third) = (0, 1, 2);
    let mut customers = Vec::new();
    for name in ["Ada", "Bob"] {
        let mut customer = ChatClient::visit(&cluster.nodes[third]).await;
        let token = cluster.nodes[gone].token(&["--role", "agent", "--name", name]);
        let mut agent = AgentClient::connect(&cluster.nodes[gone], token.clone()).await;
        agent.watch(customer.visitor.conversation).await;
        let take = agent.with_version(customer.visitor.conversation, "take_over").await;
        agent.ack(&take).await;
        customer.say("Are you there?").await;
        customers.push((customer, token));
    }
    let [(ada_has, ada), (bob_has, _)] = &mut customers[..] else { panic!() };
    let second = AgentClient::connect(&cluster.nodes[stays], ada.clone()).await;
    cluster.nodes[gone].kill().await;
    bob_has.until(|client| client.replica.control == Control::Queue).await;
    let fresh = ChatClient::open(&cluster.nodes[third], ada_has.visitor.clone()).await;
    assert!(matches!(fresh.replica.control, Control::Agent { .. }), "{:?}", fresh.replica.control);
    drop(second);
    ada_has.until(|client| client.replica.control == Control::Queue).await;
}

#[tokio::test]
async fn a_rolling_restart_refuses_nobody_and_loses_nothing() {
    let mut cluster = TestCluster::start(3).await;
    let mut customers = Vec::new();
    for number in 0..9 {
        let mut customer = ChatClient::visit(&cluster.nodes[number % 3]).await;
        customer.say("Before").await;
        customers.push((number % 3, customer));
    }
    for restarting in 0..3 {
        // Whoever is on the node that goes is told, and comes back elsewhere before it has gone.
        cluster.nodes[restarting].terminate();
        for (node, customer) in customers.iter_mut().filter(|(node, _)| *node == restarting) {
            customer.until(|client| client.goaway.is_some()).await;
            customer.goaway = None;
            *node = (restarting + 1) % 3;
            customer.connect(&cluster.nodes[*node]).await;
            assert_eq!(customer.replica.recovered, Some(true));
        }
        for (_, customer) in &mut customers {
            let said = customer.say(&format!("While {restarting} restarts")).await;
            assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
        }
        let status = cluster.nodes[restarting].ended().await;
        assert!(status.success());
        cluster.nodes[restarting].restart().await;
        for node in &cluster.nodes {
            node.knows(3).await;
        }
    }
    for (node, customer) in &mut customers {
        assert!(customer.refusals.is_empty(), "{:?}", customer.refusals);
        let fresh = ChatClient::open(&cluster.nodes[*node], customer.visitor.clone()).await;
        assert_eq!(fresh.replica.entries, customer.replica.entries);
    }
}

#[tokio::test]
async fn a_reply_goes_on_through_a_drain_and_a_stop_still_reaches_it() {
    let cluster = TestCluster::with(3, |settings| settings.with("ONYA_LLM__MOCK__TOKENS_PER_SECOND", 5)).await;
    let mut customer = ChatClient::visit(&cluster.nodes[0]).await;
    let id = customer.visitor.conversation;
    let said = customer.say("Tell me a very long story").await;
    customer.until_shown(3).await;
    let (far, _) = cluster.others(id).await;
    let owner = cluster.owner(id).await;
    customer.connect(&cluster.nodes[far]).await;
    cluster.nodes[owner].terminate();
    let shown = customer.replica.live.as_ref().map_or(0, |live| live.text.len());
    customer.until_shown(shown + 5).await;
    let stop = customer.command(json!({"type": "stop"})).await;
    customer.ack(&stop).await;
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Stopped);
    eventually(async || cluster.owner_now(id).await.is_none_or(|now| now != owner).then_some(())).await;
    let again = customer.say("And now?").await;
    assert_ne!(cluster.owner(id).await, owner);
    assert!(again.seq > said.seq);
}
