//! Drain, hand-over and verdicts: conversations move, nothing that was sent is refused.

use std::time::Duration;

use onya_actors::Settings;
use onya_actors::ports::ModelEnd;
use onya_core::conversation::Policy;
use onya_protocol::{CloseCode, ServerFrame};

use super::world::{NAMES, Nodes};

#[tokio::test(start_paused = true)]
async fn a_drain_refuses_nothing_and_its_conversation_goes_on_elsewhere() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    let mut far = nodes.customer(edge, None).await;
    let mut near = nodes.customer(owner, None).await;
    far.synced().await;
    near.synced().await;
    nodes.say(edge, "before").await.unwrap();
    nodes.nodes[owner].model.asked().await.end(ModelEnd::Complete);
    nodes.settle().await;
    let talking = async {
        for number in 0..50 {
            // Through the node that drains, too.
            let node = if number % 2 == 0 { edge } else { owner };
            nodes.say(node, &format!("during {number}")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(nodes.nodes[owner].sessions.drain(), talking);
    assert_ne!(nodes.owner(), Some(owner));
    let last = nodes.entries().len() as u64;
    loop {
        match far.next().await {
            ServerFrame::Entry { entry, .. } if entry.seq == last => break,
            ServerFrame::Synced(synced) if synced.position == last => break,
            _ => {}
        }
    }
    assert_eq!(near.until(|frame| matches!(frame, ServerFrame::Goaway { .. }).then_some(())).await, ());
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_a_reply_finish_and_a_stop_reach_it() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    nodes.say(edge, "tell me").await.unwrap();
    let asked = nodes.nodes[owner].model.asked().await;
    asked.say("It is a long story");
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let stop = onya_core::conversation::Action::Stop { turn: None };
        nodes.request(edge, crate::world::CUSTOMER, stop).await.unwrap()
    };
    let ((), ack) = tokio::join!(nodes.nodes[owner].sessions.drain(), stopping);
    assert_eq!(ack.cut_at, Some("It is a long story".len() as u64));
    nodes.say(edge, "again").await.unwrap();
    assert_ne!(nodes.owner(), Some(owner));
}

#[tokio::test(start_paused = true)]
async fn an_idle_conversation_of_a_node_that_drains_is_given_up_when_it_is_asked_for() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    nodes.say(edge, "hello").await.unwrap();
    nodes.nodes[owner].model.asked().await.end(ModelEnd::Complete);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(nodes.owner(), Some(owner), "out of memory, and still its own");
    // Keeps the drain from its end.
    let _other = nodes.customer(owner, None).await;
    let draining = nodes.nodes[owner].sessions.drain();
    let asking = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        nodes.say(edge, "again").await.unwrap();
        assert_ne!(nodes.owner(), Some(owner));
    };
    tokio::join!(draining, asking);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_goes_to_a_member_that_joins_and_should_own_it_but_not_at_once() {
    let mut nodes = Nodes::new().await;
    nodes.settle().await;
    let before = nodes.wished();
    let edge = nodes.other();
    let mut reader = nodes.customer(edge, None).await;
    reader.synced().await;
    nodes.say(edge, "hello").await.unwrap();
    nodes.nodes[before].model.asked().await.end(ModelEnd::Complete);
    // One of a few names takes it over.
    let mut joined = 0;
    while nodes.wished() == before {
        joined += 1;
        nodes.join(&format!("new-{joined}")).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(nodes.owner(), Some(before), "it stays a while");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(nodes.owner(), None, "given up");
    nodes.say(edge, "again").await.unwrap();
    assert_eq!(nodes.owner(), Some(nodes.wished()));
    let last = nodes.entries().len() as u64;
    loop {
        match reader.next().await {
            ServerFrame::Entry { entry, .. } if entry.seq == last => break,
            ServerFrame::Synced(synced) if synced.position == last => break,
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_conversation_that_the_ring_would_have_elsewhere_is_found_at_its_owner() {
    let mut nodes = Nodes::with(Settings { passivate_after_ms: 1_000, ..Settings::default() }).await;
    nodes.settle().await;
    let (before, edge) = (nodes.wished(), nodes.other());
    nodes.say(edge, "hello").await.unwrap();
    nodes.nodes[before].model.asked().await.end(ModelEnd::Complete);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut joined = 0;
    while nodes.wished() == before {
        joined += 1;
        nodes.join(&format!("new-{joined}")).await;
    }
    nodes.settle().await;
    // A node that has never heard of the conversation asks the one that should own it, which reads who does.
    let stranger = (0..NAMES.len()).find(|node| ![before, edge].contains(node)).unwrap();
    let mut reader = nodes.customer(stranger, None).await;
    assert_eq!(reader.synced().await.position, 4);
    assert_eq!((nodes.owner(), nodes.log().claims(nodes.id)), (Some(before), 1), "who reads claims nothing");
    assert_eq!(nodes.say(stranger, "again").await.unwrap().seq, 5);
    assert_eq!(nodes.owner(), Some(before));
    reader.until(|frame| matches!(frame, ServerFrame::Entry { entry, .. } if entry.seq == 5).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_newer_release_gets_what_is_free_or_has_to_move_and_nothing_else_moves() {
    let mut nodes = Nodes::with(Settings { passivate_after_ms: 3_600_000, ..Settings::default() }).await;
    nodes.settle().await;
    let (before, edge) = (nodes.wished(), nodes.other());
    let (mut near, mut far) = (nodes.customer(before, None).await, nodes.customer(edge, None).await);
    nodes.say(edge, "hello").await.unwrap();
    nodes.nodes[before].model.asked().await.end(ModelEnd::Complete);
    for reader in [&mut near, &mut far] {
        reader.until(|frame| matches!(frame, ServerFrame::Entry { entry, .. } if entry.seq == 4).then_some(())).await;
    }

    let newer = nodes.join_with("newer", "0.2.0").await;
    assert_eq!(nodes.wished(), newer);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!((nodes.owner(), nodes.log().claims(nodes.id)), (Some(before), 1), "it stays where it is");
    for reader in [&mut near, &mut far] {
        let shown = tokio::time::timeout(Duration::from_millis(1), reader.next()).await;
        assert!(shown.is_err(), "whose readers are left alone: {shown:?}");
    }

    let draining = nodes.nodes[before].sessions.clone();
    let asking = async {
        nodes.say(edge, "again").await.unwrap();
        assert_eq!(nodes.owner(), Some(newer), "what has to move goes to the newer release");
    };
    tokio::join!(draining.drain(), asking);
    assert_eq!(nodes.log().claims(nodes.id), 2);
}

#[tokio::test(start_paused = true)]
async fn a_live_owner_is_not_robbed_by_a_node_that_believes_it_should_own() {
    let mut nodes = Nodes::new().await;
    nodes.settle().await;
    let before = nodes.wished();
    nodes.say(before, "hello").await.unwrap();
    let asked = nodes.nodes[before].model.asked().await;
    asked.say("I am");
    let mut joined = 0;
    while nodes.wished() == before {
        joined += 1;
        nodes.join(&format!("new-{joined}")).await;
    }
    nodes.settle().await;
    // Through the node that should own it now.
    nodes.say(nodes.wished(), "and?").await.unwrap();
    assert_eq!(nodes.owner(), Some(before));
    assert_eq!(nodes.log().claims(nodes.id), 1);
}

#[tokio::test(start_paused = true)]
async fn a_due_timer_wakes_a_conversation_on_one_node_only() {
    let policy = Policy { idle_close_ms: 300_000, ..Policy::default() };
    let nodes = Nodes::with(Settings { policy, ..Settings::default() }).await;
    nodes.settle().await;
    nodes.say(nodes.wished(), "hello").await.unwrap();
    nodes.nodes[nodes.wished()].model.asked().await.end(ModelEnd::Complete);
    nodes.settle().await;
    let entries = nodes.entries().len();
    nodes.bury(nodes.wished());
    // Long after the conversation is closed for having been left alone.
    tokio::time::sleep(Duration::from_secs(600)).await;
    let after = nodes.entries();
    assert!(after.len() > entries);
    assert!(nodes.log().claims(nodes.id) <= 4, "the others leave it to one");
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_closes_its_sockets_at_once_when_it_drains() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    nodes.bury(1);
    nodes.bury(2);
    let mut reader = nodes.customer(0, None).await;
    reader.synced().await;
    nodes.nodes[0].sessions.drain().await;
    let (_, closing) = reader.connection.queue().next().await;
    assert_eq!(closing, Some(CloseCode::Shutdown));
}
