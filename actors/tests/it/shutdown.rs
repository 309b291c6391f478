//! Drain: replies finish within their limit, nothing is lost, sockets are told.

use std::sync::Arc;

use onya_actors::ports::ModelEnd;
use onya_actors::{Sessions, Settings};
use onya_core::conversation::{Event, Outcome};
use onya_protocol::{CloseCode, ErrorCode, ServerFrame};

use super::world::World;

#[tokio::test(start_paused = true)]
async fn a_reply_in_progress_finishes_and_its_reader_sees_it() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("begun");
    customer.until(|frame| matches!(frame, ServerFrame::Delta(_)).then_some(())).await;
    let finish = async {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        assert_eq!(world.say("too late").await.unwrap_err().code, ErrorCode::Busy);
        asked.say(", ended");
        asked.end(ModelEnd::Complete);
    };
    tokio::join!(world.sessions.drain(), finish);
    let Event::TurnEnded { outcome: Outcome::Final, text, .. } = &world.entries()[3].event else { panic!() };
    assert_eq!(text, "begun, ended");
    let (frames, closing) = customer.connection.queue().next().await;
    assert_eq!(closing, Some(CloseCode::Shutdown));
    assert!(frames.iter().any(|frame| matches!(frame, ServerFrame::Goaway { .. })));
    assert!(matches!(frames.back(), Some(ServerFrame::Entry { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_takes_too_long_is_run_again_by_the_next_start() {
    let world = World::new().await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("never ends");
    world.sessions.drain().await;
    assert_eq!(world.entries().len(), 3);
    let log = Arc::clone(&world.log);
    let next = World::over(log, Settings::default()).await;
    let again = next.model.asked().await;
    assert_eq!(again.question.turn.1, 2);
    again.say("now it does");
    again.end(ModelEnd::Complete);
    while next.entries().len() < 5 {
        tokio::task::yield_now().await;
    }
    let Event::TurnEnded { outcome: Outcome::Final, .. } = &next.entries()[4].event else { panic!() };
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_anything_to_do_ends_at_once() {
    let world = World::new().await;
    let before = tokio::time::Instant::now();
    Sessions::drain(&world.sessions).await;
    assert_eq!(before.elapsed().as_millis(), 0);
}
