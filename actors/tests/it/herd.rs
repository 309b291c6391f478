//! Many who come at once: conversations are loaded a few at a time, and who would wait too long is told.

use std::time::Duration;

use onya_actors::Settings;
use onya_core::conversation::{Ack, Action, Overlap, Request, Role};
use onya_core::{ClientMsgId, ParticipantId};
use onya_protocol::{ErrorCode, Refusal};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::world::{World, person};

const AT_ONCE: usize = 3;
const MANY: u128 = 20;

/// Customers who each write into a conversation of their own at the same moment.
async fn herd(world: &World) -> JoinSet<Result<Ack, Refusal>> {
    let mut herd = JoinSet::new();
    for number in 100..100 + MANY {
        let opening = world.sessions.open(ParticipantId(Uuid::from_u128(number)), "en").await.unwrap();
        let (sessions, by) = (world.sessions.clone(), person(number, Role::Customer));
        let action = Action::Say { text: "hello".into(), overlap: Overlap::Queue };
        let request = Request { by, client_msg_id: ClientMsgId::new("m").unwrap(), after: None, action };
        herd.spawn(async move { sessions.request(opening.id(), request, None).await });
    }
    herd
}

#[tokio::test(start_paused = true)]
async fn conversations_are_loaded_a_few_at_a_time_and_all_of_them() {
    let world = World::with(Settings { activations: AT_ONCE, ..Settings::default() }).await;
    world.log.hold_claims();
    let herd = herd(&world).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.log.claims_asked(), AT_ONCE, "the store is asked for no more at once");
    world.log.resume_claims();
    assert!(herd.join_all().await.iter().all(Result::is_ok));
    assert_eq!(world.log.claims_asked(), usize::try_from(MANY).unwrap());
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_for_a_load_is_told_busy() {
    let world = World::with(Settings { activations: AT_ONCE, ..Settings::default() }).await;
    world.log.hold_claims();
    let mut herd = herd(&world).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut told = 0;
    while let Some(said) = herd.try_join_next() {
        let refusal = said.unwrap().unwrap_err();
        assert!(refusal.code == ErrorCode::Busy && refusal.retry_after_ms.is_some(), "{refusal:?}");
        told += 1;
    }
    assert_eq!((told, herd.len()), (usize::try_from(MANY).unwrap() - AT_ONCE, AT_ONCE), "some are being loaded");
    world.log.resume_claims();
    assert!(herd.join_all().await.iter().all(Result::is_ok));
}
