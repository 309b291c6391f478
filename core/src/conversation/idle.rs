//! Timers: every conversation that is not closed has exactly one next deadline; a closed one has one if it is to be erased.
//!
//! | state | deadline | what then |
//! |---|---|---|
//! | a turn is open | its attempt's start + `turn_timeout_ms` | it fails, a person is asked for |
//! | in the queue | `queue_notice_ms` after the wait began, then twice as long each time | the customer is told that the wait goes on |
//! | with an agent who owes an answer | `idle_close_ms` after the newest entry | it goes back to the queue |
//! | otherwise, not closed | `idle_close_ms` after the newest entry | the conversation is closed |
//! | closed, and the policy says for how long it is kept | `retention_ms` after its end | it is erased |

use super::draft::Draft;
use super::event::{Cause, Control, Event, Failure, Notice};
use super::policy::Policy;
use super::state::{Queued, State};
use crate::Timestamp;

/// Doublings after which the notices stop getting rarer.
const MAX_DOUBLINGS: u32 = 9;

impl State {
    /// When [`super::Signal::DeadlineReached`] is due; `None` for a closed conversation that is kept, or is erased.
    #[must_use]
    pub fn next_deadline(&self, policy: &Policy) -> Option<Timestamp> {
        if self.control == Control::Closed {
            return self.retention_ends(policy);
        }
        if let Some(turn) = &self.turn {
            return Some(turn.attempt_at.plus_ms(policy.turn_timeout_ms));
        }
        if let Some(queued) = &self.queued {
            return Some(notice_due(queued, policy));
        }
        Some(self.last_at.plus_ms(policy.idle_close_ms))
    }

    pub(super) fn deadline_reached(&self, draft: &mut Draft<'_>) {
        let policy = draft.context.policy;
        if self.next_deadline(policy).is_none_or(|due| draft.context.now < due) {
            return;
        }
        if self.control == Control::Closed {
            self.erase_content(draft, None);
        } else if let Some(turn) = &self.turn {
            self.give_up_turn(draft, turn, Failure::TimedOut);
        } else if self.queued.is_some() {
            draft.push(Event::NoticePosted { notice: Notice::StillWaiting }, None);
        } else if self.unanswered {
            // The person who has the conversation is silent: somebody else should answer.
            self.return_to_queue(draft);
        } else {
            self.change_control(draft, (Control::Closed, Cause::IdledOut), None, None);
        }
    }
}

fn notice_due(queued: &Queued, policy: &Policy) -> Timestamp {
    let factor = 1_u64 << queued.notices.min(MAX_DOUBLINGS);
    queued.noticed_at.plus_ms(policy.queue_notice_ms.saturating_mul(factor))
}
