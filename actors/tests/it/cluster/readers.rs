//! Readers on every node are shown one log, live, whatever becomes of links and owners.

use std::time::Duration;

use onya_actors::ports::ModelEnd;
use onya_core::conversation::{Event, Outcome, Role};
use onya_protocol::{CustomerFrame, ServerFrame, StaffFrame};

use super::world::{NAMES, Nodes};

fn text(frame: &ServerFrame) -> Option<String> {
    if let ServerFrame::Delta(delta) = frame { Some(delta.text.clone()) } else { None }
}

fn seq(frame: &ServerFrame) -> Option<u64> {
    if let ServerFrame::Entry { entry, .. } = frame { Some(entry.seq) } else { None }
}

#[tokio::test(start_paused = true)]
async fn a_reply_streams_to_readers_on_every_node() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let mut readers = Vec::new();
    for node in 0..3 {
        let mut reader = nodes.customer(node, None).await;
        reader.synced().await;
        readers.push(reader);
    }
    nodes.say(nodes.other(), "hello").await.unwrap();
    let asked = nodes.nodes[nodes.wished()].model.asked().await;
    asked.say("Hi ");
    for reader in &mut readers {
        assert_eq!(reader.until(text).await, "Hi ");
    }
    asked.say("there");
    asked.end(ModelEnd::Complete);
    for reader in &mut readers {
        // Text that waits goes when the entry comes.
        let end = |frame: &ServerFrame| seq(frame).filter(|seq| *seq == 4);
        reader.until(end).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_on_another_node_joins_in_the_middle_of_a_reply() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    nodes.say(nodes.wished(), "hello").await.unwrap();
    let asked = nodes.nodes[nodes.wished()].model.asked().await;
    asked.say("Grüße");
    nodes.settle().await;
    let mut reader = nodes.customer(nodes.other(), None).await;
    assert_eq!(reader.synced().await.turn.unwrap().text, "Grüße");
    asked.say(" an alle");
    assert_eq!(reader.until(text).await, " an alle");
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_an_idle_conversation_wakes_nobody_and_hears_of_what_comes() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let mut reader = nodes.customer(nodes.other(), None).await;
    assert_eq!(reader.synced().await.position, 1);
    assert_eq!(nodes.owner(), None, "a hello claims nothing");
    nodes.say(nodes.wished(), "hello").await.unwrap();
    assert_eq!(reader.until(seq).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_link_is_no_gap_for_the_reader() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    let mut reader = nodes.customer(edge, None).await;
    reader.synced().await;
    nodes.say(owner, "one").await.unwrap();
    assert_eq!(reader.until(seq).await, 2);
    assert_eq!(reader.until(seq).await, 3);
    nodes.cluster.cut(nodes.nodes[owner].me, nodes.nodes[edge].me);
    nodes.say(owner, "two").await.unwrap();
    nodes.settle().await;
    nodes.cluster.mend();
    let synced =
        reader.until(|frame| if let ServerFrame::Synced(synced) = frame { Some(synced.clone()) } else { None });
    let synced = synced.await;
    assert!(synced.recovered);
    assert_eq!(synced.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4]);
    nodes.say(owner, "three").await.unwrap();
    assert_eq!(reader.until(seq).await, 5);
}

