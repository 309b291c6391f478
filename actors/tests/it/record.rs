//! What goes on record, and what happens if it cannot.

use onya_actors::ports::{Act, PageFrom};
use onya_actors::{Looked, Refused};
use onya_core::ParticipantId;
use onya_core::conversation::{Action, Role};
use onya_protocol::{ErrorCode, ServerFrame, StaffFrame};
use uuid::Uuid;

use crate::world::{AGENT, CUSTOMER, World, person};

/// More refusals than wait at once.
const FLOOD: u64 = 10_000;

fn stranger() -> Refused<'static> {
    Refused { who: None, route: "/v1/queue", conversation: None, code: ErrorCode::Unauthenticated }
}

fn told(acts: &[Act]) -> Vec<(&str, &str)> {
    acts.iter().map(|act| (act.action, act.detail.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn what_staff_look_at_is_on_record_before_they_see_it_and_what_customers_look_at_is_not() {
    let world = World::new().await;
    let (agent, customer) = (person(AGENT, Role::Agent), person(CUSTOMER, Role::Customer));
    world.say("hello").await.unwrap();
    for who in [&customer, &agent] {
        world.sessions.summary(who, world.id).await.unwrap();
        world.sessions.entries(who, world.id, (PageFrom::End, 2)).await.unwrap();
    }
    world.sessions.open_conversations(&agent, (None, 10)).await.unwrap();
    let connection = world.staff(AGENT).await;
    connection.handle(StaffFrame::Watch { conversation: world.id, cursor: None }).await;
    let acts = world.audit.acts();
    assert_eq!(
        told(&acts),
        [
            ("read", r#"{"what":"conversation"}"#),
            ("read", r#"{"what":"entries","first":2,"last":3}"#),
            ("read", r#"{"what":"list","count":1}"#),
            ("logged_in", "{}"),
            ("read", r#"{"what":"queue"}"#),
            ("read", r#"{"what":"live"}"#),
        ]
    );
    let who = (Uuid::from_u128(AGENT).to_string(), "agent".to_owned());
    assert!(acts.iter().all(|act| (&act.actor, &act.actor_role) == (&who.0, &who.1)));
    let on: Vec<bool> = acts.iter().map(|act| act.conversation == Some(world.id)).collect();
    assert_eq!(on, [true, true, false, false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_put_on_record_is_not_shown_to_staff_and_customers_notice_nothing() {
    let world = World::new().await;
    let (agent, customer) = (person(AGENT, Role::Agent), person(CUSTOMER, Role::Customer));
    let connection = world.staff(AGENT).await;
    drop(connection.queue().next().await);
    world.audit.fail(true);
    assert_eq!(world.sessions.summary(&agent, world.id).await.unwrap_err().code, ErrorCode::Busy);
    assert_eq!(world.sessions.entries(&agent, world.id, (PageFrom::End, 2)).await.unwrap_err().code, ErrorCode::Busy);
    assert_eq!(world.sessions.waiting(&agent).await.unwrap_err().code, ErrorCode::Busy);
    assert_eq!(world.sessions.open_conversations(&agent, (None, 1)).await.unwrap_err().code, ErrorCode::Busy);
    assert_eq!(world.sessions.looks(&agent, Looked::AtResults(1)).await.unwrap_err().code, ErrorCode::Busy);
    assert!(world.sessions.connect_staff(agent.clone()).await.is_err());
    connection.handle(StaffFrame::Watch { conversation: world.id, cursor: None }).await;
    let (frames, _) = connection.queue().next().await;
    let frames: Vec<ServerFrame> = frames.into_iter().collect();
    assert!(matches!(&frames[..], [ServerFrame::Refused(refusal)] if refusal.code == ErrorCode::Busy), "{frames:?}");
    world.say("hello").await.unwrap();
    world.sessions.entries(&customer, world.id, (PageFrom::End, 2)).await.unwrap();
    world.audit.fail(false);
    world.sessions.summary(&agent, world.id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn refusals_wait_for_nobody_and_those_that_do_not_fit_are_counted() {
    let world = World::new().await;
    world.audit.hold();
    for _ in 0..FLOOD {
        world.sessions.note_refusal(stranger());
    }
    world.sessions.note_token(ParticipantId(Uuid::from_u128(CUSTOMER)), Role::Customer);
    world.audit.resume();
    world.sessions.drain().await;
    let acts = world.audit.acts();
    let stored = acts.iter().filter(|act| act.action == "refused").count() as u64;
    assert!(stored > 1_000 && stored < FLOOD / 2, "{stored}");
    let counted: Vec<&str> =
        acts.iter().filter(|act| act.action == "not_recorded").map(|act| act.detail.as_str()).collect();
    assert_eq!(counted, [format!(r#"{{"refusals":{},"log_ins":1}}"#, FLOOD - stored)]);
}

#[tokio::test(start_paused = true)]
async fn refusals_during_an_outage_of_the_store_are_on_record_after_it() {
    let world = World::new().await;
    world.audit.fail(true);
    for _ in 0..10 {
        world.sessions.note_refusal(stranger());
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    world.audit.fail(false);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let acts = world.audit.acts();
    assert_eq!(told(&acts), vec![("refused", r#"{"route":"/v1/queue","code":"unauthenticated"}"#); 10]);
}

#[tokio::test(start_paused = true)]
async fn a_command_beyond_somebodys_rights_and_a_look_at_a_strangers_conversation_are_refusals() {
    let world = World::new().await;
    let other = person(77, Role::Customer);
    assert_eq!(world.sessions.summary(&other, world.id).await.unwrap_err().code, ErrorCode::NotFound);
    let refused = world.sessions.connect_customer(other, world.id, None).await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::NotFound);
    let take = Action::Claim { control_version: 0, assignment: world.sessions.new_assignment() };
    assert_eq!(world.request(CUSTOMER, take).await.unwrap_err().code, ErrorCode::Forbidden);
    world.sessions.drain().await;
    let acts = world.audit.acts();
    let codes: Vec<(&str, bool)> =
        acts.iter().map(|act| (act.detail.as_str(), act.conversation == Some(world.id))).collect();
    let look = r#"{"route":"a conversation of somebody else","code":"not_found"}"#;
    assert_eq!(codes, [(look, true), (look, true), (r#"{"route":"a command","code":"forbidden"}"#, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_puts_on_record_what_waits() {
    let world = World::new().await;
    world.sessions.note_refusal(stranger());
    world.sessions.drain().await;
    assert_eq!(world.audit.acts().len(), 1);
    let agent = person(AGENT, Role::Agent);
    assert_eq!(world.sessions.summary(&agent, world.id).await.unwrap_err().code, ErrorCode::Busy);
}
