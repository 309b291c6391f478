//! What holds after every step of every walk.

use std::collections::{BTreeMap, BTreeSet};

use onya_core::conversation::{
    Action, Cause, Context, Control, Effect, Entry, Event, KnownKey, Outcome, PartialReply, Rejection, Role, Snapshot,
    State, View, build_prompt,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::walk::{Stepped, Walk, repeat, replay, steps};

/// Far above what 64 remembered names, a summary and the fields need.
const STATE_BOUND_BYTES: usize = 32 * 1024;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_rule_holds_after_every_step(
        walk in steps(160),
        max_entries in prop_oneof![9 => Just(1_000_000_u64), 1 => 5..40_u64],
    ) {
        let mut world = Walk::new(max_entries);
        for step in &walk {
            if let Some(stepped) = world.take(step) {
                the_decision_is_well_formed(&stepped, &world);
            }
            the_state_is_coherent(&world.state, &world);
            no_question_is_forgotten(&world.state, &world.log);
        }
        the_log_is_in_order(&world.log);
        control_is_counted_and_final(&world.log, &world.state);
        turns_end_once(&world.log, &world.state);
        a_repeat_changes_nothing(&world);
        let stored = serde_json::to_vec(&world.state.snapshot()).unwrap();
        prop_assert!(stored.len() < STATE_BOUND_BYTES, "{} bytes", stored.len());
    }

    #[test]
    fn a_replay_gives_the_live_state_from_any_snapshot(walk in steps(120), cut in any::<prop::sample::Index>()) {
        let mut world = Walk::new(1_000_000);
        let mut live = vec![world.state.clone()];
        for step in &walk {
            if let Some(stepped) = world.take(step)
                && !stepped.decision.entries.is_empty()
            {
                live.push(world.state.clone());
            }
        }
        prop_assert_eq!(&replay(&world.log, &world.state), &world.state);
        let stored = serde_json::to_string(&cut.get(&live).snapshot()).unwrap();
        let mut state = serde_json::from_str::<Snapshot>(&stored).unwrap().state;
        let rest: Vec<_> = world.log.iter().filter(|entry| entry.seq > state.seq).collect();
        for entry in rest {
            let read: Entry = serde_json::from_str(&serde_json::to_string(entry).unwrap()).unwrap();
            prop_assert_eq!(&read, entry);
            state.apply(&read);
        }
        prop_assert_eq!(&state, &world.state);
    }

    #[test]
    fn a_prompt_ends_with_the_question_and_keeps_its_size(walk in steps(80), max_bytes in 0..400_usize) {
        let mut world = Walk::new(1_000_000);
        for step in &walk {
            world.take(step);
            let Some(turn) = world.state.turn else { continue };
            let prompt = build_prompt(world.log.iter(), max_bytes);
            let Event::MessageSaid { text: question, .. } = &world.log[turn.answers as usize - 1].event else {
                panic!("turn {} answers no message", turn.turn);
            };
            prop_assert_eq!(&prompt.messages.last().unwrap().text, question);
            let bytes: usize = prompt.messages.iter().map(|message| message.text.len()).sum();
            prop_assert!(bytes <= max_bytes.max(question.len()));
        }
    }
}

fn the_decision_is_well_formed(stepped: &Stepped, world: &Walk) {
    let Stepped { before, shown, decision } = stepped;
    let keyed: Vec<_> = decision.entries.iter().filter(|entry| entry.key.is_some()).map(|entry| entry.seq).collect();
    match decision.ack {
        Some(ack) if ack.repeated => assert!(decision.entries.is_empty() && decision.effects.is_empty()),
        Some(ack) => assert_eq!(keyed, [ack.seq]),
        None => assert!(keyed.is_empty()),
    }
    for (place, effect) in decision.effects.iter().enumerate() {
        match *effect {
            Effect::CancelCompletion { turn } => assert_eq!(before.turn.map(|open| open.turn), Some(turn)),
            Effect::StartCompletion { turn, attempt } => {
                assert_eq!(place + 1, decision.effects.len());
                assert_eq!(world.state.turn.map(|open| (open.turn, open.attempt)), Some((turn, attempt)));
            }
        }
    }
    let calls = decision
        .entries
        .iter()
        .filter(|entry| matches!(entry.event, Event::TurnOpened { .. } | Event::AttemptStarted { .. }));
    let started = decision.effects.iter().filter(|effect| matches!(effect, Effect::StartCompletion { .. }));
    assert_eq!(calls.count(), started.count());
    decision.entries.iter().for_each(|entry| {
        a_cut_reply_is_what_was_shown(entry, shown.as_ref(), decision.ack.and_then(|ack| ack.cut_at))
    });
}

