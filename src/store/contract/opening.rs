//! Creation: one open conversation per customer, whatever races.

use std::collections::BTreeSet;

use onya_actors::ports::{Opening, StoreError};
use onya_core::ParticipantId;
use onya_core::conversation::Action;
use uuid::Uuid;

use super::Backend;
use super::fixture::{Node, new_conversation};

pub(super) async fn twenty_racing_creations_make_one_conversation(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    for _ in 0..5 {
        let customer = ParticipantId(Uuid::now_v7());
        let creations = (0..20).map(|_| node.log.open(new_conversation(customer, "en")));
        let openings: Vec<Opening> =
            futures::future::join_all(creations).await.into_iter().map(Result::unwrap).collect();
        let ids: BTreeSet<_> = openings.iter().map(|opening| opening.id()).collect();
        let created = openings.iter().filter(|opening| matches!(opening, Opening::Created(_))).count();
        assert_eq!((ids.len(), created), (1, 1));
        let id = *ids.first().unwrap();
        assert_eq!(node.log.open_conversation_of(customer).await.unwrap(), Some(id));
        assert_eq!(node.entries(id).await.len(), 1);
    }
    assert_eq!(backend.number("SELECT count(*) FROM entries").await, 5);
}

pub(super) async fn the_same_creation_again_finds_what_it_made(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let new = new_conversation(ParticipantId(Uuid::now_v7()), "en");
    assert_eq!(node.log.open(new.clone()).await.unwrap(), Opening::Created(new.id));
    assert_eq!(node.log.open(new.clone()).await.unwrap(), Opening::Existing(new.id));
    let mut foreign = new_conversation(ParticipantId(Uuid::now_v7()), "en");
    foreign.id = new.id;
    assert!(matches!(node.log.open(foreign).await, Err(StoreError::Refused(_))));
}

pub(super) async fn a_customer_whose_conversation_is_closed_gets_a_new_one(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    let customer = talk.state.customer;
    let close = talk.request(talk.customer(), "c1", Action::Close { control_version: None });
    talk.must_store(close).await;
    assert_eq!(node.log.open_conversation_of(customer).await.unwrap(), None);
    let next = new_conversation(customer, "en");
    assert_eq!(node.log.open(next.clone()).await.unwrap(), Opening::Created(next.id));
    let rate =
        Action::Rate { reply: None, score: onya_core::conversation::Score::Up, comment: Some("fine".to_owned()) };
    let rate = talk.request(talk.customer(), "r1", rate);
    talk.must_store(rate).await;
    assert_eq!(node.log.open_conversation_of(customer).await.unwrap(), Some(next.id));
    let closed_at = backend.number("SELECT closed_at FROM conversations WHERE closed_at IS NOT NULL").await;
    assert_eq!(closed_at, 2_000, "the time of the closing, not of the rating");
}

pub(super) async fn a_creation_that_cannot_be_held_is_refused_and_leaves_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let customer = ParticipantId(Uuid::now_v7());
    let error = node.log.open(new_conversation(customer, "e\0n")).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert!(!error.is_transient());
    assert_eq!(node.log.open_conversation_of(customer).await.unwrap(), None);
    assert!(matches!(node.log.open(new_conversation(customer, "en")).await, Ok(Opening::Created(_))));
    assert_eq!(backend.number("SELECT count(*) FROM entries").await, 1);
}
