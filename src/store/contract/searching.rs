//! Search: what is found, in which order, and what is not.

use std::collections::BTreeMap;

use onya_actors::ports::{AppendOutcome, Hit, Place, Search, StoreError};
use onya_core::ConversationId;
use onya_core::conversation::{Author, ReplyEnding, Role, Signal};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::Backend;
use super::fixture::{Node, Talk};

/// Makes everything searchable.
async fn index(node: &Node) {
    while node.log.index_texts().await.unwrap() > 0 {}
}

async fn page(node: &Node, query: &str, before: Option<Place>, limit: usize) -> Result<Vec<Hit>, StoreError> {
    node.log.search(&Search { query: query.to_owned(), before, limit }).await
}

/// All hits of a query, page by page.
async fn found(node: &Node, query: &str) -> Vec<Hit> {
    let mut all: Vec<Hit> = Vec::new();
    loop {
        let hits = page(node, query, all.last().map(|hit| hit.place), 3).await.unwrap();
        let more = hits.len() == 3;
        all.extend(hits);
        if !more {
            return all;
        }
    }
}

/// The texts that a query finds, hits in brackets.
async fn texts(node: &Node, query: &str) -> Vec<String> {
    let marked = |hit: Hit| {
        let pieces = hit.excerpt.into_iter();
        pieces.map(|piece| if piece.hit { format!("[{}]", piece.text) } else { piece.text }).collect()
    };
    found(node, query).await.into_iter().map(marked).collect()
}

async fn say(talk: &mut Talk, text: &str) {
    let append = talk.say(&format!("m{}", talk.state.seq), text);
    // The row may be held for a moment by what makes texts searchable; owners try again, too.
    while talk.store(append.clone()).await == AppendOutcome::Locked {}
}

async fn reply(talk: &mut Talk, text: &str) {
    let turn = talk.state.turn.unwrap();
    let ending = ReplyEnding::Complete { text: text.to_owned() };
    let append = talk.signal(Signal::FinishReply { turn: turn.turn, attempt: turn.attempt, ending });
    talk.must_store(append).await;
}

pub(super) async fn what_was_said_is_found_newest_first_page_by_page(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let (mut first, mut second) = (node.talk().await, node.talk().await);
    for number in 0..4 {
        say(&mut first, &format!("parcel {number}")).await;
        reply(&mut first, "About parcels, nothing is known.").await;
        say(&mut second, "something else").await;
    }
    assert_eq!(found(&node, "parcel").await, [], "it is not searchable yet");
    index(&node).await;
    let hits = found(&node, "parcel").await;
    assert_eq!(hits.len(), 8);
    assert!(hits.is_sorted_by(|newer, older| newer.place > older.place), "{hits:?}");
    assert!(hits.iter().all(|hit| hit.place.conversation == first.id()));
    let customer = Author { id: first.state.customer, role: Role::Customer, name: None };
    let entries = node.entries(first.id()).await;
    for hit in &hits {
        let entry = &entries[usize::try_from(hit.place.seq).unwrap() - 1];
        let author = (entry.event.kind() == "message_said").then(|| customer.clone());
        assert_eq!((hit.place.at, &hit.author), (entry.at, &author));
    }
    assert_eq!(texts(&node, "known nothing").await[0], "About parcels, [nothing] is [known].");
    assert_eq!(found(&node, "parcel 2").await.len(), 1);
    assert_eq!(found(&node, "parcel absent").await, []);
}

pub(super) async fn a_query_finds_the_same_whatever_the_case_the_accents_and_the_script(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    for text in ["Crème BRÛLÉE, bitte!", "Мой заказ №15 — где он?", "我的包裹在哪里", "أين طَرْدي؟", "Straße 7"]
    {
        say(&mut talk, text).await;
    }
    index(&node).await;
    for (query, text) in [
        ("creme brulee", "[Crème] [BRÛLÉE], bitte!"),
        ("BRÛL", "Crème [BRÛLÉE], bitte!"),
        ("ЗАКАЗ", "Мой [заказ] №15 — где он?"),
        ("包裹", "我的[包裹]在哪里"),
        ("里", "我的包裹在哪[里]"),
        ("طردي", "أين [طَرْدي]؟"),
        ("STRASSE 7", "[Straße] [7]"),
    ] {
        assert_eq!(texts(&node, query).await, [text], "{query}");
    }
    for query in ["br", "15x", "reme", "裹包"] {
        assert_eq!(found(&node, query).await, [], "{query}");
    }
}

