use super::*;
use crate::look::{Counters, Verdict};

const ONE: Uuid = Uuid::from_u128(0xaaaaaa);
const TWO: Uuid = Uuid::from_u128(0xbbbbbb);
const AGAIN: Uuid = Uuid::from_u128(0xcccccc);

fn member(incarnation: Uuid, name: &str, standing: &str) -> Member {
    Member { incarnation, name: name.to_owned(), standing: standing.to_owned(), address: "127.0.0.1:7400".to_owned() }
}

fn owned(id: u128, owner: Option<Uuid>) -> Conversation {
    Conversation { id: Uuid::from_u128(id), owner, turn: None, attempt: None }
}

fn node(name: &str, pid: i32, turns_ended: f64) -> Node {
    let counters = Counters { sockets: 3.0, replies: 1.0, turns_ended, commands_acknowledged: 2.0 * turns_ended };
    Node { name: name.to_owned(), pid: Some(pid), process: Process::Running, counters: Some(counters) }
}

/// Two nodes, each with conversations.
fn calm() -> Look {
    Look {
        members: vec![member(ONE, "node-1", "live"), member(TWO, "node-2", "live")],
        conversations: vec![owned(1, Some(ONE)), owned(2, Some(TWO)), owned(3, Some(TWO)), owned(4, None)],
        nodes: vec![node("node-1", 11, 10.0), node("node-2", 22, 10.0)],
        shares: HashMap::from([(ONE, 0.25), (TWO, 0.75)]),
        ..Look::default()
    }
}

fn shown(look: Look) -> Model {
    let mut model = Model::default();
    model.observe(look);
    model
}

#[test]
fn a_row_has_what_the_member_owns_and_what_its_process_counts() {
    let rows = shown(calm()).rows();
    let expected = Row {
        name: "node-2".to_owned(),
        incarnation: "bbbbbb".to_owned(),
        standing: "live".to_owned(),
        address: "127.0.0.1:7400".to_owned(),
        share: 75.0,
        owned: 2,
        counters: Some([3.0, 1.0]),
        pid: Some(22),
        process: "running".to_owned(),
    };
    assert_eq!((rows.len(), &rows[1]), (2, &expected));
}

#[test]
fn a_node_that_was_started_again_is_shown_as_its_newest_incarnation() {
    let mut look = calm();
    look.members[1].standing = "dead".to_owned();
    look.members.push(member(AGAIN, "node-2", "joining"));
    let rows = shown(look).rows();
    assert_eq!((rows[1].incarnation.as_str(), rows[1].standing.as_str(), rows[1].owned), ("cccccc", "joining", 0));
}

#[test]
fn nothing_happens_between_two_equal_looks() {
    assert_eq!(shown(calm()).observe(calm()), Vec::<String>::new());
}

#[test]
fn a_killed_node_is_told_from_its_end_to_the_takeover() {
    let mut model = shown(calm());
    let mut look = calm();
    look.nodes[1] =
        Node { process: Process::Dead("SIGKILL".to_owned()), counters: None, pid: None, ..look.nodes[1].clone() };
    assert_eq!(model.observe(look.clone()), ["node-2's process has ended: SIGKILL"]);

    look.members[1].standing = "dead".to_owned();
    look.verdicts = vec![Verdict { judge: "node-1".to_owned(), member: TWO, evidence: "lease".to_owned() }];
    let found = ["node-1 found node-2 (bbbbbb) dead by its lease", "node-2 (bbbbbb) is dead"];
    assert_eq!(model.observe(look.clone()), found);
    assert_eq!(model.totals().free, 3);

    look.verdicts.clear();
    look.conversations[1] = Conversation { turn: Some(5), attempt: Some(2), ..owned(2, Some(ONE)) };
    let taken = [
        "node-1 (aaaaaa) took over from node-2 (bbbbbb): 1 conversation, …000002",
        "node-1 (aaaaaa) began again: 1 reply, …000002",
    ];
    assert_eq!(model.observe(look.clone()), taken);
    assert_eq!(model.observe(look), Vec::<String>::new());
}

#[test]
fn what_was_given_up_and_claimed_by_another_was_handed_over_and_many_are_one_event() {
    let mut model = shown(Look { conversations: (1..=5).map(|id| owned(id, Some(TWO))).collect(), ..calm() });
    let released = Look { conversations: (1..=5).map(|id| owned(id, None)).collect(), ..calm() };
    assert_eq!(model.observe(released), Vec::<String>::new());
    let claimed = Look { conversations: (1..=5).map(|id| owned(id, Some(ONE))).collect(), ..calm() };
    let told = "node-2 (bbbbbb) handed over to node-1 (aaaaaa): 5 conversations, …000001 …000002 …000003 and others";
    assert_eq!(model.observe(claimed), [told]);
}

#[test]
fn a_process_that_stands_still_and_goes_on_is_told() {
    let mut model = shown(calm());
    let mut look = calm();
    look.nodes[0].process = Process::Paused;
    assert_eq!(model.observe(look), ["node-1's process stands still"]);
    assert_eq!(model.observe(calm()), ["node-1's process goes on"]);
}

#[test]
fn rates_are_of_the_last_seconds_and_of_processes_that_were_there() {
    let mut model = Model::default();
    for second in 0..20_u32 {
        let mut look = calm();
        look.at = Duration::from_secs(second.into());
        // The second one begins again at each look.
        look.nodes = vec![node("node-1", 11, f64::from(second * second)), node("node-2", 100 + second as i32, 50.0)];
        model.observe(look);
    }
    let totals = model.totals();
    // From 14² to 19² in five seconds.
    assert_eq!((totals.turns_per_second, totals.acknowledged_per_second), (33.0, 66.0));
    assert_eq!((totals.conversations, totals.free, totals.sockets, totals.replies), (4, 1, 6.0, 2.0));
}
