//! People: escalation, claim, takeover, answer, hand back.

use std::time::Duration;

use onya_actors::Settings;
use onya_actors::ports::ModelEnd;
use onya_core::AssignmentId;
use onya_core::conversation::{Action, Control, Event, Outcome, Overlap, Priority, ReturnTo};
use onya_protocol::{EntryBody, ErrorCode, ServerFrame};
use tokio::time::sleep;
use uuid::Uuid;

use super::world::{AGENT, CUSTOMER, SUPERVISOR, World};

fn take_over(control_version: u64) -> Action {
    Action::TakeOver { control_version, assignment: AssignmentId(Uuid::from_u128(9)) }
}

fn claim(control_version: u64) -> Action {
    Action::Claim { control_version, assignment: AssignmentId(Uuid::from_u128(9)) }
}

#[tokio::test(start_paused = true)]
async fn no_byte_of_the_assistant_follows_a_takeover() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("mid-sen");
    customer.until(|frame| matches!(frame, ServerFrame::Delta(_)).then_some(())).await;
    asked.say("tence");
    let ack = world.request(AGENT, take_over(0)).await.unwrap();
    asked.say(" and more");
    asked.end(ModelEnd::Complete);
    let frames = Vec::from(customer.connection.queue().next().await.0);
    let cut = ack.cut_at.unwrap();
    let control = frames.iter().position(
        |frame| matches!(frame, ServerFrame::Entry { entry, .. } if matches!(entry.body, EntryBody::ControlChanged { .. })),
    );
    let after = &frames[control.unwrap() + 1..];
    assert!(!after.iter().any(|frame| matches!(frame, ServerFrame::Delta(_))), "{after:?}");
    let Event::TurnEnded { outcome: Outcome::TakenOver, text, .. } = &world.entries()[3].event else { panic!() };
    assert_eq!(text.len() as u64, cut);
    assert_eq!(world.kinds().last(), Some(&"control_changed"));
}

