//! What goes wrong: the store, the owner, the actor itself.

use onya_actors::Settings;
use onya_actors::ports::ModelEnd;
use onya_actors::testing::Fault;
use onya_core::conversation::{Action, Event, Failure, Outcome, Overlap};
use onya_protocol::{EntryBody, ErrorCode, ServerFrame};

use super::world::{CUSTOMER, World};

fn say(text: &str) -> Action {
    Action::Say { text: text.into(), overlap: Overlap::Queue }
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_store_answers_busy_and_keeps_nothing() {
    let world = World::new().await;
    world.log.fail([Fault::Unavailable]);
    assert_eq!(world.request_as(CUSTOMER, "a", say("hello")).await.unwrap_err().code, ErrorCode::Busy);
    assert_eq!(world.entries().len(), 1);
    let ack = world.request_as(CUSTOMER, "a", say("hello")).await.unwrap();
    assert_eq!((ack.seq, ack.repeated), (2, false));
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_store_that_takes_nothing_is_told_at_once() {
    let world = World::new().await;
    world.say("first").await.unwrap();
    world.log.hold();
    world.log.fail([Fault::Unavailable]);
    let commands = ["a", "b", "c"].map(|id| world.request_as(CUSTOMER, id, say("hello")));
    let all = futures::future::join_all(commands);
    let held = async {
        // Everybody has asked by the time that the clock moves.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        world.log.resume();
    };
    let (outcomes, ()) = tokio::join!(all, held);
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().code, ErrorCode::Busy);
    }
    assert!(!world.request_as(CUSTOMER, "b", say("hello")).await.unwrap().repeated);
}

