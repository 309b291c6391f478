//! The protocol's terms in words.

use onya_core::conversation::{EscalationReason, Outcome, Role};
use onya_protocol::{Cause, Control};

/// A role, as a name for somebody without one.
pub(super) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Agent => "agent",
        Role::Supervisor => "supervisor",
    }
}

/// How a reply ended, unless it ended well.
pub(super) const fn outcome_text(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Final => None,
        Outcome::Stopped => Some("stopped"),
        Outcome::Failed => Some("the reply failed"),
        Outcome::Superseded => Some("cut short, answered again"),
        Outcome::TakenOver => Some("cut short, a person takes over"),
        Outcome::Escalated => Some("cut short, a person is asked for"),
        Outcome::Closed => Some("cut short, the conversation was closed"),
    }
}

/// Who answers, in words.
pub(super) const fn control_text(control: Control) -> &'static str {
    match control {
        Control::Assistant => "the assistant answers",
        Control::Queue => "waiting for a person",
        Control::Agent { .. } => "a person answers",
        Control::Closed => "closed",
    }
}

/// Why somebody waits, in words.
pub(super) const fn reason_text(reason: EscalationReason) -> &'static str {
    match reason {
        EscalationReason::CustomerAsked => "the customer asked",
        EscalationReason::AssistantAsked => "the assistant asked",
        EscalationReason::ReplyFailed => "a reply failed",
        EscalationReason::Quarantined => "withdrawn from the assistant",
        EscalationReason::AgentReturned => "an agent returned it",
    }
}

/// What changed who answers.
pub(super) const fn cause_text(cause: Cause) -> &'static str {
    match cause {
        Cause::Escalated => "escalated",
        Cause::Claimed => "claimed",
        Cause::TakenOver => "taken over",
        Cause::HandedBack => "handed back",
        Cause::AssistantChosen => "back to the assistant",
        Cause::Closed => "closed",
        Cause::IdledOut => "closed for silence",
    }
}
