//! What must hold of the turns of a whole log.

use std::collections::BTreeMap;

use onya_core::conversation::{Control, Entry, Event, Outcome};

/// Each turn that was opened ends once, no other does, and no answer stands where somebody else is in control. What is wrong, in
/// words.
#[must_use]
pub fn broken_turns(entries: &[Entry]) -> Vec<String> {
    let (mut ends, mut control, mut broken) = (BTreeMap::new(), Control::Assistant, Vec::new());
    for entry in entries {
        match entry.event {
            Event::TurnOpened { .. } => drop(ends.insert(entry.seq, 0_u32)),
            Event::TurnEnded { turn, outcome, .. } => {
                match ends.get_mut(&turn) {
                    Some(count) => *count += 1,
                    None => broken.push(format!("{} ends turn {turn}, which is not open", entry.seq)),
                }
                if outcome == Outcome::Final && control != Control::Assistant {
                    broken.push(format!("{} is an answer while {control:?} is in control", entry.seq));
                }
            }
            Event::ControlChanged { control: next, .. } => control = next,
            _ => {}
        }
    }
    let wrong = ends.into_iter().filter(|(_, count)| *count != 1);
    broken.extend(wrong.map(|(turn, count)| format!("turn {turn} ended {count} times")));
    broken
}
