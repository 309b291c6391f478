//! Sizes, and what is refused beyond them.

use onya_core::ClientMsgId;
use onya_core::conversation::{Action, Event, Rejection, ReturnTo, Score, State};
use onya_core::{ConversationId, Timestamp};
use uuid::Uuid;

use crate::events::*;
use crate::given::{Given, START};

fn rate_with(comment: &str) -> Action {
    Action::Rate { reply: None, score: Score::Up, comment: Some(comment.to_owned()) }
}

fn escalate_with(summary: &str) -> Action {
    Action::Escalate { summary: Some(summary.to_owned()) }
}

#[test]
fn a_message_may_be_as_long_as_the_limit_in_bytes() {
    let given = Given::conversation().policy(|policy| policy.max_message_bytes = 4);
    given.clone().asks(customer(), say("\u{fc}\u{fc}")).acked(2);
    given.asks(customer(), say("\u{fc}\u{fc}.")).refused(Rejection::TooLarge { max_bytes: 4 });
}

#[test]
fn comments_and_summaries_have_their_own_limit() {
    let given = Given::conversation().policy(|policy| policy.max_comment_bytes = 4);
    given.clone().asks(customer(), rate_with("12345")).refused(Rejection::TooLarge { max_bytes: 4 });
    given.clone().asks(customer(), escalate_with("12345")).refused(Rejection::TooLarge { max_bytes: 4 });
    given.clone().asks(customer(), rate_with("1234")).acked(2);
    given.asks(customer(), escalate_with("1234")).acked(2);
}

#[test]
fn empty_texts_and_nul_are_refused() {
    for text in ["", " \t\n", "a\0b", "\0"] {
        for action in [say(text), rate_with(text), escalate_with(text)] {
            Given::conversation().asks(customer(), action).refused(Rejection::BadText);
        }
    }
}

#[test]
fn a_full_conversation_takes_no_more_messages() {
    let given = Given::conversation().policy(|policy| policy.max_entries = 4).said("one").answered("first");
    for action in [say("two"), regenerate(None), rate(None)] {
        given.clone().asks(customer(), action).refused(Rejection::Full);
    }
}

#[test]
fn a_full_conversation_can_still_be_stopped_handed_on_and_closed() {
    let full = Given::conversation().policy(|policy| policy.max_entries = 3).said("one");
    full.clone().asks(customer(), stop()).acked(4);
    full.clone().asks(anna(), take_over(0)).acked(5);
    full.clone().when(complete(3, 1, "first")).accepted();
    full.clone().asks(customer(), close(None)).acked(5);
    full.asks(customer(), escalate()).acked(5);
}

#[test]
fn a_customer_cannot_lengthen_a_full_conversation_by_going_back_and_forth() {
    Given::conversation()
        .policy(|policy| policy.max_entries = 2)
        .escalated()
        .asks(customer(), hand_back(1, ReturnTo::Assistant))
        .refused(Rejection::Full);
}

#[test]
fn an_opening_is_the_first_entry_and_only_that() {
    let id = ConversationId(Uuid::from_u128(5));
    let opening = State::opening(customer().id, "fr-CA".to_owned(), [1; 16], START);
    assert_eq!((opening.seq, opening.customer_prev, &opening.key), (1, 0, &None));
    let state = State::open(id, &opening).unwrap();
    assert_eq!((state.seq, state.customer_seq, state.control_version), (1, 1, 0));
    assert_eq!((state.customer, state.language.as_str()), (customer().id, "fr-CA"));
    let mut second = opening.clone();
    second.seq = 2;
    assert_eq!(State::open(id, &second), None);
    let other = onya_core::conversation::Entry { event: turn_opened(1), ..opening };
    assert!(!matches!(other.event, Event::Opened { .. }));
    assert_eq!(State::open(id, &other), None);
}

#[test]
fn a_client_msg_id_is_1_to_64_printable_ascii_characters() {
    for good in ["a", &"x".repeat(64), "018f-!~"] {
        assert!(ClientMsgId::new(good).is_ok(), "{good}");
    }
    for bad in ["", &"x".repeat(65), "a b", "a\n", "\u{fc}", "a\0"] {
        assert!(ClientMsgId::new(bad).is_err(), "{bad}");
        assert!(serde_json::from_value::<ClientMsgId>(serde_json::json!(bad)).is_err(), "{bad}");
    }
}

#[test]
fn time_saturates_instead_of_overflowing() {
    assert_eq!(Timestamp(i64::MAX).plus_ms(1), Timestamp(i64::MAX));
    assert_eq!(Timestamp(5).since_ms(Timestamp(7)), 0);
    assert_eq!(Timestamp(i64::MAX).since_ms(Timestamp(i64::MIN)), i64::MAX as u64);
}
