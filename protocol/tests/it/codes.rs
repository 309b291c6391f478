//! Codes: stable names, statuses, and which rule leads to which.

use std::collections::BTreeSet;

use onya_core::conversation::Rejection;
use onya_protocol::{CloseCode, ErrorCode, Refusal};

#[test]
fn every_code_is_written_as_it_is_called() {
    for code in ErrorCode::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert_eq!(code.to_string(), code.as_str());
        assert!((400..600).contains(&code.http_status()), "{code}");
    }
    let unique: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(unique.len(), ErrorCode::ALL.len());
}

#[test]
fn what_is_overloaded_or_unknown_may_be_tried_again() {
    let retryable: Vec<_> =
        ErrorCode::ALL.iter().filter(|code| code.is_retryable()).map(|code| code.as_str()).collect();
    assert_eq!(retryable, ["out_of_order", "busy", "unknown", "internal"]);
}

#[test]
fn close_codes_below_3500_ask_to_connect_again() {
    for code in CloseCode::ALL {
        let number = *code as u16;
        assert!((3000..4000).contains(&number));
        assert_eq!(code.is_retryable(), number < 3500, "{}", code.reason());
    }
    let unique: BTreeSet<_> = CloseCode::ALL.iter().map(|code| (*code as u16, code.reason())).collect();
    assert_eq!(unique.len(), CloseCode::ALL.len());
}

#[test]
fn every_rejection_has_its_code_and_says_what_helps() {
    for (rejection, code) in [
        (Rejection::NotAParticipant, ErrorCode::NotFound),
        (Rejection::Forbidden, ErrorCode::Forbidden),
        (Rejection::Closed, ErrorCode::Closed),
        (Rejection::ControlChanged { current: 7 }, ErrorCode::ControlChanged),
        (Rejection::IdConflict { seq: 8 }, ErrorCode::IdConflict),
        (Rejection::OutOfOrder, ErrorCode::OutOfOrder),
        (Rejection::BadText, ErrorCode::BadRequest),
        (Rejection::TooLarge { max_bytes: 9 }, ErrorCode::TooLarge),
        (Rejection::Full, ErrorCode::Full),
        (Rejection::NothingToDo("nothing"), ErrorCode::NothingToDo),
    ] {
        let refusal = Refusal::from(rejection);
        assert_eq!(refusal.code, code);
        assert_eq!(refusal.message, rejection.to_string());
        assert_eq!(refusal.control_version, (code == ErrorCode::ControlChanged).then_some(7));
        assert_eq!(refusal.seq, (code == ErrorCode::IdConflict).then_some(8));
    }
}
