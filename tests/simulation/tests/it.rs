//! The program, from outside: a seed can be repeated, and what it says of seeds.

#![expect(clippy::unwrap_used, reason = "a failed step ends the test, also in the functions that tests share")]

use std::process::{Command, Output};

fn simulation(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulation")).args(arguments).output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_same_seed_goes_the_same_way_to_the_last_frame() {
    let trace = |seed| words(&simulation(&["--seeds", seed, "--seconds", "20", "--trace"]));
    let (first, second) = (trace("11"), trace("11"));
    let differing = first.lines().zip(second.lines()).find(|(first, second)| first != second);
    assert_eq!(differing, None);
    assert_eq!(first.len(), second.len());
    assert!(first.contains("nemesis") && first.contains("customer-1") && first.contains("is found dead"), "{first}");
    assert_ne!(first, trace("12"));
}

#[test]
fn seeds_that_hold_are_summed_up() {
    let ended = simulation(&["--seeds", "1..=4", "--seconds", "15"]);
    let said = words(&ended);
    assert!(ended.status.success() && said.contains("4 seeds, 0 of them broken"), "{said}");
}

#[test]
fn a_search_that_finds_nothing_is_a_failure() {
    let ended = simulation(&["--seeds", "1..=2", "--seconds", "1", "--find"]);
    assert!(!ended.status.success(), "{}", words(&ended));
}

#[test]
fn what_is_no_seed_is_refused() {
    for wrong in ["", "x", "1..=", "5..=1"] {
        assert_eq!(simulation(&["--seeds", wrong]).status.code(), Some(2), "{wrong:?}");
    }
}
