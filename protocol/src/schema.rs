//! The schema's view of types that live in the core, which knows nothing of schemas. A test compares the names.
#![cfg_attr(not(test), expect(dead_code, reason = "these types exist for their schema only"))]

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident),* })*) => {$(
        $(#[$doc])*
        #[derive(JsonSchema, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant),* }

        #[cfg(test)]
        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
        }
    )*};
}

mirror! {
    /// In which role somebody takes part.
    Role { Customer, Agent, Supervisor }
    /// What a new customer message does to a reply in progress.
    Overlap { Queue, Interrupt }
    /// Where a person returns a conversation to.
    ReturnTo { Assistant, Queue }
    /// A verdict.
    Score { Up, Down }
    /// How a turn ended.
    Outcome { Final, Stopped, Failed, Superseded, TakenOver, Escalated, Closed }
    /// Why a turn failed.
    Failure { ModelUnavailable, ReplyCut, ReplyTooLong, ContentRefused, TimedOut, AttemptsExhausted, Quarantined }
    /// What led to asking for a person.
    EscalationReason { CustomerAsked, AssistantAsked, ReplyFailed, Quarantined, AgentReturned }
    /// How urgently a person is needed.
    Priority { Low, Normal, High }
    /// A notice of the server to the customer.
    Notice { StillWaiting }
}

/// The sender's name for a command.
pub struct ClientMsgId;

impl JsonSchema for ClientMsgId {
    fn schema_name() -> Cow<'static, str> {
        "ClientMsgId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let longest = onya_core::ClientMsgId::MAX_BYTES;
        json_schema!({
            "description": "The sender's name for a command: printable ASCII without spaces.",
            "type": "string",
            "pattern": "^[!-~]+$",
            "minLength": 1,
            "maxLength": longest,
        })
    }
}

#[cfg(test)]
mod tests {
    use onya_core::conversation as core;

    use super::*;

    /// Each variant of the core (listed by an exhaustive match, so that a new one does not compile here before it is
    /// mirrored) is written like the mirror's, in the same order.
    fn same_names<M: Serialize, C: Serialize>(mirror: &[M], core: &[C]) {
        let names = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        let mirrored: Vec<_> = mirror.iter().map(|name| names(serde_json::to_value(name).unwrap())).collect();
        let own: Vec<_> = core.iter().map(|name| names(serde_json::to_value(name).unwrap())).collect();
        assert_eq!(mirrored, own);
    }

    macro_rules! variants {
        ($name:ident { $($variant:ident),* }) => {{
            const fn exhaustive(value: core::$name) -> core::$name {
                match value { $(core::$name::$variant => core::$name::$variant),* }
            }
            [$(exhaustive(core::$name::$variant)),*]
        }};
    }

    #[test]
    fn the_schema_names_exactly_what_the_core_knows() {
        same_names(Role::ALL, &variants!(Role { Customer, Agent, Supervisor }));
        same_names(Overlap::ALL, &variants!(Overlap { Queue, Interrupt }));
        same_names(ReturnTo::ALL, &variants!(ReturnTo { Assistant, Queue }));
        same_names(Score::ALL, &variants!(Score { Up, Down }));
        same_names(
            Outcome::ALL,
            &variants!(Outcome { Final, Stopped, Failed, Superseded, TakenOver, Escalated, Closed }),
        );
        same_names(
            Failure::ALL,
            &variants!(Failure {
                ModelUnavailable,
                ReplyCut,
                ReplyTooLong,
                ContentRefused,
                TimedOut,
                AttemptsExhausted,
                Quarantined
            }),
        );
        same_names(
            EscalationReason::ALL,
            &variants!(EscalationReason { CustomerAsked, AssistantAsked, ReplyFailed, Quarantined, AgentReturned }),
        );
        same_names(Priority::ALL, &variants!(Priority { Low, Normal, High }));
        same_names(Notice::ALL, &variants!(Notice { StillWaiting }));
    }

    #[test]
    fn the_names_for_metrics_are_those_of_the_wire() {
        for failure in variants!(Failure {
            ModelUnavailable,
            ReplyCut,
            ReplyTooLong,
            ContentRefused,
            TimedOut,
            AttemptsExhausted,
            Quarantined
        }) {
            assert_eq!(serde_json::json!(failure), crate::convert::failure_name(failure));
        }
        for reason in
            variants!(EscalationReason { CustomerAsked, AssistantAsked, ReplyFailed, Quarantined, AgentReturned })
        {
            assert_eq!(serde_json::json!(reason), crate::convert::reason_name(reason));
        }
        for outcome in variants!(Outcome { Final, Stopped, Failed, Superseded, TakenOver, Escalated, Closed }) {
            assert_eq!(serde_json::json!(outcome), outcome.as_str());
        }
    }
}