#[tokio::test(start_paused = true)]
async fn a_process_whose_store_was_restored_ends_so_that_a_new_one_starts_clean() {
    let mut world = World::new().await;
    world.say("one").await.unwrap();
    world.log.renew_history();
    world.sessions.failed().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_found_out_by_a_retry() {
    for (fault, repeated) in [(Fault::UnknownDone, true), (Fault::UnknownLost, false)] {
        let world = World::new().await;
        let mut customer = world.customer(None).await;
        customer.synced().await;
        world.log.fail([fault]);
        assert_eq!(world.request_as(CUSTOMER, "a", say("hello")).await.unwrap_err().code, ErrorCode::Unknown);
        let ack = world.request_as(CUSTOMER, "a", say("hello")).await;
        let ack = match ack {
            Err(refusal) if refusal.code == ErrorCode::Busy => world.request_as(CUSTOMER, "a", say("hello")).await,
            other => other,
        };
        assert_eq!(ack.unwrap().seq, 2);
        assert_eq!(world.entries().iter().filter(|entry| entry.event.kind() == "message_said").count(), 1);
        // The reader sees it once, whether or not its first owner learned of it.
        let seq =
            customer.until(|frame| if let ServerFrame::Entry { entry, .. } = frame { Some(entry.seq) } else { None });
        assert_eq!(seq.await, 2, "{repeated}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fenced_owner_leaves_without_leaking_and_the_next_serves() {
    let world = World::new().await;
    world.say("one").await.unwrap();
    world.log.rob(world.id);
    assert_eq!(world.request_as(CUSTOMER, "b", say("two")).await.unwrap_err().code, ErrorCode::Busy);
    loop {
        match world.request_as(CUSTOMER, "b", say("two")).await {
            Ok(ack) => break assert!(!ack.repeated),
            Err(refusal) => assert_eq!(refusal.code, ErrorCode::Busy),
        }
    }
    assert_eq!(world.entries().iter().filter(|entry| entry.event.kind() == "message_said").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_final_that_the_store_does_not_take_is_tried_again() {
    let world = World::new().await;
    world.say("one").await.unwrap();
    let asked = world.model.asked().await;
    world.log.fail([Fault::Unavailable, Fault::Unavailable]);
    asked.say("answer");
    asked.end(ModelEnd::Complete);
    while world.entries().len() < 4 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let Event::TurnEnded { outcome: Outcome::Final, text, .. } = &world.entries()[3].event else { panic!() };
    assert_eq!(text, "answer");
}

#[tokio::test(start_paused = true)]
async fn a_locked_row_is_tried_again_without_the_sender() {
    let world = World::new().await;
    world.log.fail([Fault::Locked, Fault::Locked]);
    assert_eq!(world.say("one").await.unwrap().seq, 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_makes_room_for_what_comes_however_often_it_was_sent() {
    // Room for a question and the opening of its turn, and for no third entry.
    let world = World::with(Settings { append_queue_bytes: 600, ..Settings::default() }).await;
    for number in 0..10 {
        let faults = [Fault::Locked, Fault::Unavailable, Fault::Poisoned];
        world.log.fail(faults.into_iter().take(number % 4));
        // Once for each fault that a sender hears of, and once more.
        for _ in 0..3 {
            let _ = world.request_as(CUSTOMER, &format!("{number}"), say("one")).await;
        }
    }
    assert!(world.say("one more").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_cannot_be_stored_fails_and_brings_a_person() {
    let world = World::new().await;
    world.say("one").await.unwrap();
    let asked = world.model.asked().await;
    world.log.fail([Fault::Poisoned]);
    asked.say("poison");
    asked.end(ModelEnd::Complete);
    while world.waiting().await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let Event::TurnEnded { outcome: Outcome::Failed, text, .. } = &world.entries()[3].event else { panic!() };
    assert_eq!(text, "");
}

#[tokio::test(start_paused = true)]
async fn the_desk_learns_of_an_escalation_whose_outcome_was_lost() {
    let world = World::new().await;
    world.log.fail([Fault::UnknownDone]);
    let outcome = world.request(CUSTOMER, Action::Escalate { summary: None }).await;
    assert_eq!(outcome.unwrap_err().code, ErrorCode::Unknown);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(world.waiting().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_panics_stops_nobody() {
    let world = World::new().await;
    world.log.fail([Fault::Panic]);
    assert_eq!(world.request_as(CUSTOMER, "a", say("hello")).await.unwrap_err().code, ErrorCode::Unknown);
    loop {
        match world.request_as(CUSTOMER, "a", say("hello")).await {
            Ok(ack) => break assert_eq!(ack.seq, 2),
            Err(refusal) => assert_eq!(refusal.code, ErrorCode::Busy),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_stored_is_not_tried_in_a_loop() {
    let world = World::new().await;
    world.say("one").await.unwrap();
    let asked = world.model.asked().await;
    world.log.fail([Fault::Poisoned, Fault::Poisoned]);
    asked.say("poison");
    asked.end(ModelEnd::Complete);
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    assert_eq!(world.entries().len(), 3);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(world.waiting().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn text_that_comes_while_the_deadline_is_being_stored_is_never_shown() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("shown");
    customer.until(|frame| matches!(frame, ServerFrame::Delta(_)).then_some(())).await;
    world.log.hold();
    tokio::time::sleep(std::time::Duration::from_secs(121)).await;
    asked.say(" HIDDEN");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let shown = tokio::time::timeout(std::time::Duration::from_millis(1), customer.next()).await;
    assert!(shown.is_err(), "{shown:?}");
    world.log.resume();
    let ended = |frame: &ServerFrame| {
        assert!(!matches!(frame, ServerFrame::Delta(_)), "{frame:?}");
        matches!(frame, ServerFrame::Entry { entry, .. } if matches!(entry.body, EntryBody::TurnEnded { .. }))
            .then_some(())
    };
    // What is read while the store is slow shows nothing more, and the committed text is what had been shown.
    customer.until(ended).await;
    let Event::TurnEnded { text, .. } = &world.entries()[3].event else { panic!() };
    assert_eq!(text, "shown");
}

#[tokio::test(start_paused = true)]
async fn a_crashed_actor_returns_runs_its_turn_again_and_is_quarantined_the_second_time() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    world.say("poisonous").await.unwrap();
    let first = world.model.asked().await;
    first.say("first try");
    customer.until(|frame| matches!(frame, ServerFrame::Delta(_)).then_some(())).await;
    world.sessions.crash(world.id);
    let again = world.model.asked().await;
    assert_eq!(again.question.turn.1, 2);
    let reset = |frame: &ServerFrame| if let ServerFrame::Reset(reset) = frame { Some(reset.clone()) } else { None };
    let (withdrawn, begun) = (customer.until(reset).await, customer.until(reset).await);
    assert_eq!((withdrawn.attempt, begun.attempt), (1, 2));
    assert_eq!(withdrawn.epoch, begun.epoch);
    world.sessions.crash(world.id);
    while world.waiting().await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let failed = world.entries().into_iter().find_map(|entry| match entry.event {
        Event::TurnEnded { outcome: Outcome::Failed, failure, .. } => failure,
        _ => None,
    });
    assert_eq!(failed, Some(Failure::Quarantined));
    assert!(!world.model.is_asked());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_claimed_answers_busy_until_it_can() {
    let world = World::with(Settings::default()).await;
    world.log.fail_claims(2);
    let mut tries = 0;
    while let Err(refusal) = world.request_as(CUSTOMER, "a", say("hello")).await {
        assert_eq!(refusal.code, ErrorCode::Busy);
        tries += 1;
    }
    assert!((1..=2).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_recognised_however_old_it_is() {
    let world = World::new().await;
    let first = world.request_as(CUSTOMER, "first", say("hello")).await.unwrap();
    world.request(CUSTOMER, Action::Escalate { summary: None }).await.unwrap();
    for _ in 0..100 {
        world.say("more").await.unwrap();
    }
    let repeat = world.request_as(CUSTOMER, "first", say("hello")).await.unwrap();
    assert_eq!((repeat.seq, repeat.repeated), (first.seq, true));
    let other = world.request_as(CUSTOMER, "first", say("other")).await.unwrap_err();
    assert_eq!((other.code, other.seq), (ErrorCode::IdConflict, Some(first.seq)));
    world.request(CUSTOMER, Action::Close { control_version: None }).await.unwrap();
    let repeat = world.request_as(CUSTOMER, "first", say("hello")).await.unwrap();
    assert_eq!((repeat.seq, repeat.repeated), (first.seq, true));
}
