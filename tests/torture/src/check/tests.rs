//! Each promise, broken by hand.

mod control;
mod verdicts;

use serde_json::{Value, json};

use super::*;
use crate::audit::Verified;
use crate::history::Shown;
use crate::tables::{Act, Taking, Turn};

const C: Uuid = Uuid::from_u128(1);
const WHO: Uuid = Uuid::from_u128(2);

fn entry(seq: u64, epoch: u64, kind: &str, id: Option<&str>, mut body: Value) -> Entry {
    let participant = id.map(|_| WHO);
    if kind == "message_said" {
        body["author"] = json!({"id": WHO, "role": "customer"});
    }
    Entry { seq, epoch, kind: kind.to_owned(), customer_sees: true, participant, id: id.map(str::to_owned), body }
}

/// A message that is answered, and another one.
fn tables() -> Tables {
    let entries = vec![
        entry(1, 0, "opened", None, json!({})),
        entry(2, 1, "message_said", Some("m1"), json!({"text": "one"})),
        entry(3, 1, "turn_opened", None, json!({"answers": 2})),
        entry(4, 2, "turn_ended", None, json!({"turn": 3, "outcome": "final", "text": "hi"})),
        entry(5, 2, "message_said", Some("m2"), json!({"text": "two"})),
    ];
    let turns = vec![Turn { conversation: C, turn: 3, attempt: 1, outcome: Some("final".to_owned()) }];
    let acts = vec![
        act(("onya", "program"), "started", None, json!({})),
        act((&WHO.to_string(), "agent"), "logged_in", None, json!({})),
        act((&WHO.to_string(), "agent"), "read", None, json!({"what": "queue"})),
        act((&WHO.to_string(), "agent"), "read", Some(C), json!({"what": "live"})),
        act((&WHO.to_string(), "agent"), "read", Some(C), json!({"what": "live"})),
    ];
    let verified = Verified { entries: 5, acts: 5, anchors: 1, ..Verified::default() };
    Tables {
        last_seqs: [(C, 5)].into(),
        entries: [(C, entries)].into(),
        turns,
        dead_letters: 0,
        takings: Vec::new(),
        verdicts: Vec::new(),
        acts,
        verified,
    }
}

fn act((actor, role): (&str, &str), action: &str, conversation: Option<Uuid>, detail: Value) -> Act {
    Act { actor: actor.to_owned(), role: role.to_owned(), action: action.to_owned(), conversation, detail }
}

fn sent(id: &str, after: Option<&str>, text: &str) -> Event {
    let text = Some(text.to_owned());
    Event::Sent { who: WHO, conversation: C, id: id.to_owned(), after: after.map(str::to_owned), text, saw: None }
}

fn acked(id: &str, seq: u64) -> Event {
    Event::Acked { who: WHO, conversation: C, id: id.to_owned(), seq, repeated: false }
}

fn refused(id: &str, code: &str) -> Event {
    Event::Refused { who: WHO, conversation: C, id: id.to_owned(), code: code.to_owned() }
}

fn shown(seq: u64) -> Shown {
    let stored = &tables().entries[&C][usize::try_from(seq).unwrap() - 1];
    let text = stored.body["text"].as_str().map(str::to_owned);
    Shown { seq, prev: seq - 1, kind: stored.kind.clone(), id: stored.id.clone(), text }
}

fn synced(cursor: Option<u64>, recovered: bool, position: u64, entries: &[u64]) -> Event {
    let entries = entries.iter().map(|seq| shown(*seq)).collect();
    Event::Synced { socket: 1, conversation: C, staff: false, asked: true, cursor, recovered, position, entries }
}

/// A conversation is opened on the desk's socket.
fn watched() -> Event {
    let entries = (1..=5).map(shown).collect();
    let (cursor, recovered, position) = (None, false, 5);
    Event::Synced { socket: 2, conversation: C, staff: true, asked: true, cursor, recovered, position, entries }
}

fn live(seq: u64) -> Event {
    Event::Shown { socket: 1, conversation: C, entry: shown(seq) }
}

fn good() -> Vec<Event> {
    vec![
        Event::Claimed { conversation: C, epoch: 1, seq: 1 },
        sent("m1", None, "one"),
        acked("m1", 2),
        synced(None, false, 2, &[1, 2]),
        live(3),
        Event::Claimed { conversation: C, epoch: 2, seq: 3 },
        sent("m2", Some("m1"), "two"),
        refused("m2", "unknown"),
        sent("m2", Some("m1"), "two"),
        acked("m2", 5),
        synced(Some(3), true, 5, &[4, 5]),
        Event::Started { node: "onya-0".to_owned() },
        Event::LoggedIn { socket: 2, who: WHO },
        watched(),
        watched(),
    ]
}

