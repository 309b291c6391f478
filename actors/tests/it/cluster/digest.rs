//! What a link should never lose, and what an owner should never forget, is noticed all the same.

use std::time::Duration;

use onya_actors::ports::ModelEnd;
use onya_protocol::{ServerFrame, Synced};

use super::world::Nodes;
use crate::world::Customer;

/// Longer than the time between two digests, and the one that lets it pass that something is on its way.
const TWO_DIGESTS: Duration = Duration::from_secs(61);

fn synced(frame: &ServerFrame) -> Option<Synced> {
    if let ServerFrame::Synced(synced) = frame { Some(synced.clone()) } else { None }
}

/// A reader on a node that does not own the conversation, in which a reply has ended at position 4.
async fn reader(nodes: &Nodes) -> Customer {
    nodes.settle().await;
    let mut reader = nodes.customer(nodes.other(), None).await;
    reader.synced().await;
    nodes.say(nodes.wished(), "hello").await.unwrap();
    nodes.nodes[nodes.wished()].model.asked().await.end(ModelEnd::Complete);
    reader.until(|frame| matches!(frame, ServerFrame::Entry { entry, .. } if entry.seq == 4).then_some(())).await;
    reader
}

#[tokio::test(start_paused = true)]
async fn entries_that_were_lost_on_a_link_are_brought_back_by_the_next_digest() {
    let nodes = Nodes::new().await;
    let mut reader = reader(&nodes).await;
    // Both of the message's, so that none comes after that would show the gap.
    nodes.cluster.lose_entries(2);
    nodes.say(nodes.wished(), "is not seen").await.unwrap();
    nodes.settle().await;
    assert!(nodes.cluster.has_lost_all());
    let shown = tokio::time::timeout(Duration::from_millis(1), reader.next()).await;
    assert!(shown.is_err(), "nothing was to arrive: {shown:?}");

    let back = tokio::time::timeout(TWO_DIGESTS, reader.until(synced)).await.unwrap();
    assert!(back.recovered);
    assert_eq!(back.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [5, 6]);
    // And what comes is shown live again.
    nodes.nodes[nodes.wished()].model.asked().await.end(ModelEnd::Complete);
    reader.until(|frame| matches!(frame, ServerFrame::Entry { entry, .. } if entry.seq == 7).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_missed_nothing_is_left_alone() {
    let nodes = Nodes::new().await;
    let mut reader = reader(&nodes).await;
    tokio::time::sleep(3 * TWO_DIGESTS).await;
    let shown = tokio::time::timeout(Duration::from_millis(1), reader.next()).await;
    assert!(shown.is_err(), "{shown:?}");
}
