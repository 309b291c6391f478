//! Reads: pages, tails, keys and summaries.

use onya_actors::ports::{Page, PageFrom, TailLimit};
use onya_core::conversation::{Action, Control, Entry, Signal, View};
use onya_core::{ClientMsgId, ConversationId, ParticipantId};
use uuid::Uuid;

use super::Backend;
use super::fixture::{Node, Talk};

/// A log in which customers see some entries and not others.
async fn mixed_log(node: &Node) -> Talk {
    let mut talk = node.talk().await;
    for number in 0..8 {
        let say = talk.say(&format!("m{number}"), "text");
        talk.must_store(say).await;
        if number % 3 == 0 {
            for _ in 0..2 {
                let resume = talk.signal(Signal::ResumeTurn);
                talk.must_store(resume).await;
            }
            let stop = talk.request(talk.customer(), &format!("s{number}"), Action::Stop { turn: None });
            talk.must_store(stop).await;
        }
    }
    talk
}

pub(super) async fn pages_run_both_ways_in_both_views(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let talk = mixed_log(&node).await;
    let all = node.entries(talk.id()).await;
    assert_eq!(all.len() as u64, talk.state.seq);
    for view in [View::Staff, View::Customer] {
        let visible: Vec<Entry> = all.iter().filter(|entry| entry.visible_to(view)).cloned().collect();
        let (forward, backward) = (walk(&node, talk.id(), view, true).await, walk(&node, talk.id(), view, false).await);
        assert_eq!((&forward, &backward), (&visible, &visible));
        let mut prev = 0;
        for entry in &forward {
            assert_eq!(entry.prev(view), prev);
            prev = entry.seq;
        }
        let end = node.log.page(talk.id(), Page { view, from: PageFrom::End, limit: 4 }).await.unwrap();
        assert_eq!(end, visible[visible.len() - 4..]);
        let none = Page { view, from: PageFrom::After(u64::MAX), limit: 4 };
        assert_eq!(node.log.page(talk.id(), none).await.unwrap(), []);
    }
}

pub(super) async fn open_conversations_are_listed_newest_first_and_closed_ones_are_not(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let (first, mut second, third, fourth) =
        (node.open().await, node.talk().await, node.open().await, node.open().await);
    let close = second.request(second.customer(), "c1", Action::Close { control_version: None });
    second.must_store(close).await;
    let ids = async |before, limit| {
        let open = node.log.open_conversations(before, limit).await.unwrap();
        open.into_iter().map(|summary| summary.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 10).await, [fourth, third, first]);
    assert_eq!(ids(None, 2).await, [fourth, third]);
    assert_eq!(ids(Some(third), 2).await, [first]);
    assert_eq!(ids(Some(first), 2).await, []);
}

async fn walk(node: &Node, id: ConversationId, view: View, forward: bool) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    loop {
        let from = match (forward, found.first(), found.last()) {
            (true, _, last) => PageFrom::After(last.map_or(0, |entry| entry.seq)),
            (false, Some(first), _) => PageFrom::Before(first.seq),
            (false, None, _) => PageFrom::End,
        };
        let page = node.log.page(id, Page { view, from, limit: 3 }).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            return found;
        }
        found = if forward { [found, page].concat() } else { [page, found].concat() };
    }
}

pub(super) async fn a_tail_is_bounded_by_entries_and_by_bytes(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let talk = mixed_log(&node).await;
    let all = node.entries(talk.id()).await;
    let bytes = |entry: &Entry| serde_json::to_string(&entry.event).unwrap().len();
    let newest_two = bytes(&all[all.len() - 1]) + bytes(&all[all.len() - 2]);
    for (entries, bytes, length) in [
        (5, 1_000_000, 5),
        (1_000, 1_000_000, all.len()),
        (0, 1_000_000, 1),
        (5, 0, 1),
        (5, newest_two - 1, 2),
        (5, newest_two, 3),
    ] {
        let tail = node.log.tail(talk.id(), TailLimit { entries, bytes }).await.unwrap().unwrap();
        assert_eq!(tail.entries, all[all.len() - length..], "{entries} entries, {bytes} bytes");
        assert_eq!(tail.summary.last_seq, talk.state.seq);
    }
}

pub(super) async fn stored_commands_are_found_by_their_ids(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let talk = mixed_log(&node).await;
    let ids = ["m3", "unknown", "s0"].map(|id| ClientMsgId::new(id).unwrap());
    let mut known = node.log.known_keys(talk.id(), talk.state.customer, &ids).await.unwrap();
    known.sort_by_key(|known| known.seq);
    let names: Vec<_> = known.iter().map(|known| known.key.client_msg_id.as_str()).collect();
    assert_eq!(names, ["s0", "m3"]);
    let all = node.entries(talk.id()).await;
    for known in known {
        assert_eq!(all[usize::try_from(known.seq).unwrap() - 1].key.as_ref(), Some(&known.key));
    }
    let stranger = ParticipantId(Uuid::now_v7());
    assert_eq!(node.log.known_keys(talk.id(), stranger, &ids).await.unwrap(), []);
    assert_eq!(node.log.known_keys(talk.id(), talk.state.customer, &[]).await.unwrap(), []);
}

pub(super) async fn the_summary_follows_the_log(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    let say = talk.say("m1", "hello");
    talk.must_store(say).await;
    let summary = node.log.summary(talk.id()).await.unwrap().unwrap();
    assert_eq!((summary.id, summary.customer, summary.language.as_str()), (talk.id(), talk.state.customer, "en"));
    assert_eq!((summary.opened_at.0, summary.last_seq, summary.epoch), (1_000, 3, 1));
    assert_eq!((summary.control, summary.turn), (Control::Assistant, Some((3, 1))));
    let resume = talk.signal(Signal::ResumeTurn);
    talk.must_store(resume).await;
    assert_eq!(node.log.summary(talk.id()).await.unwrap().unwrap().turn, Some((3, 2)));
    let escalate = talk.request(talk.customer(), "e1", Action::Escalate { summary: None });
    talk.must_store(escalate).await;
    let summary = node.log.summary(talk.id()).await.unwrap().unwrap();
    assert_eq!((summary.control, summary.control_version, summary.turn), (Control::Queue, 1, None));
}

pub(super) async fn what_does_not_exist_is_not_found(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let id = ConversationId(Uuid::now_v7());
    assert!(node.log.summary(id).await.unwrap().is_none());
    assert!(node.log.tail(id, super::fixture::TAIL).await.unwrap().is_none());
    assert_eq!(node.entries(id).await, []);
    let claim = node.log.claim(id, super::fixture::TAIL).await.unwrap();
    assert!(matches!(claim, onya_actors::ports::Claim::NotFound));
    node.log.ping().await.unwrap();
    let epoch = node.log.history_epoch().await.unwrap();
    assert_eq!(Node::start(backend, "b").await.log.history_epoch().await.unwrap(), epoch);
}