fn promises(history: &[Event], tables: &Tables) -> Vec<u8> {
    let timed: Vec<(u64, Event)> = history.iter().map(|event| (0, event.clone())).collect();
    let mut found: Vec<u8> = check(&timed, tables, true).into_iter().map(|violation| violation.promise).collect();
    found.dedup();
    found
}

/// What is found if something is added to a history in which all is well.
fn with(event: Event) -> Vec<u8> {
    let mut history = good();
    history.push(event);
    promises(&history, &tables())
}

/// What is found if the tables are changed.
fn changed(change: impl FnOnce(&mut Vec<Entry>)) -> Vec<u8> {
    let mut tables = tables();
    change(tables.entries.get_mut(&C).unwrap());
    promises(&good(), &tables)
}

#[test]
fn where_all_is_well_nothing_is_found() {
    assert!(promises(&good(), &tables()).is_empty());
}

#[test]
fn an_acknowledged_command_that_is_not_there_or_elsewhere_or_another_is_found() {
    assert_eq!(with(acked("m3", 6)), [1]);
    assert_eq!(with(acked("m1", 5)), [1]);
    assert_eq!(with(sent("m1", None, "another")), [1]);
}

#[test]
fn a_doubled_command_and_a_refused_one_that_is_there_are_found() {
    assert!(
        changed(|entries| entries.push(entry(6, 2, "message_said", Some("m1"), json!({"text": "x"})))).contains(&2)
    );
    assert!(changed(|entries| entries.push(entry(6, 2, "message_said", None, json!({"text": "two"})))).contains(&2));
    let refused = [sent("m1", None, "one"), refused("m1", "busy")];
    assert_eq!(promises(&refused, &tables()), [2]);
}

#[test]
fn a_hole_in_the_log_or_in_what_a_reader_saw_is_found() {
    assert!(changed(|entries| drop(entries.remove(2))).contains(&3));
    assert!(changed(|entries| drop(entries.pop())).contains(&3));
    let skipped = [synced(None, false, 2, &[1, 2]), live(4)];
    assert_eq!(promises(&skipped, &tables()), [3]);
    let mut other = shown(5);
    other.text = Some("other".to_owned());
    let history = [synced(None, false, 4, &[4]), Event::Shown { socket: 1, conversation: C, entry: other }];
    assert_eq!(promises(&history, &tables()), [3]);
}

#[test]
fn a_command_that_overtook_another_is_found() {
    assert_eq!(promises(&[sent("m1", Some("m2"), "one"), acked("m1", 2)], &tables()), [4]);
}

#[test]
fn an_epoch_that_went_down_or_was_claimed_twice_is_found() {
    assert!(changed(|entries| entries[4].epoch = 1).contains(&5));
    assert_eq!(with(Event::Claimed { conversation: C, epoch: 2, seq: 3 }), [5]);
}

#[test]
fn a_claim_that_missed_a_row_is_found() {
    assert_eq!(with(Event::Claimed { conversation: C, epoch: 3, seq: 4 }), [6]);
}

#[test]
fn a_turn_that_ended_twice_or_never_is_found() {
    let end = json!({"turn": 3, "outcome": "stopped", "text": ""});
    assert_eq!(changed(|entries| entries[4] = entry(5, 2, "turn_ended", None, end))[..1], [1]);
    let unended = |entries: &mut Vec<Entry>| entries[3] = entry(4, 2, "message_said", None, json!({"text": "hi"}));
    assert!(changed(unended).contains(&7));
}

#[test]
fn an_answer_while_an_agent_is_in_control_is_found() {
    let control = entry(3, 1, "control_changed", None, json!({"control": {"state": "agent"}}));
    assert!(changed(|entries| entries[2] = control).contains(&9));
}

#[test]
fn a_recovery_that_missed_something_is_found() {
    assert_eq!(with(synced(Some(2), true, 5, &[4, 5])), [10]);
    assert_eq!(with(synced(Some(3), true, 5, &[4])), [10]);
}

/// What is found if the program's own verification says something else.
fn verified(change: impl FnOnce(&mut Verified)) -> Vec<u8> {
    let mut tables = tables();
    change(&mut tables.verified);
    promises(&good(), &tables)
}