#[tokio::test(start_paused = true)]
async fn a_final_that_was_not_sent_to_the_store_loses_against_a_takeover() {
    let world = World::new().await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    world.log.hold();
    // Something is in flight, so that both wait behind it.
    let said = world.say("more");
    let rest = async {
        tokio::task::yield_now().await;
        asked.say("all of it");
        asked.end(ModelEnd::Complete);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let taken = world.request(AGENT, take_over(0));
        let resume = async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            world.log.resume();
        };
        tokio::join!(taken, resume).0
    };
    let (said, taken) = tokio::join!(said, rest);
    said.unwrap();
    taken.unwrap();
    let outcomes: Vec<_> = world
        .entries()
        .iter()
        .filter_map(|entry| if let Event::TurnEnded { outcome, .. } = entry.event { Some(outcome) } else { None })
        .collect();
    assert_eq!(outcomes, [Outcome::TakenOver]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_exclusive() {
    let world = World::new().await;
    world.request(CUSTOMER, Action::Escalate { summary: None }).await.unwrap();
    let (one, two) = tokio::join!(world.request(AGENT, claim(1)), world.request(SUPERVISOR, claim(1)));
    let refusal = one.and(two).unwrap_err();
    assert_eq!((refusal.code, refusal.control_version), (ErrorCode::ControlChanged, Some(2)));
}

#[tokio::test(start_paused = true)]
async fn the_desk_sees_who_waits_and_who_no_longer_does() {
    let world = World::new().await;
    let staff = world.staff(AGENT).await;
    world.request(CUSTOMER, Action::Escalate { summary: Some("billing".into()) }).await.unwrap();
    assert_eq!(world.waiting().await[0].queued.summary.as_deref(), Some("billing"));
    world.request(AGENT, claim(1)).await.unwrap();
    assert_eq!(world.waiting().await, []);
    let (frames, _) = staff.queue().next().await;
    assert_eq!(frames.back(), Some(&ServerFrame::Queue { entries: vec![], waiting: 0 }));
}

#[tokio::test(start_paused = true)]
async fn an_agent_answers_and_the_assistant_takes_the_next_question() {
    let world = World::new().await;
    world.request(CUSTOMER, Action::Escalate { summary: None }).await.unwrap();
    world.request(AGENT, claim(1)).await.unwrap();
    world.say("are you there").await.unwrap();
    assert!(!world.model.is_asked());
    let answer = Action::Say { text: "yes".into(), overlap: Overlap::Queue };
    world.request(AGENT, answer).await.unwrap();
    world.request(AGENT, Action::HandBack { control_version: 2, to: ReturnTo::Assistant }).await.unwrap();
    assert!(!world.model.is_asked());
    world.say("thanks, one more").await.unwrap();
    assert_eq!(world.model.asked().await.question.prompt.messages.last().unwrap().text, "thanks, one more");
}

#[tokio::test(start_paused = true)]
async fn the_model_may_ask_for_a_person() {
    let world = World::new().await;
    world.say("I want to sue you").await.unwrap();
    let asked = world.model.asked().await;
    asked.end(ModelEnd::AskForPerson { summary: Some("legal".into()), priority: Priority::High });
    while world.waiting().await.is_empty() {
        tokio::task::yield_now().await;
    }
    let entries = world.entries();
    assert!(matches!(entries[3].event, Event::TurnEnded { outcome: Outcome::Escalated, .. }));
    assert!(matches!(entries[4].event, Event::ControlChanged { control: Control::Queue, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_foreign_customer_sees_nothing() {
    let world = World::new().await;
    let refusal = world.request(77, Action::Stop { turn: None }).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NotFound);
    let stranger = super::world::person(77, onya_core::conversation::Role::Customer);
    let Err(refusal) = world.sessions.connect_customer(stranger.clone(), world.id, None).await else { panic!() };
    assert_eq!(refusal.code, ErrorCode::NotFound);
    // The same while the conversation is live.
    world.say("hello").await.unwrap();
    let Err(refusal) = world.sessions.connect_customer(stranger, world.id, None).await else { panic!() };
    assert_eq!(refusal.code, ErrorCode::NotFound);
}

/// Long enough for an agent who is connected nowhere to count as lost, whatever else takes its time.
const AWAY: Duration = Duration::from_secs(30);

async fn taken_by_the_agent(world: &World) {
    world.say("hello").await.unwrap();
    world.request(AGENT, take_over(0)).await.unwrap();
    world.say("are you a person?").await.unwrap();
}

fn control(world: &World) -> Control {
    world.log.state(world.id).unwrap().control
}

#[tokio::test(start_paused = true)]
async fn a_customer_whose_agent_is_gone_waits_for_another_one() {
    // Whether the conversation is in memory or not.
    for passivate_after_ms in [600_000, 1_000] {
        let world = World::with(Settings { passivate_after_ms, ..Settings::default() }).await;
        let (one, other) = (world.staff(AGENT).await, world.staff(AGENT).await);
        taken_by_the_agent(&world).await;
        sleep(20 * AWAY).await;
        drop(one);
        sleep(AWAY).await;
        assert!(matches!(control(&world), Control::Agent { .. }), "there is another socket");
        drop(other);
        sleep(AWAY / 3).await;
        assert!(matches!(control(&world), Control::Agent { .. }), "the agent may be back soon");
        sleep(AWAY).await;
        assert_eq!(control(&world), Control::Queue);
        assert_eq!(world.waiting().await.len(), 1);
        let refusal =
            world.request(AGENT, Action::HandBack { control_version: 1, to: ReturnTo::Queue }).await.unwrap_err();
        assert_eq!(refusal.code, ErrorCode::ControlChanged);
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_who_is_back_in_time_keeps_the_customer() {
    let world = World::new().await;
    let mut agent = Some(world.staff(AGENT).await);
    taken_by_the_agent(&world).await;
    for _ in 0..20 {
        drop(agent.take());
        sleep(AWAY / 3).await;
        agent = Some(world.staff(AGENT).await);
        sleep(AWAY / 3).await;
    }
    assert!(matches!(control(&world), Control::Agent { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_customer_who_has_an_answer_stays_with_the_agent_until_the_next_question() {
    let world = World::new().await;
    taken_by_the_agent(&world).await;
    world.request(AGENT, Action::Say { text: "yes".into(), overlap: Overlap::Queue }).await.unwrap();
    sleep(20 * AWAY).await;
    assert!(matches!(control(&world), Control::Agent { .. }));
    world.say("still there?").await.unwrap();
    sleep(AWAY).await;
    assert_eq!(control(&world), Control::Queue);
}

#[tokio::test(start_paused = true)]
async fn agents_without_sockets_lose_nobody_if_the_settings_say_so() {
    let world = World::with(Settings { agent_lost_after_ms: 0, ..Settings::default() }).await;
    taken_by_the_agent(&world).await;
    sleep(20 * AWAY).await;
    assert!(matches!(control(&world), Control::Agent { .. }));
}
