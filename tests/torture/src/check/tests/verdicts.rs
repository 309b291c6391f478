//! Who is found dead because of what.

use super::*;
use crate::tables::Verdict;

/// What is found if a node is found dead at this time, while faults begin (`true`) and end at these.
fn found(at_ms: u64, faults: &[(u64, &str, bool)]) -> Vec<String> {
    let mut timed = vec![(0, Event::Began { unix_ms: 1_000_000 })];
    timed.extend(faults.iter().map(|(at, name, begins)| {
        let name = (*name).to_owned();
        (*at, if *begins { Event::Fault { name } } else { Event::FaultEnded { name } })
    }));
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
