//! Erasure: as a command to the owner, for a whole customer, at the end of the retention; and holds against it.

use std::sync::Arc;

use onya_actors::Settings;
use onya_actors::ports::{Erasure as _, EventLog as _, HOLD_POSTPONES_MS, LegalHold, ModelEnd};
use onya_actors::testing::{Fault, MemoryLog};
use onya_core::conversation::{Action, Control, Policy, Role};
use onya_core::{ClientMsgId, ParticipantId, Timestamp};
use onya_protocol::{EntryBody, ErrorCode, ServerFrame};
use uuid::Uuid;

use super::world::{AGENT, CUSTOMER, Customer, SUPERVISOR, World, person};

const WORDS: &str = "canary";
const DAY_MS: u64 = 86_400_000;

fn customer() -> ParticipantId {
    ParticipantId(Uuid::from_u128(CUSTOMER))
}

fn name(text: &str) -> ClientMsgId {
    ClientMsgId::new(text).unwrap()
}

async fn until_erased(reader: &mut Customer) -> Vec<ServerFrame> {
    let mut frames = Vec::new();
    loop {
        let frame = reader.next().await;
        let is_last =
            matches!(&frame, ServerFrame::Entry { entry, .. } if matches!(entry.body, EntryBody::Erased { .. }));
        frames.push(frame);
        if is_last {
            return frames;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_erasure_cuts_the_reply_in_progress_and_no_reader_is_shown_a_word_after_it() {
    let world = World::new().await;
    let mut reader = world.customer(None).await;
    world.say(WORDS).await.unwrap();
    let asked = world.model.asked().await;
    asked.say(WORDS);
    reader.until(|frame| matches!(frame, ServerFrame::Delta(_)).then_some(())).await;
    let slow = world.customer(None).await;
    let ack = world.request(SUPERVISOR, Action::Erase).await.unwrap();
    asked.say(WORDS);
    asked.end(ModelEnd::Complete);
    assert_eq!(ack.seq, 6);
    let frames = until_erased(&mut reader).await;
    assert!(!format!("{frames:?}").contains(WORDS), "{frames:?}");
    let waited = slow.queue_debug().await;
    assert!(waited.contains("Erased") && !waited.contains(WORDS), "{waited}");
    let mut late = world.customer(None).await;
    let synced = late.synced().await;
    assert!(!format!("{synced:?}").contains(WORDS));
    assert_eq!((synced.position, synced.turn, synced.entries.len()), (6, None, 6));
    assert!(synced.entries[..5].iter().all(|entry| entry.erased));
    assert_eq!(world.kinds(), ["opened", "message_said", "turn_opened", "turn_ended", "control_changed", "erased"]);
    assert_eq!(world.log.summary(world.id).await.unwrap().unwrap().turn, None);
}

#[tokio::test(start_paused = true)]
async fn an_erasure_takes_the_customer_out_of_the_queue() {
    let world = World::new().await;
    world.request(CUSTOMER, Action::Escalate { summary: Some(WORDS.to_owned()) }).await.unwrap();
    let by = person(SUPERVISOR, Role::Supervisor);
    assert_eq!(world.sessions.waiting(&by).await.unwrap().len(), 1);
    world.request(SUPERVISOR, Action::Erase).await.unwrap();
    assert!(world.sessions.waiting(&by).await.unwrap().is_empty());
    assert_eq!(world.request(AGENT, Action::Erase).await.unwrap_err().code, ErrorCode::Forbidden);
    assert_eq!(world.request(SUPERVISOR, Action::Erase).await.unwrap_err().code, ErrorCode::NothingToDo);
}

#[tokio::test(start_paused = true)]
async fn a_retry_finds_out_what_became_of_an_erasure() {
    let world = World::new().await;
    world.say(WORDS).await.unwrap();
    for (fault, wipe, repeated) in [(Fault::UnknownLost, "x1", false), (Fault::UnknownDone, "x2", true)] {
        let log = Arc::new(MemoryLog::default());
        let world = World::over(log, Settings::default()).await;
        world.say(WORDS).await.unwrap();
        world.log.fail([fault]);
        let unknown = world.request_as(SUPERVISOR, wipe, Action::Erase).await.unwrap_err();
        assert_eq!(unknown.code, ErrorCode::Unknown);
        let ack = world.request_as(SUPERVISOR, wipe, Action::Erase).await.unwrap();
        assert_eq!(ack.repeated, repeated);
        assert_eq!(world.kinds().iter().filter(|kind| **kind == "erased").count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn all_conversations_of_a_customer_are_erased_and_a_repeat_finds_it_done() {
    let world = World::new().await;
    world.say(WORDS).await.unwrap();
    world.request(CUSTOMER, Action::Close { control_version: None }).await.unwrap();
    let second = world.sessions.open(customer(), "en").await.unwrap().id();
    let by = person(SUPERVISOR, Role::Supervisor);
    for _ in 0..2 {
        let erased = world.sessions.erase_customer(&by, customer(), &name("wipe")).await.unwrap();
        let mut found: Vec<_> =
            erased.iter().map(|erased| (erased.conversation, *erased.outcome.as_ref().unwrap())).collect();
        found.sort();
        let mut expected = vec![(world.id, world.entries().len() as u64), (second, 3)];
        expected.sort();
        assert_eq!(found, expected);
    }
    let refused = world.sessions.erase_customer(&person(AGENT, Role::Agent), customer(), &name("wipe")).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Forbidden);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_erased_is_named_and_the_rest_is_done() {
    let world = World::new().await;
    world.request(CUSTOMER, Action::Close { control_version: None }).await.unwrap();
    world.sessions.open(customer(), "en").await.unwrap();
    world.log.fail([Fault::Unavailable]);
    let by = person(SUPERVISOR, Role::Supervisor);
    let erased = world.sessions.erase_customer(&by, customer(), &name("wipe")).await.unwrap();
    let codes: Vec<_> = erased.iter().map(|erased| erased.outcome.as_ref().err().map(|refusal| refusal.code)).collect();
    assert_eq!(codes, [Some(ErrorCode::Busy), None]);
    let again = world.sessions.erase_customer(&by, customer(), &name("wipe")).await.unwrap();
    assert!(again.iter().all(|erased| erased.outcome.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn while_a_customer_is_on_hold_nothing_is_erased_and_the_conversation_goes_on() {
    let world = World::new().await;
    let by = person(SUPERVISOR, Role::Supervisor);
    world.sessions.place_hold(&by, customer(), "a case".to_owned()).await.unwrap();
    let mut reader = world.customer(None).await;
    world.say(WORDS).await.unwrap();
    let asked = world.model.asked().await;
    asked.say("before ");
    let refusal = world.request(SUPERVISOR, Action::Erase).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::OnHold);
    asked.say("after");
    asked.end(ModelEnd::Complete);
    let text = reader
        .until(|frame| match frame {
            ServerFrame::Entry { entry, .. } => match &entry.body {
                EntryBody::TurnEnded { text, .. } => Some(text.clone()),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(text, "before after");
    let whole = world.sessions.erase_customer(&by, customer(), &name("wipe")).await.unwrap_err();
    assert_eq!(whole.code, ErrorCode::OnHold);
    world.sessions.lift_hold(&by, customer()).await.unwrap();
    world.request(SUPERVISOR, Action::Erase).await.unwrap();
    for reason in ["", " \n", "a\0b", &"x".repeat(2_001)] {
        let refused = world.sessions.place_hold(&by, customer(), reason.to_owned()).await;
        assert_eq!(refused.unwrap_err().code, ErrorCode::BadRequest);
    }
    let refused = world.sessions.place_hold(&person(AGENT, Role::Agent), customer(), "mine".to_owned()).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Forbidden);
}

fn kept_for_a_day() -> Settings {
    Settings {
        policy: Policy { retention_ms: Some(DAY_MS), ..Policy::default() },
        sweep_interval_ms: 60_000,
        ..Settings::default()
    }
}

async fn pass(ms: u64) {
    tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_conversation_is_erased_by_its_owner_when_its_time_is_over() {
    let world = World::with(kept_for_a_day()).await;
    world.request(CUSTOMER, Action::Escalate { summary: Some(WORDS.to_owned()) }).await.unwrap();
    world.request(CUSTOMER, Action::Close { control_version: None }).await.unwrap();
    pass(DAY_MS - 120_000).await;
    assert_eq!(world.kinds().last(), Some(&"control_changed"));
    pass(240_000).await;
    assert_eq!(world.kinds().last(), Some(&"erased"));
    assert!(!format!("{:?}", world.entries()).contains(WORDS));
}

#[tokio::test(start_paused = true)]
async fn a_hold_puts_the_end_of_the_retention_off_by_a_day_at_a_time() {
    let world = World::with(kept_for_a_day()).await;
    let placed_by = ParticipantId(Uuid::from_u128(SUPERVISOR));
    let hold = LegalHold { customer: customer(), reason: "a case".to_owned(), placed_by, placed_at: Timestamp(1) };
    world.log.place_hold(hold).await.unwrap();
    world.request(CUSTOMER, Action::Close { control_version: None }).await.unwrap();
    pass(2 * DAY_MS + 120_000).await;
    assert_eq!(world.kinds().last(), Some(&"control_changed"));
    // A customer may still say how it was.
    let rate = Action::Rate { reply: None, score: onya_core::conversation::Score::Up, comment: None };
    world.request(CUSTOMER, rate).await.unwrap();
    world.log.lift_hold(customer()).await.unwrap();
    pass(HOLD_POSTPONES_MS + 120_000).await;
    assert_eq!(world.kinds().last(), Some(&"erased"));
}

#[tokio::test(start_paused = true)]
async fn what_was_closed_before_the_setting_was_made_is_erased_too() {
    let log = Arc::new(MemoryLog::default());
    let rarely = Settings { sweep_interval_ms: 60_000, ..Settings::default() };
    let before = World::over(Arc::clone(&log), rarely).await;
    before.request(CUSTOMER, Action::Close { control_version: None }).await.unwrap();
    let open = before.sessions.open(customer(), "en").await.unwrap().id();
    pass(2 * 60_000).await;
    before.sessions.drain().await;
    let id = before.id;
    assert_eq!(log.entries(id).last().map(|entry| entry.event.kind()), Some("control_changed"), "kept for ever");
    let after = World::over(Arc::clone(&log), kept_for_a_day()).await;
    assert_eq!(after.id, open);
    pass(DAY_MS + 240_000).await;
    assert_eq!(log.entries(id).last().map(|entry| entry.event.kind()), Some("erased"));
    assert_eq!(log.summary(id).await.unwrap().unwrap().control, Control::Closed);
}
