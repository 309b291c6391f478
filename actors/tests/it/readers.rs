//! Readers: resume, snapshots, passivation, slow readers.

use std::time::Duration;

use onya_actors::Settings;
use onya_actors::ports::ModelEnd;
use onya_core::conversation::Action;
use onya_protocol::{Cursor, EntryBody, NotRecovered, ServerFrame};
use uuid::Uuid;

use super::world::{AGENT, CUSTOMER, World};

fn cursor(seq: u64) -> Option<Cursor> {
    Some(Cursor { history_epoch: Uuid::from_u128(7), seq })
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_comes_back_gets_exactly_what_it_missed() {
    let world = World::new().await;
    world.say("one").await.unwrap();
    world.say("two").await.unwrap();
    let synced = world.customer(cursor(3)).await.synced().await;
    assert!(synced.recovered);
    let seqs: Vec<_> = synced.entries.iter().map(|entry| (entry.seq, entry.prev)).collect();
    assert_eq!(seqs, [(4, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_cannot_be_continued_is_told_why() {
    let world = World::with(Settings {
        window: onya_actors::ports::TailLimit { entries: 3, bytes: 100_000 },
        snapshot_entries: 2,
        ..Settings::default()
    })
    .await;
    for text in ["one", "two", "three", "four"] {
        world.say(text).await.unwrap();
    }
    let other = Some(Cursor { history_epoch: Uuid::nil(), seq: 1 });
    let cases = [
        (None, NotRecovered::New),
        (other, NotRecovered::OtherEpoch),
        (cursor(99), NotRecovered::Future),
        (cursor(1), NotRecovered::TooOld),
    ];
    for (cursor, reason) in cases {
        let synced = world.customer(cursor).await.synced().await;
        assert_eq!((synced.recovered, synced.reason), (false, Some(reason)));
        assert_eq!(synced.entries.len(), 2);
        assert!(synced.has_older);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_knows_more_than_the_owner_waits_until_the_owner_hears_that_it_is_stored() {
    let world = World::new().await;
    world.say("one").await.unwrap();
    world.log.hold();
    let later = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.log.resume();
    };
    // As a reader does to whom the store has just shown it.
    let reader = async { world.customer(cursor(4)).await.synced().await };
    let (acked, synced, ()) = tokio::join!(world.say("two"), reader, later);
    assert_eq!((acked.unwrap().seq, synced.position, synced.recovered), (4, 4, true));
}

#[tokio::test(start_paused = true)]
async fn a_reader_in_the_middle_of_a_reply_gets_its_text_and_then_the_rest() {
    let world = World::new().await;
    let mut first = world.customer(None).await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("Grüße");
    first.until(|frame| matches!(frame, ServerFrame::Delta(_)).then_some(())).await;
    let mut second = world.customer(None).await;
    let turn = second.synced().await.turn.unwrap();
    assert_eq!(turn.text, "Grüße");
    asked.say(" an alle");
    let delta = second.until(|frame| if let ServerFrame::Delta(delta) = frame { Some(delta.clone()) } else { None });
    let delta = delta.await;
    assert_eq!((delta.offset, delta.text.as_str()), (7, " an alle"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_conversation_leaves_memory_and_its_readers_stay() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    customer.synced().await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("hi");
    asked.end(ModelEnd::Complete);
    tokio::time::sleep(Duration::from_secs(120)).await;
    // A second activation has a higher epoch: the first one had left.
    let mut second = world.customer(cursor(4)).await;
    assert!(second.synced().await.recovered);
    world.say("again").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("hi again");
    let delta = customer.until(|frame| match frame {
        ServerFrame::Delta(delta) if delta.text == "hi again" => Some(delta.clone()),
        _ => None,
    });
    assert_eq!(delta.await.epoch, 2);
}

#[tokio::test(start_paused = true)]
async fn readers_of_every_view_see_every_entry_they_may_see_in_order() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    customer.synced().await;
    world.say("one").await.unwrap();
    world.request(CUSTOMER, Action::Escalate { summary: Some("secret".into()) }).await.unwrap();
    let mut seqs = Vec::new();
    while seqs.len() < 4 {
        let entry = customer
            .until(|frame| if let ServerFrame::Entry { entry, .. } = frame { Some(entry.clone()) } else { None })
            .await;
        if let EntryBody::ControlChanged { summary, reason, .. } = &entry.body {
            assert_eq!((summary, reason), (&None, &None));
        }
        seqs.push(entry.seq);
    }
    assert_eq!(seqs, [2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn text_that_waited_for_a_reader_is_not_shown_after_the_end_of_its_turn() {
    let world = World::new().await;
    world.log.hold_tails();
    let late = world.customer(None);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.say("hello").await.unwrap();
        let asked = world.model.asked().await;
        asked.say("mid-sentence");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let assignment = onya_core::AssignmentId(Uuid::from_u128(9));
        world.request(AGENT, Action::TakeOver { control_version: 0, assignment }).await.unwrap();
        world.log.resume_tails();
    };
    let (mut late, ()) = tokio::join!(late, meanwhile);
    let synced = late.synced().await;
    assert_eq!((synced.control_version, synced.turn), (1, None));
    late.connection.handle(onya_protocol::CustomerFrame::Ping {}).await;
    assert_eq!(late.next().await, ServerFrame::Pong {});
}

#[tokio::test(start_paused = true)]
async fn a_resume_on_the_same_socket_loses_no_text() {
    let world = World::new().await;
    let mut customer = world.customer(None).await;
    customer.synced().await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    asked.say("one");
    tokio::time::sleep(Duration::from_millis(100)).await;
    // The first text still waits to be written when the client synchronises again.
    let frame = onya_protocol::CustomerFrame::Resume { cursor: cursor(3).unwrap() };
    customer.connection.handle(frame).await;
    asked.say("two");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let text = customer.until(|frame| if let ServerFrame::Synced(synced) = frame { synced.turn.clone() } else { None });
    assert_eq!(text.await.text, "one");
    let delta = customer.until(|frame| if let ServerFrame::Delta(delta) = frame { Some(delta.clone()) } else { None });
    assert_eq!(delta.await.text, "two");
}

#[tokio::test(start_paused = true)]
async fn a_conversation_without_readers_and_without_an_actor_takes_no_memory() {
    let world = World::new().await;
    let customer = world.customer(None).await;
    world.request(CUSTOMER, Action::Escalate { summary: None }).await.unwrap();
    drop(customer);
    assert_eq!(world.sessions.tracked_conversations(), 1);
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(world.sessions.tracked_conversations(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_a_conversation_that_cannot_be_loaded_is_told_so() {
    let world = World::new().await;
    world.say("hello").await.unwrap();
    let asked = world.model.asked().await;
    world.log.rob(world.id);
    asked.end(ModelEnd::Complete);
    world.log.fail_claims(1_000);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let who = super::world::person(CUSTOMER, onya_core::conversation::Role::Customer);
    let Err(refusal) = world.sessions.connect_customer(who, world.id, None).await else { panic!() };
    assert_eq!(refusal.code, onya_protocol::ErrorCode::Busy);
}

#[tokio::test(start_paused = true)]
async fn too_many_commands_at_once_are_refused_and_none_is_lost() {
    let world = World::new().await;
    let customer = world.customer(None).await;
    world.log.hold();
    for number in 0..1_000 {
        customer.say(&format!("m{number}"), "flood").await;
    }
    world.log.resume();
    let (mut acked, mut busy) = (Vec::new(), 0);
    let mut reader = customer;
    while acked.len() + busy < 1_000 {
        match reader.next().await {
            ServerFrame::Ack(ack) => acked.push(ack.client_msg_id),
            ServerFrame::Refused(refusal) => {
                assert_eq!(refusal.code, onya_protocol::ErrorCode::Busy);
                assert!(refusal.retry_after_ms.is_some());
                busy += 1;
            }
            _ => {}
        }
    }
    let stored: Vec<_> = world.entries().iter().filter_map(|entry| Some(entry.key.clone()?.client_msg_id)).collect();
    assert_eq!(stored, acked);
    assert!(busy > 900);
}