/// The owner dies, and until this node believes in nobody any more the readers are adrift: whoever comes just then does not
/// stand for them.
#[tokio::test(start_paused = true)]
async fn a_reader_who_is_adrift_is_not_left_behind_when_another_comes() {
    for moment in 0..20 {
        let mut nodes = Nodes::new().await;
        nodes.settle().await;
        let owner = nodes.wished();
        nodes.say(owner, "one").await.unwrap();
        while nodes.wished() == owner {
            nodes.join(&format!("new-{}", nodes.nodes.len())).await;
        }
        nodes.settle().await;
        let edge = (0..nodes.nodes.len()).find(|node| *node != owner && *node != nodes.wished()).unwrap();
        // It hears of the owner from whoever should be it.
        let mut reader = nodes.customer(edge, None).await;
        reader.synced().await;
        nodes.bury(owner);
        tokio::time::sleep(Duration::from_millis(800 + 15 * moment)).await;
        let agent = nodes.nodes[edge].sessions.connect_staff(crate::world::person(2, Role::Agent)).await.unwrap();
        agent.handle(StaffFrame::Watch { conversation: nodes.id, cursor: None }).await;
        nodes.settle().await;
        let last = nodes.say(nodes.wished(), "two").await.unwrap().seq;
        let seen = reader.until(|frame| match frame {
            ServerFrame::Synced(synced) => Some(synced.position).filter(|position| *position >= last),
            frame => seq(frame).filter(|seq| *seq >= last),
        });
        tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap_or_else(|_| panic!("at moment {moment}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_shown_the_reply_of_an_owner_that_lives_though_the_node_that_should_own_it_cannot_be_reached() {
    let mut nodes = Nodes::new().await;
    nodes.settle().await;
    let owner = nodes.wished();
    nodes.say(owner, "hello").await.unwrap();
    let asked = nodes.nodes[owner].model.asked().await;
    asked.say("Grüße");
    while nodes.wished() == owner {
        nodes.join(&format!("new-{}", nodes.nodes.len())).await;
    }
    nodes.settle().await;
    let wished = nodes.wished();
    let edge = (0..nodes.nodes.len()).find(|node| *node != owner && *node != wished).unwrap();
    nodes.cluster.cut(nodes.nodes[wished].me, nodes.nodes[edge].me);
    nodes.settle().await;
    let mut reader = nodes.customer(edge, None).await;
    assert_eq!(reader.synced().await.turn.unwrap().text, "Grüße");
}

#[tokio::test(start_paused = true)]
async fn readers_follow_through_a_drain_and_to_the_node_that_comes_back() {
    let mut nodes = Nodes::new().await;
    nodes.settle().await;
    let owner = nodes.wished();
    nodes.say(owner, "one").await.unwrap();
    nodes.nodes[owner].model.asked().await.end(ModelEnd::Complete);
    let mut readers = Vec::new();
    for node in (0..3).filter(|node| *node != owner) {
        readers.push(nodes.customer(node, None).await);
        readers.last_mut().unwrap().synced().await;
    }
    nodes.settle().await;
    // It names to the others who should own the conversation now: nobody does before somebody claims it.
    nodes.nodes[owner].sessions.drain().await;
    nodes.bury(owner);
    nodes.settle().await;
    let again = nodes.join(NAMES[owner]).await;
    nodes.settle().await;
    assert_eq!(nodes.wished(), again);
    let said = nodes.say(again, "two").await.unwrap().seq;
    for reader in &mut readers {
        reader.until(|frame| seq(frame).filter(|seq| *seq == said)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_whose_owner_cannot_be_reached_is_shown_what_is_stored_and_the_rest_later() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    nodes.say(owner, "one").await.unwrap();
    nodes.cluster.cut(nodes.nodes[owner].me, nodes.nodes[edge].me);
    nodes.settle().await;
    let mut reader = nodes.customer(edge, None).await;
    let synced = reader.synced().await;
    assert_eq!((synced.position, synced.turn.unwrap().text.as_str()), (3, ""));
    nodes.say(owner, "two").await.unwrap();
    nodes.cluster.mend();
    let later = reader.until(|frame| if let ServerFrame::Synced(synced) = frame { Some(synced.clone()) } else { None });
    let later = later.await;
    assert_eq!((later.recovered, later.position), (true, 4));
}

#[tokio::test(start_paused = true)]
async fn the_death_of_the_owner_costs_a_reader_a_new_attempt_and_nothing_else() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let owner = nodes.wished();
    let edge = nodes.other();
    let mut reader = nodes.customer(edge, None).await;
    reader.synced().await;
    nodes.say(edge, "hello").await.unwrap();
    let zombie = nodes.nodes[owner].model.asked().await;
    zombie.say("I was going to");
    assert_eq!(reader.until(text).await, "I was going to");
    nodes.bury(owner);
    let heir = nodes.wished();
    let asked = nodes.nodes[heir].model.asked().await;
    assert_eq!(asked.question.turn, (3, 2));
    zombie.say(" say more");
    zombie.end(ModelEnd::Complete);
    asked.say("Hello again");
    assert_eq!(reader.until(text).await, "Hello again");
    asked.end(ModelEnd::Complete);
    assert_eq!(reader.until(seq).await, 5);
    nodes.settle().await;
    let ends: Vec<_> =
        nodes.entries().into_iter().filter(|entry| matches!(entry.event, Event::TurnEnded { .. })).collect();
    assert_eq!(ends.len(), 1, "the dead owner's end was refused");
    let Event::TurnEnded { outcome: Outcome::Final, text, .. } = &ends[0].event else { panic!() };
    assert_eq!(text, "Hello again");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_found_dead_shows_nobody_what_it_remembers() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let owner = nodes.wished();
    let edge = nodes.other();
    nodes.say(owner, "one").await.unwrap();
    nodes.bury(owner);
    nodes.say(edge, "two").await.unwrap();
    let last = nodes.entries().last().unwrap().seq;
    let mut reader = nodes.customer(owner, None).await;
    assert_eq!(reader.synced().await.position, last);
}

#[tokio::test(start_paused = true)]
async fn who_stops_watching_while_being_brought_up_to_date_again_is_shown_nothing_more() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let (owner, edge) = (nodes.wished(), nodes.other());
    nodes.say(owner, "one").await.unwrap();
    nodes.nodes[owner].model.asked().await.end(ModelEnd::Complete);
    let agent = nodes.nodes[edge].sessions.connect_staff(crate::world::person(2, Role::Agent)).await.unwrap();
    let watch = || agent.handle(StaffFrame::Watch { conversation: nodes.id, cursor: None });
    watch().await;
    nodes.settle().await;
    agent.queue().next().await;
    // The next node is asked, and does not answer before the agent looks elsewhere, and back again.
    nodes.log().hold_tails();
    nodes.bury(owner);
    nodes.settle().await;
    agent.handle(StaffFrame::Unwatch { conversation: nodes.id }).await;
    let resume = async {
        nodes.settle().await;
        nodes.log().resume_tails();
    };
    tokio::join!(watch(), resume);
    nodes.say(nodes.wished(), "two").await.unwrap();
    nodes.settle().await;
    let (frames, _) = agent.queue().next().await;
    let synced =
        frames.iter().filter_map(|frame| if let ServerFrame::Synced(synced) = frame { Some(synced) } else { None });
    assert_eq!(synced.map(|synced| (synced.recovered, synced.entries.len())).collect::<Vec<_>>(), [(false, 4)]);
}

#[tokio::test(start_paused = true)]
async fn typing_is_seen_on_all_nodes_but_by_who_types() {
    let nodes = Nodes::new().await;
    nodes.settle().await;
    let mut staff = Vec::new();
    for node in &nodes.nodes {
        let agent = node.sessions.connect_staff(crate::world::person(2, Role::Agent)).await;
        let agent = agent.unwrap();
        agent.handle(StaffFrame::Watch { conversation: nodes.id, cursor: None }).await;
        staff.push(agent);
    }
    let customer = nodes.customer(nodes.other(), None).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for agent in &staff {
        agent.queue().next().await;
    }
    customer.connection.handle(CustomerFrame::Typing { active: true }).await;
    for agent in &staff {
        let (frames, _) = agent.queue().next().await;
        assert!(frames.iter().any(|frame| matches!(frame, ServerFrame::Typing(typing) if typing.active)));
    }
}
