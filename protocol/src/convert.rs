//! From the core's types to the wire's: what a reader with a given view is shown.

use std::sync::Arc;

use onya_core::conversation::{self as core, Entry, Event, Failure, Rejection, View};
use onya_core::desk::Waiting;

use crate::entry::{Author, Cause, Control, EntryBody, LogEntry, Notices};
use crate::error::ErrorCode;
use crate::server::{QueueEntry, Refusal};

/// The entry as a reader sees it; `None` if the view hides it. `language` is the customer's.
#[must_use]
pub fn log_entry(entry: &Entry, view: View, language: &str, notices: &Notices) -> Option<Arc<LogEntry>> {
    entry.visible_to(view).then(|| {
        Arc::new(LogEntry {
            seq: entry.seq,
            prev: entry.prev(view),
            at: entry.at,
            client_msg_id: entry.key.as_ref().map(|key| key.client_msg_id.clone()),
            erased: entry.erased,
            body: body(&entry.event, view, &|key| notices.text(language, key)),
        })
    })
}

fn body(event: &Event, view: View, notice: &dyn Fn(&str) -> Option<String>) -> EntryBody {
    match event.clone() {
        Event::Opened { language, .. } => EntryBody::Opened { language },
        Event::MessageSaid { author, text } => EntryBody::MessageSaid { author: (&author).into(), text },
        Event::TurnOpened { answers, replaces } => EntryBody::TurnOpened { answers, replaces },
        Event::AttemptStarted { turn, attempt } => EntryBody::AttemptStarted { turn, attempt },
        Event::TurnEnded { turn, outcome, failure, text, .. } => EntryBody::TurnEnded { turn, outcome, failure, text },
        Event::ControlChanged { control, version, cause, by } => {
            control_body(control, version, &cause, by, view, notice)
        }
        Event::Rated { reply, score, comment } => EntryBody::Rated { reply, score, comment },
        Event::NoticePosted { notice: core::Notice::StillWaiting } => EntryBody::NoticePosted {
            notice_key: core::Notice::StillWaiting,
            notice: notice("still_waiting").unwrap_or_default(),
        },
        Event::Erased { by } => EntryBody::Erased { by: by.as_ref().filter(|_| view == View::Staff).map(Into::into) },
    }
}

fn control_body(
    control: core::Control,
    control_version: u64,
    cause: &core::Cause,
    by: Option<core::Author>,
    view: View,
    notice: &dyn Fn(&str) -> Option<String>,
) -> EntryBody {
    let staff = view == View::Staff;
    let (reason, priority, summary) = match cause {
        core::Cause::Escalated { reason, priority, summary } if staff => {
            (Some(*reason), Some(*priority), summary.clone())
        }
        _ => (None, None, None),
    };
    let assignment = match cause {
        core::Cause::Claimed { assignment } | core::Cause::TakenOver { assignment } if staff => Some(*assignment),
        _ => None,
    };
    EntryBody::ControlChanged {
        control: control.into(),
        control_version,
        cause: cause.into(),
        by: by.as_ref().map(Into::into),
        assignment,
        reason,
        priority,
        summary,
        notice: notice(notice_key(control, cause)),
    }
}

fn notice_key(control: core::Control, cause: &core::Cause) -> &'static str {
    match (control, cause) {
        (core::Control::Queue, core::Cause::Escalated { reason, .. }) if follows_a_failed_reply(*reason) => {
            "reply_failed"
        }
        (core::Control::Queue, _) => "queued",
        (core::Control::Agent { .. }, _) => "agent_joined",
        (core::Control::Assistant, _) => "assistant_back",
        (core::Control::Closed, core::Cause::IdledOut) => "closed_idle",
        (core::Control::Closed, _) => "closed",
    }
}

const fn follows_a_failed_reply(reason: core::EscalationReason) -> bool {
    matches!(reason, core::EscalationReason::ReplyFailed | core::EscalationReason::Quarantined)
}

impl From<&core::Author> for Author {
    fn from(author: &core::Author) -> Self {
        Self { id: author.id, role: author.role, name: author.name.clone() }
    }
}

impl From<core::Control> for Control {
    fn from(control: core::Control) -> Self {
        match control {
            core::Control::Assistant => Self::Assistant,
            core::Control::Queue => Self::Queue,
            core::Control::Agent { id } => Self::Agent { id },
            core::Control::Closed => Self::Closed,
        }
    }
}

impl From<&core::Cause> for Cause {
    fn from(cause: &core::Cause) -> Self {
        match cause {
            core::Cause::Escalated { .. } => Self::Escalated,
            core::Cause::Claimed { .. } => Self::Claimed,
            core::Cause::TakenOver { .. } => Self::TakenOver,
            core::Cause::HandedBack => Self::HandedBack,
            core::Cause::AssistantChosen => Self::AssistantChosen,
            core::Cause::Closed => Self::Closed,
            core::Cause::IdledOut => Self::IdledOut,
        }
    }
}

impl From<&Waiting> for QueueEntry {
    fn from(waiting: &Waiting) -> Self {
        Self {
            conversation: waiting.conversation,
            control_version: waiting.control_version,
            since: waiting.queued.since,
            priority: waiting.queued.priority,
            reason: waiting.queued.reason,
            summary: waiting.queued.summary.clone(),
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let mut refusal = Self::new(code(rejection), rejection.to_string());
        match rejection {
            Rejection::ControlChanged { current } => refusal.control_version = Some(current),
            Rejection::IdConflict { seq } => refusal.seq = Some(seq),
            _ => {}
        }
        refusal
    }
}

const fn code(rejection: Rejection) -> ErrorCode {
    match rejection {
        Rejection::NotAParticipant => ErrorCode::NotFound,
        Rejection::Forbidden => ErrorCode::Forbidden,
        Rejection::Closed => ErrorCode::Closed,
        Rejection::ControlChanged { .. } => ErrorCode::ControlChanged,
        Rejection::IdConflict { .. } => ErrorCode::IdConflict,
        Rejection::OutOfOrder => ErrorCode::OutOfOrder,
        Rejection::BadText => ErrorCode::BadRequest,
        Rejection::TooLarge { .. } => ErrorCode::TooLarge,
        Rejection::Full => ErrorCode::Full,
        Rejection::NothingToDo(_) => ErrorCode::NothingToDo,
    }
}

/// The name of a failure, for metrics and logs.
#[must_use]
pub const fn failure_name(failure: Failure) -> &'static str {
    match failure {
        Failure::ModelUnavailable => "model_unavailable",
        Failure::ReplyCut => "reply_cut",
        Failure::ReplyTooLong => "reply_too_long",
        Failure::ContentRefused => "content_refused",
        Failure::TimedOut => "timed_out",
        Failure::AttemptsExhausted => "attempts_exhausted",
        Failure::Quarantined => "quarantined",
    }
}

/// The name of a reason to ask for a person, for metrics.
#[must_use]
pub const fn reason_name(reason: core::EscalationReason) -> &'static str {
    match reason {
        core::EscalationReason::CustomerAsked => "customer_asked",
        core::EscalationReason::AssistantAsked => "assistant_asked",
        core::EscalationReason::ReplyFailed => "reply_failed",
        core::EscalationReason::Quarantined => "quarantined",
        core::EscalationReason::AgentReturned => "agent_returned",
    }
}
