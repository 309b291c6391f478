//! Every planted fault is refuted, as the property that it breaks; the shortest way there is printed.

use onya_model::planted::Planted;
use onya_model::trace;
use onya_model::world::Cluster;
use stateright::{Checker as _, Model as _};

use crate::{Summary, say};

fn refuted(planted: Planted) {
    let cluster = Cluster::new(planted.scenario()).unwrap();
    let name = format!("{planted:?}");
    let checker = cluster.checker().spawn_bfs().join_and_report(&mut Summary(name.clone()));
    let path = checker.discovery(planted.breaks()).unwrap_or_else(|| panic!("{name} is not found out"));
    let lines = trace::lines(checker.model(), path);
    say(&format!("`{name}` breaks \"{}\" after {} steps:\n{}", planted.breaks(), lines.len(), lines.join("\n")));
}

#[test]
fn an_append_without_a_fence() {
    refuted(Planted::NoFence);
}

#[test]
fn a_fence_that_is_only_looked_at() {
    refuted(Planted::FenceLookedAt);
}

#[test]
fn a_fence_without_a_nonce() {
    refuted(Planted::NoNonce);
}

#[test]
fn a_claim_that_reads_before_it_locks() {
    refuted(Planted::ReadBeforeLock);
}

#[test]
fn a_claim_that_robs_a_living_owner() {
    refuted(Planted::LiveOwnerRobbed);
}

#[test]
fn a_claim_that_takes_a_draining_owner_for_dead() {
    refuted(Planted::DrainingTakenForDead);
}

#[test]
fn an_acknowledgement_before_the_commit() {
    refuted(Planted::AckBeforeCommit);
}

#[test]
fn an_entry_that_is_shown_before_the_commit() {
    refuted(Planted::PublishBeforeCommit);
}

#[test]
fn repeats_that_are_not_recognised() {
    refuted(Planted::NoDedupe);
}

#[test]
fn a_retry_under_a_new_name() {
    refuted(Planted::RetryUnderNewName);
}

#[test]
fn an_append_of_unknown_outcome_that_is_sent_again() {
    refuted(Planted::BlindRetry);
}

#[test]
fn a_repeat_that_is_dropped_without_its_neighbours() {
    refuted(Planted::RepeatDropped);
}

#[test]
fn a_takeover_that_leaves_the_reply_alone() {
    refuted(Planted::FinalWithoutControl);
}

#[test]
fn a_turn_that_the_next_owner_forgets() {
    refuted(Planted::TurnForgotten);
}