#[test]
fn a_broken_chain_and_one_that_was_not_looked_at_as_a_whole_are_found() {
    assert_eq!(verified(|verified| verified.broken.push("audit chain, act 3".to_owned())), [11]);
    assert_eq!(verified(|verified| verified.entries = 4), [11]);
    assert_eq!(verified(|verified| verified.acts = 4), [11]);
    assert_eq!(verified(|verified| verified.anchors = 0), [11]);
    assert_eq!(verified(|verified| verified.unproven = 1), [11]);
    assert_eq!(verified(|verified| verified.unlinked = 1), [11]);
}

#[test]
fn an_act_that_is_not_on_record_is_found_though_the_chain_fits() {
    for missing in 0..5 {
        let mut tables = tables();
        tables.acts.remove(missing);
        tables.verified.acts -= 1;
        assert_eq!(promises(&good(), &tables), [11], "act {missing}");
    }
    assert_eq!(with(watched()), [11]);
    assert_eq!(with(Event::LoggedIn { socket: 3, who: Uuid::from_u128(3) }), [11]);
    assert_eq!(with(Event::Started { node: "onya-1".to_owned() }), [11]);
}

#[test]
fn what_another_saw_or_elsewhere_does_not_stand_for_what_is_not_on_record() {
    let elsewhere: [fn(&mut Act); 3] = [
        |act| act.actor = Uuid::from_u128(3).to_string(),
        |act| act.conversation = Some(Uuid::from_u128(3)),
        |act| act.detail = json!({"what": "entries"}),
    ];
    for change in elsewhere {
        let mut tables = tables();
        change(&mut tables.acts[4]);
        assert_eq!(promises(&good(), &tables), [11]);
    }
}

#[test]
fn an_act_whose_witness_was_cut_off_is_none_too_much() {
    let history: Vec<Event> = good().into_iter().take(14).collect();
    assert!(promises(&history, &tables()).is_empty());
}

/// A reader is brought up to date with less than was acknowledged.
fn less(socket: u64) -> Event {
    let entries = [1, 2, 3, 4].map(shown).to_vec();
    let (cursor, recovered, position) = (Some(5), false, 4);
    Event::Synced { socket, conversation: C, staff: false, asked: true, cursor, recovered, position, entries }
}

#[test]
fn nobody_is_brought_to_less_than_before() {
    let mut history = good();
    history.push(less(3));
    assert_eq!(promises(&history, &tables()), [12], "an acknowledgement of 5 came before, on another socket");
}

#[test]
fn only_while_two_servers_share_a_name_somebody_may_be_brought_to_less() {
    let fault = |name: &str| Event::Fault { name: name.to_owned() };
    let ended = |name: &str| Event::FaultEnded { name: name.to_owned() };
    let mut history = good();
    history.extend([fault("namesake"), fault("hang"), ended("hang"), less(3)]);
    assert!(promises(&history, &tables()).is_empty(), "the other fault has ended, this one has not");
    history.extend([fault("hang"), ended("namesake"), less(4)]);
    assert_eq!(promises(&history, &tables()), [12]);
}

#[test]
fn an_older_attempt_is_not_shown_after_a_newer_one() {
    let reply = |epoch, attempt| Event::Reply { socket: 1, conversation: C, turn: 3, epoch, attempt };
    let mut history = good();
    history.extend([reply(1, 1), reply(2, 2)]);
    assert!(promises(&history, &tables()).is_empty());
    history.push(reply(1, 1));
    assert_eq!(promises(&history, &tables()), [8]);
}

#[test]
fn an_owner_that_lives_is_not_robbed_and_an_epoch_has_one_owner() {
    let taking = |epoch, owner: &str, robbed| Taking {
        conversation: C,
        epoch,
        owner: owner.to_owned(),
        previous: Some("onya-0 a".to_owned()),
        robbed,
        turn_was_open: false,
        unix_ms: 0,
    };
    for (takings, expected) in [
        (vec![taking(1, "onya-0 a", false), taking(2, "onya-1 b", false)], vec![]),
        (vec![taking(1, "onya-0 a", false), taking(2, "onya-1 b", true)], vec![13]),
        (vec![taking(1, "onya-0 a", false), taking(1, "onya-1 b", false)], vec![13]),
    ] {
        assert_eq!(promises(&good(), &Tables { takings, ..tables() }), expected);
    }
}