fn a_cut_reply_is_what_was_shown(entry: &Entry, shown: Option<&PartialReply>, cut_at: Option<u64>) {
    let Event::TurnEnded { outcome, text, .. } = &entry.event else { return };
    let shown = shown.map_or("", |shown| shown.text.as_str());
    match outcome {
        Outcome::Closed if cut_at.is_none() => assert_eq!(text, "", "an erasure keeps nothing"),
        Outcome::Stopped | Outcome::Superseded | Outcome::TakenOver | Outcome::Closed => {
            assert_eq!(text, shown);
            assert_eq!(cut_at, Some(shown.len() as u64));
        }
        Outcome::Final | Outcome::Failed | Outcome::Escalated => {}
    }
}

fn the_state_is_coherent(state: &State, world: &Walk) {
    assert_eq!(state.queued.is_some(), state.control == Control::Queue);
    assert_eq!(state.assignment.is_some(), matches!(state.control, Control::Agent { .. }));
    if let (Some(assignment), Control::Agent { id }) = (&state.assignment, state.control) {
        assert_eq!(assignment.agent.id, id);
    }
    assert!(state.turn.is_none() || state.control == Control::Assistant);
    assert_eq!(state.next_deadline(&world.policy).is_none(), state.erased);
    assert_eq!(state.closed_at.is_some(), state.control == Control::Closed);
    assert_eq!(state.recovery().is_some(), state.turn.is_some());
}

/// From the log alone: who said something and got neither a reply nor a person's word, waits for one of the three.
fn no_question_is_forgotten(state: &State, log: &[Entry]) {
    let mut answers = BTreeMap::new();
    let mut waiting = None;
    for entry in log {
        match &entry.event {
            Event::MessageSaid { author, .. } if author.role == Role::Customer => waiting = Some(entry.seq),
            Event::MessageSaid { .. } => waiting = None,
            Event::TurnOpened { answers: question, .. } => {
                answers.insert(entry.seq, *question);
            }
            Event::TurnEnded { turn, outcome: Outcome::Final | Outcome::Stopped, .. } => {
                waiting = waiting.filter(|said| *said > answers[turn]);
            }
            _ => {}
        }
    }
    let looked_after = state.turn.is_some() || state.control != Control::Assistant;
    assert!(waiting.is_none() || looked_after, "message {waiting:?} waits for nobody");
}

fn the_log_is_in_order(log: &[Entry]) {
    let mut customer_prev = 0;
    for (entry, seq) in log.iter().zip(1..) {
        assert_eq!(entry.seq, seq);
        assert_eq!(entry.customer_prev, customer_prev);
        assert_eq!(entry.prev(View::Staff), seq - 1);
        assert_eq!(matches!(entry.event, Event::Opened { .. }), seq == 1);
        if entry.visible_to(View::Customer) {
            customer_prev = seq;
        }
    }
    let names: Vec<_> = log.iter().filter_map(|entry| entry.key.as_ref()).collect();
    let unique: BTreeSet<_> = names.iter().map(|key| (key.participant, key.client_msg_id.clone())).collect();
    assert_eq!(names.len(), unique.len());
}

