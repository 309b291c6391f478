//! A message and its reply.

use onya_actors::ports::ModelEnd;
use onya_core::conversation::{Action, Control, Event, Failure, Outcome};
use onya_protocol::{EntryBody, ErrorCode, ServerFrame};

use super::world::{CUSTOMER, World};

#[tokio::test(start_paused = true)]
async fn a_question_is_stored_streamed_and_answered_once() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    assert_eq!(customer.synced().await.position, 1);
    customer.say("a", "hello").await;
    let asked = world.model.asked().await;
    assert_eq!(asked.question.prompt.messages.last().unwrap().text, "hello");
    asked.say("Hi");
    let delta = customer.until(|frame| if let ServerFrame::Delta(delta) = frame { Some(delta.clone()) } else { None });
    assert_eq!(delta.await.text, "Hi");
    asked.say(" there");
    asked.end(ModelEnd::Complete);
    let text = customer
        .until(|frame| match frame {
            ServerFrame::Entry { entry, .. } => match &entry.body {
                EntryBody::TurnEnded { text, outcome: Outcome::Final, .. } => Some(text.clone()),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(text, "Hi there");
    assert_eq!(world.kinds(), ["opened", "message_said", "turn_opened", "turn_ended"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_text_goes_out_at_once_and_the_rest_is_collected() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    customer.say("a", "hello").await;
    let asked = world.model.asked().await;
    asked.say("1");
    let next =
        |frame: &ServerFrame| if let ServerFrame::Delta(delta) = frame { Some(delta.text.clone()) } else { None };
    assert_eq!(customer.until(next).await, "1");
    for piece in ["2", "3", "4"] {
        asked.say(piece);
    }
    assert_eq!(customer.until(next).await, "234");
}

#[tokio::test(start_paused = true)]
async fn a_reply_goes_on_without_a_reader() {
    let world = World::new().await;
    let customer = world.customer(None).await;
    customer.say("a", "hello").await;
    let asked = world.model.asked().await;
    asked.say("Hi");
    drop(customer);
    asked.end(ModelEnd::Complete);
    let mut back = world.customer(None).await;
    loop {
        let synced = back.synced().await;
        if synced.turn.is_none() && synced.position == 4 {
            break;
        }
        back = world.customer(None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn stop_cuts_where_the_customer_was_shown_and_calls_the_model_off() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("Hello wor");
    customer.until(|frame| matches!(frame, ServerFrame::Delta(_)).then_some(())).await;
    let ack = world.request(CUSTOMER, Action::Stop { turn: None }).await.unwrap();
    assert_eq!(ack.cut_at, Some(9));
    asked.called_off().await;
    let Event::TurnEnded { outcome: Outcome::Stopped, text, .. } = &world.entries()[3].event else { panic!() };
    assert_eq!(text, "Hello wor");
}

#[tokio::test(start_paused = true)]
async fn text_that_comes_while_a_stop_is_being_stored_is_never_shown() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("shown");
    customer.until(|frame| matches!(frame, ServerFrame::Delta(_)).then_some(())).await;
    world.log.hold();
    let stop = world.request(CUSTOMER, Action::Stop { turn: None });
    let meanwhile = async {
        tokio::task::yield_now().await;
        asked.say(" HIDDEN");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let queue = customer.connection.queue();
        let shown = tokio::time::timeout(std::time::Duration::from_millis(1), queue.next()).await;
        let frames = shown.map(|(frames, _)| frames).unwrap_or_default();
        assert!(!frames.iter().any(|frame| matches!(frame, ServerFrame::Delta(_))), "{frames:?}");
        world.log.resume();
    };
    let (ack, ()) = tokio::join!(stop, meanwhile);
    assert_eq!(ack.unwrap().cut_at, Some(5));
    let last = customer
        .until(|frame| {
            assert!(!matches!(frame, ServerFrame::Delta(delta) if delta.text.contains("HIDDEN")));
            match frame {
                ServerFrame::Entry { entry, .. } => match &entry.body {
                    EntryBody::TurnEnded { text, .. } => Some(text.clone()),
                    _ => None,
                },
                _ => None,
            }
        })
        .await;
    assert_eq!(last, "shown");
}

#[tokio::test(start_paused = true)]
async fn a_refused_cut_opens_the_gate_again() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("one");
    let next = |frame: &ServerFrame| if let ServerFrame::Delta(delta) = frame { Some(delta.clone()) } else { None };
    assert_eq!(customer.until(next).await.text, "one");
    let refused = world.request(CUSTOMER, Action::Stop { turn: Some(99) }).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NothingToDo);
    asked.say("two");
    let delta = customer.until(next).await;
    assert_eq!((delta.offset, delta.text.as_str()), (3, "two"));
}

#[tokio::test(start_paused = true)]
async fn a_cut_reply_keeps_its_text_and_brings_a_person() {
    let world = World::new().await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("half a");
    asked.end(ModelEnd::Failed(Failure::ReplyCut));
    while world.entries().len() < 5 {
        tokio::task::yield_now().await;
    }
    let entries = world.entries();
    let Event::TurnEnded { outcome: Outcome::Failed, text, .. } = &entries[3].event else { panic!() };
    assert_eq!(text, "half a");
    assert!(matches!(entries[4].event, Event::ControlChanged { control: Control::Queue, .. }));
    assert_eq!(world.waiting().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_model_is_given_up_at_the_deadline() {
    let world = World::new().await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.called_off().await;
    let Event::TurnEnded { outcome, failure, .. } = &world.entries()[3].event else { panic!() };
    assert_eq!((*outcome, *failure), (Outcome::Failed, Some(Failure::TimedOut)));
}

#[tokio::test(start_paused = true)]
async fn what_is_said_during_a_reply_is_answered_after_it() {
    let world = World::new().await;
    world.say("first").await.unwrap();
    let asked = world.model.asked().await;
    world.say("second").await.unwrap();
    assert!(!world.model.is_asked());
    asked.say("one");
    asked.end(ModelEnd::Complete);
    let asked = world.model.asked().await;
    assert_eq!(asked.question.prompt.messages.last().unwrap().text, "second");
}

#[tokio::test(start_paused = true)]
async fn a_reply_beyond_the_limit_is_no_final() {
    let settings = onya_actors::Settings { max_reply_bytes: 10, ..onya_actors::Settings::default() };
    let world = World::with(settings).await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("12345678");
    asked.say("9012345");
    asked.called_off().await;
    while world.entries().len() < 4 {
        tokio::task::yield_now().await;
    }
    let Event::TurnEnded { outcome, failure, text, .. } = &world.entries()[3].event else { panic!() };
    assert_eq!((*outcome, *failure), (Outcome::Failed, Some(Failure::ReplyTooLong)));
    assert_eq!(text, "12345678");
}
