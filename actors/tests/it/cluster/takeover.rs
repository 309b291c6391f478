//! A takeover through other nodes leaks nothing, and is acknowledged when it has arrived everywhere.

use std::time::Duration;

use onya_core::AssignmentId;
use onya_core::conversation::{Action, Control, Event, Role};
use onya_protocol::{CloseCode, ServerFrame};
use uuid::Uuid;

use super::world::Nodes;
use crate::world::{AGENT, person};

fn take_over(control_version: u64) -> Action {
    Action::TakeOver { control_version, assignment: AssignmentId(Uuid::from_u128(9)) }
}

#[tokio::test(start_paused = true)]
async fn no_text_follows_a_takeover_on_any_node_and_the_cut_is_what_was_shown() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    let mut reader = nodes.customer(edge, None).await;
    reader.synced().await;
    nodes.say(edge, "hello").await.unwrap();
    let asked = nodes.nodes[owner].model.asked().await;
    let mut shown = String::new();
    let streaming = async {
        for number in 0.. {
            asked.say(&format!("word {number} "));
            tokio::time::sleep(Duration::from_millis(45)).await;
            if nodes.entries().len() > 3 {
                break;
            }
        }
    };
    let taking = async {
        nodes.settle().await;
        nodes.request((edge + 1) % 3, AGENT, take_over(0)).await.unwrap()
    };
    let ((), ack) = tokio::join!(streaming, taking);
    let cut = usize::try_from(ack.cut_at.unwrap()).unwrap();
    loop {
        match reader.next().await {
            ServerFrame::Delta(delta) => shown.push_str(&delta.text),
            ServerFrame::Entry { entry, .. } if entry.seq == 5 => break,
            _ => {}
        }
    }
    assert!(cut > 0 && shown.len() <= cut, "{} shown, cut at {cut}", shown.len());
    let Event::TurnEnded { text, .. } = &nodes.entries()[3].event else { panic!() };
    assert_eq!(text.len(), cut);
    asked.say("too late");
    nodes.settle().await;
    reader.connection.handle(onya_protocol::CustomerFrame::Ping {}).await;
    assert_eq!(reader.next().await, ServerFrame::Pong {}, "nothing else comes");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_confirm_in_time_does_not_hold_up_the_agent() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    let mut reader = nodes.customer(edge, None).await;
    reader.synced().await;
    nodes.say(edge, "hello").await.unwrap();
    let asked = nodes.nodes[owner].model.asked().await;
    asked.say("well");
    nodes.settle().await;
    nodes.cluster.freeze(nodes.nodes[edge].me);
    let began = tokio::time::Instant::now();
    nodes.request(owner, AGENT, take_over(0)).await.unwrap();
    let took = began.elapsed().as_millis();
    assert!((300..400).contains(&took), "{took} ms on the paused clock");
    nodes.cluster.mend();
    nodes.settle().await;
    loop {
        let (frames, closing) = reader.connection.queue().next().await;
        if let Some(code) = closing {
            assert_eq!(code, CloseCode::InsufficientState);
            break;
        }
        assert!(!frames.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_there_on_whichever_node_until_that_dies() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    let agent = nodes.nodes[edge].sessions.connect_staff(person(AGENT, Role::Agent)).await.unwrap();
    nodes.say(edge, "hello").await.unwrap();
    nodes.request(edge, AGENT, take_over(0)).await.unwrap();
    nodes.say(edge, "are you a person?").await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(matches!(nodes.log().state(nodes.id).unwrap().control, Control::Agent { .. }));
    nodes.bury(edge);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(nodes.log().state(nodes.id).unwrap().control, Control::Queue);
    assert_eq!(nodes.owner(), Some(owner));
    drop(agent);
}
