//! Readers: resume, snapshots, passivation, slow readers.

use std::time::Duration;

use onya_actors::Settings;
use onya_actors::ports::ModelEnd;
use onya_core::conversation::Action;
use onya_protocol::{Cursor, EntryBody, NotRecovered, ServerFrame};
use uuid::Uuid;

use super::world::{CUSTOMER, World};

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
