//! The schema, moved by hand.

use crate::support::{Backend, ChatClient, NodeSettings};

crate::on_each_store!(the_schema_goes_up_and_down_and_up_and_a_node_starts_on_it);

async fn the_schema_goes_up_and_down_and_up_and_a_node_starts_on_it(backend: Backend) {
    let settings = NodeSettings::new(backend).await;
    let fresh = states(&settings, "status").await;
    assert!(!fresh.is_empty() && fresh.iter().all(|state| state == "missing"), "{fresh:?}");
    let complete = vec!["applied"; fresh.len()];
    assert_eq!(states(&settings, "up").await, complete);
    assert_eq!(states(&settings, "status").await, complete);
    let mut without_newest = complete.clone();
    *without_newest.last_mut().unwrap() = "missing";
    assert_eq!(states(&settings, "down").await, without_newest);
    assert_eq!(states(&settings, "status").await, without_newest);
    assert_eq!(states(&settings, "up").await, complete);
    assert_eq!(states(&settings, "up").await, complete, "what is applied is not applied again");

    let node = settings.start().await;
    let mut customer = ChatClient::visit(&node).await;
    let said = customer.say("Is there room?").await;
    customer.answered(said.seq).await;
}

/// Runs `onya migrate ACTION`, and gives the state of each step it lists: `0001  applied  conversations`.
async fn states(settings: &NodeSettings, action: &str) -> Vec<String> {
    let output = settings.run(&["migrate", action]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let columns = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [number, state, _name] = columns[..] else { panic!("{line:?} is not a step") };
        (number.to_owned(), state.to_owned())
    };
    let (numbers, states): (Vec<_>, Vec<_>) = text.lines().map(columns).unzip();
    assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.iter().all(|number| number.len() == 4), "{text}");
    states
}