fn control_is_counted_and_final(log: &[Entry], state: &State) {
    let mut control = Control::Assistant;
    let mut changes = 0;
    for entry in log {
        match &entry.event {
            Event::Rated { .. } => {}
            Event::Erased { .. } => assert_eq!((control, entry.seq), (Control::Closed, state.seq)),
            _ if control == Control::Closed => panic!("{} after the end", entry.event.kind()),
            Event::ControlChanged { control: next, version, cause, .. } => {
                changes += 1;
                assert_eq!(*version, changes);
                assert!(*cause != Cause::HandedBack || *next != control);
                control = *next;
            }
            Event::TurnOpened { .. } | Event::AttemptStarted { .. } | Event::TurnEnded { .. } => {
                assert_eq!(control, Control::Assistant, "{} while {control:?}", entry.event.kind());
            }
            Event::MessageSaid { author, .. } if author.role != Role::Customer => {
                assert_eq!(control, Control::Agent { id: author.id });
            }
            _ => {}
        }
    }
    assert_eq!((control, changes), (state.control, state.control_version));
}

fn turns_end_once(log: &[Entry], state: &State) {
    let mut open = None;
    for entry in log {
        match &entry.event {
            Event::TurnOpened { .. } => assert_eq!(open.replace((entry.seq, 1)), None),
            Event::AttemptStarted { turn, attempt } => {
                assert_eq!(open.replace((*turn, *attempt)), Some((*turn, attempt - 1)));
            }
            Event::TurnEnded { turn, attempt, failure, outcome, .. } => {
                assert_eq!(open.take(), Some((*turn, *attempt)));
                assert_eq!(failure.is_some(), *outcome == Outcome::Failed);
            }
            _ => {}
        }
    }
    assert_eq!(open, state.turn.map(|turn| (turn.turn, turn.attempt)));
}

fn a_repeat_changes_nothing(world: &Walk) {
    let stored = |entry: &Entry| Some(KnownKey { key: entry.key.clone()?, seq: entry.seq });
    let known: Vec<_> = world.log.iter().filter_map(stored).collect();
    let context = Context { now: world.now, policy: &world.policy, reply: None, known: &known };
    for ((participant, client_msg_id), sent) in &world.sent {
        let ask = |action: &Action| world.state.decide(&context, &repeat(*participant, client_msg_id, action));
        let again = ask(&sent.action).unwrap();
        assert_eq!(again.ack.map(|ack| (ack.seq, ack.repeated)), Some((sent.seq, true)));
        assert!(again.entries.is_empty());
        let other = ask(&Action::Escalate { summary: Some("another body".to_owned()) });
        if world.state.erased {
            assert_eq!(other, Ok(again), "nobody can tell any more");
        } else {
            assert_eq!(other, Err(Rejection::IdConflict { seq: sent.seq }));
        }
    }
}

/// The walks above prove little unless they get everywhere.
#[test]
fn the_walks_reach_every_outcome_cause_and_rejection() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for round in 0..120 {
        let walk = steps(160).new_tree(&mut runner).unwrap().current();
        let mut world = Walk::new(if round % 10 == 0 { 20 } else { 1_000_000 });
        walk.iter().for_each(|step| drop(world.take(step)));
        for entry in &world.log {
            reached.insert(match &entry.event {
                Event::TurnEnded { outcome, .. } => format!("{outcome:?}"),
                Event::ControlChanged { cause, .. } => name(cause),
                event => event.kind().to_owned(),
            });
        }
        reached.extend(world.rejections.iter().map(name));
        reached.extend((world.repeats > 0).then(|| "repeat".to_owned()));
    }
    let expected = "AssistantChosen BadText Claimed Closed ControlChanged Escalated Failed Final \
        Forbidden Full HandedBack IdConflict IdledOut NotAParticipant NothingToDo OutOfOrder Stopped Superseded \
        TakenOver TooLarge attempt_started erased message_said notice_posted opened rated repeat turn_opened";
    let missing: Vec<_> = expected.split_whitespace().filter(|name| !reached.contains(*name)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}, of {reached:?}");
}

/// The name of a variant, without its fields.
fn name(variant: &impl std::fmt::Debug) -> String {
    format!("{variant:?}").split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