pub(super) async fn no_query_reaches_the_syntax_of_the_database(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    say(&mut talk, "or and not near select drop 'quoted' words").await;
    index(&node).await;
    let refused = async |query: &str| matches!(page(&node, query, None, 3).await, Err(StoreError::Refused(_)));
    for none in ["", " ", "'", "\"\"", "* & | ! <-> ( )", "\u{202e}\u{200b}", "%", "😀"] {
        assert!(refused(none).await, "{none:?}");
    }
    assert!(refused(&(0..17).map(|number| format!("w{number} ")).collect::<String>()).await);
    for one in ["'quoted'", "\"words\"*", "or OR not:*", "NEAR(words)", "words & !select", "drop; --", "^and", "words:"]
    {
        assert_eq!(found(&node, one).await.len(), 1, "{one}");
    }
    let mut runner = TestRunner::deterministic();
    let hostile = prop_oneof!["[a-c'\"*:&|!()<>\\\\%_;^+{} -]{1,24}", "\\PC{1,24}", any::<String>()];
    for _ in 0..200 {
        let query = hostile.new_tree(&mut runner).unwrap().current();
        match page(&node, &query, None, 3).await {
            Ok(_) | Err(StoreError::Refused(_)) => {}
            Err(error) => panic!("{query:?}: {error}"),
        }
    }
}

pub(super) async fn what_was_stored_before_there_was_an_index_is_found(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talks = Vec::new();
    for _ in 0..3 {
        let mut talk = node.talk().await;
        // More than one step's worth.
        for number in 0..50 {
            say(&mut talk, &format!("needle {number}")).await;
        }
        talks.push(talk);
    }
    index(&node).await;
    backend.execute("DELETE FROM search").await;
    backend.execute("UPDATE conversations SET searched_seq = 0").await;
    index(&node).await;
    let mut counts: BTreeMap<ConversationId, usize> = BTreeMap::new();
    for hit in found(&node, "needle").await {
        *counts.entry(hit.place.conversation).or_default() += 1;
    }
    assert_eq!(counts, talks.iter().map(|talk| (talk.id(), 50)).collect());
    assert_eq!(backend.number("SELECT count(*) FROM conversations WHERE searched_seq <> last_seq").await, 0);
}

pub(super) async fn a_log_that_grows_while_it_is_indexed_is_indexed_whole(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    let growing = async {
        for number in 0..60 {
            say(&mut talk, &format!("needle {number}")).await;
        }
    };
    let indexing = async {
        while node.log.search(&search_for("59")).await.unwrap().is_empty() {
            node.log.index_texts().await.unwrap();
        }
    };
    tokio::join!(growing, indexing);
    assert_eq!(found(&node, "needle").await.len(), 60);
}

fn search_for(query: &str) -> Search {
    Search { query: query.to_owned(), before: None, limit: 1 }
}

pub(super) async fn what_is_taken_out_of_the_index_is_gone_at_once(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let (mut gone, mut kept) = (node.talk().await, node.talk().await);
    for talk in [&mut gone, &mut kept] {
        for number in 0..5 {
            say(talk, &format!("needle {number}")).await;
        }
    }
    index(&node).await;
    let first_page = page(&node, "needle", None, 3).await.unwrap();
    backend.execute("DELETE FROM search WHERE conversation = (SELECT min_id.id FROM conversations AS min_id ORDER BY id LIMIT 1)").await;
    let hits = found(&node, "needle").await;
    assert!(hits.len() == 5 && hits.iter().all(|hit| hit.place.conversation == kept.id()), "{hits:?}");
    // A page goes on even if what it ended with is gone.
    let on = first_page.iter().rfind(|hit| hit.place.conversation == gone.id()).unwrap().place;
    let older = page(&node, "needle", Some(on), 10).await.unwrap();
    assert!(older.iter().all(|hit| hit.place.at <= on.at) && older.len() >= 3, "{older:?}");
    index(&node).await;
    assert_eq!(found(&node, "needle").await.len(), 5, "it does not come back");
}
