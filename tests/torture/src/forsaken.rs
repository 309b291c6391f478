//! A customer whose agent is gone for good: nobody comes in its place, and the customer says nothing more. The server must put
//! the customer back into the queue, whatever has become of the conversation's owner meanwhile.

use std::collections::BTreeMap;

use crate::agent::Agent;
use crate::customer::Customer;
use crate::history::Event;

/// Until the customer is back in the queue.
pub(crate) async fn run(mut customer: Customer, agent: Agent) {
    customer.say().await;
    let conversation = customer.conversation();
    let history = Box::pin(agent.forsake(conversation)).await;
    customer.say().await;
    history.note(&Event::Forsaken { conversation });
    customer.was_queued().await;
    history.note(&Event::Queued { conversation });
}

/// How long each of these customers was left alone after the last word, in milliseconds.
pub(crate) fn left_alone(history: &[(u64, Event)]) -> Vec<u64> {
    let (mut since, mut times) = (BTreeMap::new(), Vec::new());
    for (at_ms, event) in history {
        match event {
            Event::Forsaken { conversation } => drop(since.insert(*conversation, *at_ms)),
            Event::Queued { conversation } => times.extend(since.remove(conversation).map(|since| at_ms - since)),
            _ => {}
        }
    }
    times
}
