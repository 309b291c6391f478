//! What a customer is shown of the log.

use onya_core::conversation::{Command, Signal, View};

use crate::given::Given;

#[test]
fn a_customer_is_shown_no_attempts_and_the_positions_bridge_them() {
    let given = Given::conversation().said("one").had(Command::Signal(Signal::ResumeTurn)).answered("first");
    let of = |view: View| -> Vec<_> {
        given.log.iter().filter(|entry| entry.visible_to(view)).map(|entry| (entry.seq, entry.prev(view))).collect()
    };
    assert_eq!(of(View::Staff), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)]);
    assert_eq!(of(View::Customer), [(1, 0), (2, 1), (3, 2), (5, 3)]);
    assert_eq!(given.state.customer_seq, 5);
}
