//! A command reaches the one owner from any node, once.

use onya_core::conversation::{Ack, Action, Overlap, Request, Role};
use onya_core::{ClientMsgId, ConversationId};
use onya_protocol::{ErrorCode, Refusal};
use uuid::Uuid;

use super::world::Nodes;
use crate::world::{CUSTOMER, person};

fn named(id: &str, after: Option<&str>, text: &str) -> Request {
    Request {
        by: person(CUSTOMER, Role::Customer),
        client_msg_id: ClientMsgId::new(id).unwrap(),
        after: after.map(|after| ClientMsgId::new(after).unwrap()),
        action: Action::Say { text: text.into(), overlap: Overlap::Queue },
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_sent_to_any_node_is_stored_by_the_one_that_should_own_the_conversation() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    for node in [0, 1, 2, 1, 0] {
        nodes.say(node, "hello").await.unwrap();
        assert_eq!(nodes.owner(), Some(nodes.wished()));
    }
    assert_eq!(nodes.log().claims(nodes.id), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_sent_before_there_are_links_waits_for_them() {
    let nodes = Nodes::new().await;
    nodes.say(nodes.other(), "early").await.unwrap();
    assert_eq!(nodes.owner(), Some(nodes.wished()));
}

#[tokio::test(start_paused = true)]
async fn a_repeat_through_another_node_gets_the_position_of_the_first() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let first = nodes.nodes[0].sessions.request(nodes.id, named("same", None, "once"), None).await.unwrap();
    for node in &nodes.nodes {
        let again = node.sessions.request(nodes.id, named("same", None, "once"), None).await.unwrap();
        assert_eq!((again.seq, again.repeated), (first.seq, true));
        let other = node.sessions.request(nodes.id, named("same", None, "twice"), None).await.unwrap_err();
        assert_eq!((other.code, other.seq), (ErrorCode::IdConflict, Some(first.seq)));
    }
}

#[tokio::test(start_paused = true)]
async fn commands_of_one_sender_keep_their_order_over_a_cut_link() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    nodes.say(edge, "first").await.unwrap();
    nodes.log().hold();
    let sessions = &nodes.nodes[edge].sessions;
    let numbers = 1..=8;
    let sending = numbers.clone().map(|number| {
        let before = (number > 1).then(|| format!("n{}", number - 1));
        sessions.request(nodes.id, named(&format!("n{number}"), before.as_deref(), &number.to_string()), None)
    });
    let sending = futures::future::join_all(sending);
    let cutting = async {
        nodes.settle().await;
        nodes.cluster.cut(nodes.nodes[owner].me, nodes.nodes[edge].me);
        nodes.settle().await;
        nodes.log().resume();
        nodes.cluster.mend();
    };
    let (acks, ()) = tokio::join!(sending, cutting);
    let seqs: Vec<_> = acks.into_iter().map(|ack| ack.unwrap().seq).collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
    let texts: Vec<String> = nodes
        .entries()
        .iter()
        .filter_map(|entry| match &entry.event {
            onya_core::conversation::Event::MessageSaid { text, .. } => Some(text.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(texts, ["first", "1", "2", "3", "4", "5", "6", "7", "8"]);
}

#[tokio::test(start_paused = true)]
async fn more_than_may_wait_for_an_unreachable_node_is_refused_as_busy_and_the_rest_in_time() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    nodes.cluster.cut(nodes.nodes[owner].me, nodes.nodes[edge].me);
    nodes.settle().await;
    let sessions = &nodes.nodes[edge].sessions;
    let sending = (0..33).map(|number| sessions.request(nodes.id, named(&format!("n{number}"), None, "x"), None));
    let outcomes = futures::future::join_all(sending).await;
    for outcome in outcomes {
        let refusal = outcome.unwrap_err();
        assert_eq!(refusal.code, ErrorCode::Busy);
        assert!(refusal.retry_after_ms.is_some());
    }
    assert_eq!(nodes.entries().len(), 1, "nothing was stored");
}

/// What becomes of a command that its owner has sent to the store, when something happens before the answer.
async fn outcome_when(nodes: &Nodes, name: &str, happens: impl FnOnce()) -> Result<Ack, Refusal> {
    let edge = nodes.other();
    nodes.say(edge, "first").await.unwrap();
    nodes.log().hold();
    let happening = async {
        nodes.settle().await;
        happens();
        nodes.log().resume();
    };
    let asked = nodes.nodes[edge].sessions.request(nodes.id, named(name, None, "x"), None);
    tokio::join!(asked, happening).0
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_answer_was_lost_is_answered_as_unknown_and_found_by_its_repeat() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    let cut = || nodes.cluster.cut(nodes.nodes[owner].me, nodes.nodes[edge].me);
    assert_eq!(outcome_when(&nodes, "lost", cut).await.unwrap_err().code, ErrorCode::Unknown);
    nodes.cluster.mend();
    nodes.settle().await;
    let again = nodes.nodes[edge].sessions.request(nodes.id, named("lost", None, "x"), None).await.unwrap();
    assert!(again.repeated);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_a_dead_owner_may_have_stored_is_not_refused_as_busy_by_its_successor() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    let die = || {
        nodes.log().fail_claims(usize::MAX);
        nodes.bury(owner);
    };
    assert_eq!(outcome_when(&nodes, "doubtful", die).await.unwrap_err().code, ErrorCode::Unknown);
    nodes.log().fail_claims(0);
    nodes.settle().await;
    let again = nodes.nodes[edge].sessions.request(nodes.id, named("doubtful", None, "x"), None).await.unwrap();
    assert!(again.repeated);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_does_not_exist_is_unknown_on_every_node() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    for node in &nodes.nodes {
        let nowhere = ConversationId(Uuid::from_u128(77));
        let refusal = node.sessions.request(nowhere, named("x", None, "x"), None).await.unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotFound);
    }
}
