//! Control that two have, or that nobody was given.

use super::*;

const ANNA: Uuid = Uuid::from_u128(7);
const BERT: Uuid = Uuid::from_u128(8);

/// Control goes on: cause, who has it then, who did it (nobody: the server), in which role, and the version seen.
type HandOver = (&'static str, &'static str, Option<(Uuid, &'static str)>, u64);

const ESCALATED: HandOver = ("escalated", "queue", None, 0);

fn claimed(who: Uuid, saw: u64) -> HandOver {
    ("claimed", "agent", Some((who, "agent")), saw)
}

fn handed_back(who: Uuid, to: &'static str, saw: u64) -> HandOver {
    ("handed_back", to, Some((who, "agent")), saw)
}

/// The log of these hand-overs, as whoever sent them named them.
fn handed_over(hand_overs: &[HandOver]) -> (Vec<Event>, Vec<Entry>) {
    let (mut history, mut entries) = (Vec::new(), vec![entry(1, 1, "opened", None, json!({}))]);
    for (version, (cause, state, by, saw)) in (1..).zip(hand_overs) {
        let person = by.filter(|_| *state == "agent").map(|(who, _)| who);
        let author = by.map(|(who, role)| json!({"id": who, "role": role}));
        let cause = json!({"type": cause});
        let body = json!({"control": {"state": state, "id": person}, "version": version, "cause": cause, "by": author});
        let mut changed = entry(version + 1, 1, "control_changed", None, body);
        if let Some((who, _)) = by {
            let id = format!("c{version}");
            (changed.participant, changed.id) = (Some(*who), Some(id.clone()));
            let (who, text, saw) = (*who, None, Some(*saw));
            history.push(Event::Sent { who, conversation: C, id, after: None, text, saw });
        }
        entries.push(changed);
    }
    (history, entries)
}

/// What is found in a log of these hand-overs, changed by hand.
fn control(hand_overs: &[HandOver], change: impl FnOnce(&mut Vec<Entry>)) -> Vec<u8> {
    let (history, mut entries) = handed_over(hand_overs);
    change(&mut entries);
    let count = entries.len() as u64;
    let verified = Verified { entries: count, anchors: 1, ..Verified::default() };
    let (last_seqs, entries) = ([(C, count)].into(), [(C, entries)].into());
    promises(&history, &Tables { last_seqs, entries, verified, ..Tables::default() })
}

fn said_by(who: Uuid) -> impl FnOnce(&mut Vec<Entry>) {
    move |entries| {
        let mut said = entry(entries.len() as u64 + 1, 1, "message_said", None, json!({"text": "hello"}));
        said.body["author"] = json!({"id": who, "role": "agent"});
        entries.push(said);
    }
}

#[test]
fn lawful_hand_overs_are_no_findings() {
    let supervisor = Some((BERT, "supervisor"));
    let lawful: &[&[HandOver]] = &[
        &[
            ESCALATED,
            claimed(ANNA, 1),
            handed_back(ANNA, "queue", 2),
            claimed(BERT, 3),
            handed_back(BERT, "assistant", 4),
        ],
        &[("taken_over", "agent", Some((ANNA, "agent")), 0), ("taken_over", "agent", supervisor, 1)],
        &[ESCALATED, ("taken_over", "agent", Some((ANNA, "agent")), 1), ("handed_back", "queue", None, 2)],
        &[ESCALATED, ("assistant_chosen", "assistant", Some((WHO, "customer")), 1)],
        &[ESCALATED, claimed(ANNA, 1), ("handed_back", "assistant", supervisor, 2), ("idled_out", "closed", None, 3)],
    ];
    for hand_overs in lawful {
        assert!(control(hand_overs, |_| {}).is_empty(), "{hand_overs:?}");
    }
    assert!(control(&[ESCALATED, claimed(ANNA, 1)], said_by(ANNA)).is_empty());
}

#[test]
fn two_agents_who_got_one_customer_are_found() {
    assert_eq!(control(&[ESCALATED, claimed(ANNA, 1), claimed(BERT, 1)], |_| {}), [14], "both had seen the queue");
    assert_eq!(control(&[ESCALATED, claimed(ANNA, 1), claimed(BERT, 2)], |_| {}), [14], "there was no queue any more");
    let robbed = ("taken_over", "agent", Some((BERT, "agent")), 2);
    assert_eq!(control(&[ESCALATED, claimed(ANNA, 1), robbed], |_| {}), [14], "only a supervisor may");
    assert_eq!(control(&[ESCALATED, claimed(ANNA, 1)], |log| log[2].body["version"] = json!(1)), [14], "one version");
    assert_eq!(control(&[ESCALATED, claimed(ANNA, 1)], |log| log[2].body["control"]["id"] = json!(BERT)), [14]);
}

#[test]
fn a_hand_over_that_had_seen_something_else_or_was_not_allowed_is_found() {
    let returned = handed_back(ANNA, "queue", 2);
    assert_eq!(control(&[ESCALATED, claimed(ANNA, 1), returned, claimed(BERT, 1)], |_| {}), [14], "of an older wait");
    assert_eq!(control(&[claimed(ANNA, 0)], |_| {}), [14], "nobody waited");
    assert_eq!(control(&[ESCALATED, claimed(ANNA, 1), handed_back(BERT, "queue", 2)], |_| {}), [14], "not Bert's");
    assert_eq!(control(&[ESCALATED, claimed(ANNA, 1), ESCALATED], |_| {}), [14], "somebody had it");
    let silent = entry(3, 1, "rated", Some("c2"), json!({}));
    let silently = |log: &mut Vec<Entry>| (log[2].kind, log[2].body) = (silent.kind, silent.body);
    assert!(control(&[ESCALATED, claimed(ANNA, 1)], silently).contains(&14), "acknowledged, and not done");
}

#[test]
fn staff_who_speak_without_control_are_found() {
    assert_eq!(control(&[ESCALATED, claimed(ANNA, 1)], said_by(BERT)), [14]);
    assert_eq!(control(&[ESCALATED], said_by(BERT)), [14]);
}
