//! Frames arrive, in their order, whatever their number and size, and whatever the other way does.

use futures::SinkExt as _;

use super::*;

const MANY: usize = 20_000;
const MIB: usize = 1024 * 1024;
/// More frames of a mebibyte than the kernel takes for a connection.
const MUCH: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn frames_pass_both_ways_in_their_order() {
    let node = Node::start().await;
    let dialed = Dialed::to(node.member());
    let accepted = node.end(0).await;
    for part in 0..100 {
        let frames = numbered(part * MANY / 100..(part + 1) * MANY / 100);
        dialed.end.say(frames.clone());
        accepted.say(frames);
    }
    assert_eq!(accepted.heard(MANY).await, numbered(0..MANY));
    assert_eq!(dialed.end.heard(MANY).await, numbered(0..MANY));
    assert!(dialed.end.opened.load(Ordering::SeqCst));
}

#[tokio::test]
async fn what_was_said_before_a_link_is_open_is_the_first_to_pass() {
    let node = Node::start().await;
    let dialed = Dialed::to(node.member());
    dialed.end.say(numbered(0..3));
    assert_eq!(node.end(0).await.heard(3).await, numbered(0..3));
}

#[tokio::test]
async fn a_name_is_resolved() {
    let node = Node::start().await;
    let dialed = Dialed::to(member(node.me, format!("localhost:{}", node.address.port())));
    dialed.end.until_open().await;
}

#[tokio::test]
async fn all_that_waits_goes_out_in_few_messages() {
    let node = Node::start().await;
    let mut socket = raw(&node).await;
    let end = node.end(0).await;
    end.say(numbered(0..MANY));
    let mut messages: Vec<Vec<String>> = Vec::new();
    while messages.iter().map(Vec::len).sum::<usize>() < MANY {
        messages.push(hear(&mut socket).await);
    }
    let bytes: usize = numbered(0..MANY).iter().map(|frame| frame.len() + 3).sum();
    assert!(messages.len() <= bytes / (BUFFER_BYTES / 2) + 1, "{} messages of {bytes} bytes", messages.len());
    assert_eq!(messages.concat(), numbered(0..MANY));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_frames_pass_both_ways() {
    let node = Node::start().await;
    let dialed = Dialed::to(node.member());
    let accepted = node.end(0).await;
    // The longest that can be: control characters take six bytes of JSON each.
    let frames = ["\u{1}".repeat(5 * MIB), "ü".repeat(3 * MIB), String::new()];
    dialed.end.say(frames.clone());
    accepted.say(frames.clone());
    assert_eq!(accepted.heard(3).await, frames);
    assert_eq!(dialed.end.heard(3).await, frames);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_have_more_to_say_than_the_network_takes_hear_each_other() {
    let node = Node::start().await;
    let dialed = Dialed::to(node.member());
    let accepted = node.end(0).await;
    let frames = vec!["x".repeat(MIB); MUCH];
    dialed.end.say(frames.clone());
    accepted.say(frames.clone());
    assert_eq!(accepted.heard(MUCH).await, frames);
    assert_eq!(dialed.end.heard(MUCH).await, frames);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_node_does_not_read_waits_at_the_end_whose_bounds_count_it() {
    let node = Node::start().await;
    let mut socket = raw(&node).await;
    let end = node.end(0).await;
    let much = vec!["x".repeat(MIB); MUCH];
    end.say(much.clone());
    end.until(|end| end.taken.load(Ordering::SeqCst) == 1).await;
    for number in 0..100 {
        end.say(numbered(number..number + 1));
        // Signs of life of the other side do not hide that it does not read.
        socket.send(Message::Ping(vec![0; 100].into())).await.unwrap();
    }
    assert_eq!(end.queue.lock().unwrap().len(), 100, "nothing is taken before there is room for it");
    let mut heard = Vec::new();
    while heard.len() < much.len() + 100 {
        heard.extend(hear(&mut socket).await);
    }
    assert_eq!(heard, [much, numbered(0..100)].concat());
    assert_eq!(end.taken.load(Ordering::SeqCst), 2, "what waited went out at once");
}
