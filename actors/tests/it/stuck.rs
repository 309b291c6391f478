//! Conversations that do not move: reported, and replaced if it lasts.

use std::time::Duration;

use onya_actors::Settings;
use onya_actors::ports::ModelEnd;
use onya_core::conversation::{Action, Event, Overlap};
use onya_protocol::ErrorCode;
use tokio::time::{Instant, timeout};

use crate::world::{CUSTOMER, World};

const STUCK_AFTER: Duration = Duration::from_secs(30);

fn say(text: &str) -> Action {
    Action::Say { text: text.into(), overlap: Overlap::Queue }
}

#[tokio::test(start_paused = true)]
async fn an_actor_whose_store_never_answers_is_replaced_and_what_waits_is_answered_unknown() {
    let world = World::new().await;
    world.log.hold();
    let began = Instant::now();
    let said = timeout(4 * STUCK_AFTER, world.request_as(CUSTOMER, "a", say("hello")));
    let (outcome, ()) = tokio::join!(said, async {
        tokio::time::sleep(2 * STUCK_AFTER - Duration::from_secs(1)).await;
        assert_eq!(world.log.claims(world.id), 1, "it is reported first");
    });
    assert_eq!(outcome.unwrap().unwrap_err().code, ErrorCode::Unknown);
    assert!((2 * STUCK_AFTER..3 * STUCK_AFTER).contains(&began.elapsed()), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.log.claims(world.id), 2, "another actor has loaded it");

    // What the first one had on its way is fenced, and the same command is stored once.
    world.log.resume();
    assert!(!world.request_as(CUSTOMER, "a", say("hello")).await.unwrap().repeated);
    assert_eq!(world.kinds().iter().filter(|kind| **kind == "message_said").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reply_whose_end_the_store_never_takes_is_run_again() {
    let world = World::new().await;
    world.say("hello").await.unwrap();
    let first = world.model.asked().await;
    world.log.hold();
    first.say("answer");
    first.end(ModelEnd::Complete);
    // Nobody waits for an answer, and still it does not stay so.
    tokio::time::sleep(3 * STUCK_AFTER).await;
    world.log.resume();
    let again = timeout(STUCK_AFTER, world.model.asked()).await.unwrap();
    assert_eq!(again.question.turn.1, 2);
    again.say("another answer");
    again.end(ModelEnd::Complete);
    while world.entries().len() < 5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let Event::TurnEnded { text, .. } = &world.entries()[4].event else { panic!() };
    assert_eq!(text, "another answer");
}

#[tokio::test(start_paused = true)]
async fn what_is_slow_but_moves_or_waits_for_nothing_is_left_alone() {
    let world = World::with(Settings { passivate_after_ms: 3_600_000, ..Settings::default() }).await;
    for _ in 0..4 {
        world.log.hold();
        let (answer, ()) = tokio::join!(world.say("hello"), async {
            tokio::time::sleep(STUCK_AFTER * 3 / 2).await;
            world.log.resume();
        });
        answer.unwrap();
    }
    tokio::time::sleep(10 * STUCK_AFTER).await;
    assert_eq!(world.log.claims(world.id), 1);
}
