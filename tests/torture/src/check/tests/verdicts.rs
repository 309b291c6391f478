//! Who is found dead because of what.

use super::*;
use crate::tables::Verdict;

/// What is found if a node is found dead at this time, while faults begin (`true`) and end at these.
fn found(at_ms: u64, faults: &[(u64, &str, bool)]) -> Vec<String> {
    let event = |(at, name, begins): &(u64, &str, bool)| {
        let name = (*name).to_owned();
        (*at, if *begins { Event::Fault { name } } else { Event::FaultEnded { name } })
    };
    found_in(at_ms, faults.iter().map(event).collect())
}

fn found_in(at_ms: u64, mut timed: Vec<(u64, Event)>) -> Vec<String> {
    timed.insert(0, (0, Event::Began { unix_ms: 1_000_000 }));
    let verdicts = vec![Verdict { dead: "onya-1 a".to_owned(), unix_ms: 1_000_000 + at_ms }];
    let found = check(&timed, &Tables { verdicts, ..tables() }, true);
    found.into_iter().filter(|violation| violation.promise == 15).map(|violation| violation.text).collect()
}

#[test]
fn who_is_found_dead_because_a_clock_jumps_is_found() {
    let jump = [(1_000, "jump-clock", true), (9_000, "jump-clock", false)];
    for at in [1_000, 9_000, 12_000] {
        assert_eq!(found(at, &jump), [format!("onya-1 a was found dead at {at} ms, because of jump-clock")]);
    }
    assert_eq!(found(9_000, &jump[..1]).len(), 1, "it has not ended");
    assert!(found(999, &jump).is_empty() && found(40_000, &jump).is_empty(), "it is another time");
}

#[test]
fn who_is_found_dead_because_of_another_fault_meanwhile_or_shortly_before_is_not() {
    let jump = [(50_000, "jump-clock", true), (60_000, "jump-clock", false)];
    for hang in [(20_000, 45_000), (50_000, 50_000), (54_000, 80_000)] {
        let mut faults = vec![(hang.0, "hang", true), (hang.1, "hang", false)];
        faults.extend(jump);
        faults.sort_unstable();
        assert!(found(55_000, &faults).is_empty(), "{hang:?}");
    }
    let mut long_ago = vec![(1_000, "hang", true), (30_000, "hang", false)];
    long_ago.extend(jump);
    assert_eq!(found(55_000, &long_ago).len(), 1);
}

#[test]
fn who_is_found_dead_because_the_machine_stood_still_is_not() {
    let history = |still: u64, ms| {
        let jump = Event::Fault { name: "jump-clock".to_owned() };
        vec![(1_000, jump), (still, Event::StoodStill { ms })]
    };
    for (still, ms) in [(10_000, 600), (20_000, 600), (25_000, 5_100)] {
        assert!(found_in(20_000, history(still, ms)).is_empty(), "until {still} ms, for {ms} ms");
    }
    for (still, ms) in [(4_000, 600), (25_000, 600)] {
        assert_eq!(found_in(20_000, history(still, ms)).len(), 1, "until {still} ms, for {ms} ms");
    }
}
