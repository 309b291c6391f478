//! Every interleaving of every scenario: what must hold holds, what must be reached is reached, and every path ends.

use std::collections::BTreeSet;

use onya_model::endings::Graph;
use onya_model::scenario::Scenario;
use onya_model::world::Cluster;
use onya_model::{properties, reached, scenarios, trace};
use stateright::{Checker as _, Model as _};

use crate::{Summary, say};

fn holds(scenario: Scenario) {
    let cluster = Cluster::new(scenario.clone()).unwrap();
    let checker = cluster.checker().spawn_bfs().join_and_report(&mut Summary(scenario.name.to_owned()));
    for property in properties::always() {
        if let Some(path) = checker.discovery(property.name) {
            let lines = trace::lines(checker.model(), path).join("\n");
            panic!("scenario `{}` does not keep: {}\n{lines}", scenario.name, property.name);
        }
    }
    for name in scenario.reaches {
        assert!(checker.discovery(name).is_some(), "scenario `{}` never reaches: {name}", scenario.name);
    }
    ends(checker.model(), checker.unique_state_count());
}

/// No path goes on for ever. The graph is found anew, and must be as large.
fn ends(cluster: &Cluster, states: usize) {
    let graph = Graph::of(cluster);
    let longest = graph.longest_path().expect("a path goes round in a circle");
    assert_eq!(graph.states(), states, "one of the two searches has missed states");
    say(&format!("model `{}`: {} ends, after {longest} steps at most", cluster.scenario.name, graph.ends()));
}

#[test]
fn a_talk_with_a_takeover_and_a_lost_connection() {
    holds(scenarios::TALK);
}

#[test]
fn processes_are_killed() {
    holds(scenarios::KILLED);
}

#[test]
fn connections_to_the_store_break() {
    holds(scenarios::CUT);
}

#[test]
fn a_slow_process_is_declared_dead() {
    holds(scenarios::SLOW);
}

#[test]
fn conversations_move() {
    holds(scenarios::MOVED);
}

#[test]
fn conversations_move_while_processes_are_killed() {
    holds(scenarios::MOVED_AND_KILLED);
}

#[test]
fn commands_are_repeated() {
    holds(scenarios::REPEATED);
}

#[test]
fn commands_are_repeated_that_memory_has_forgotten() {
    holds(scenarios::FORGOTTEN);
}

#[test]
fn the_store_goes_back() {
    holds(scenarios::RESTORED);
}

#[test]
fn several_faults_at_once() {
    holds(scenarios::AT_ONCE);
}

#[test]
fn each_rare_event_is_asked_for_by_a_scenario() {
    let wanted: BTreeSet<_> = reached::all().into_iter().map(|property| property.name).collect();
    let asked: BTreeSet<_> = scenarios::ALL.iter().flat_map(|scenario| scenario.reaches).copied().collect();
    assert_eq!(asked, wanted);
}
