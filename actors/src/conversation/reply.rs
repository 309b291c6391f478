//! The reply in progress and its gate.
//!
//! What was handed out is what the customer may have seen: the text that a stop or a takeover keeps. While the gate is
//! closed, text that the model still yields is held; it is handed out if the gate opens again.

use onya_core::conversation::{PartialReply, ReplyEnding};
use onya_core::{ConversationId, Seq};
use onya_protocol::{Delta, LiveTurn};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::ports::ModelEnd;

/// One attempt at a turn, while the model works on it. Dropping it calls the model off.
#[derive(Debug)]
pub(crate) struct LiveReply {
    pub(crate) handed_out: PartialReply,
    held: String,
    end: Option<ModelEnd>,
    pub(crate) asked_at: Instant,
    completion: AbortHandle,
    gauge: metrics::Gauge,
}

impl LiveReply {
    pub(crate) fn new(turn: Seq, attempt: u32, completion: AbortHandle) -> Self {
        let gauge = metrics::gauge!("onya_replies_in_progress");
        gauge.increment(1.0);
        let handed_out = PartialReply { turn, attempt, text: String::new() };
        Self { handed_out, held: String::new(), end: None, asked_at: Instant::now(), completion, gauge }
    }

    pub(crate) fn is(&self, turn: Seq, attempt: u32) -> bool {
        (self.handed_out.turn, self.handed_out.attempt) == (turn, attempt)
    }

    /// Keeps text until the gate opens.
    pub(crate) fn hold(&mut self, text: &str) {
        self.held.push_str(text);
    }

    /// What was held, to hand out now.
    pub(crate) fn take_held(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Notes that this text goes out, and gives the frame for it.
    pub(crate) fn hand_out(&mut self, conversation: ConversationId, epoch: u64, text: String) -> Delta {
        let offset = self.handed_out.text.len() as u64;
        self.handed_out.text.push_str(&text);
        Delta { conversation, turn: self.handed_out.turn, epoch, attempt: self.handed_out.attempt, offset, text }
    }

    /// Notes how the model ended; the turn is not over before this is stored.
    pub(crate) fn ended(&mut self, end: ModelEnd) {
        self.end = Some(end);
    }

    /// How the attempt ended, with everything the model said; `None` while it goes on.
    pub(crate) fn ending(&self) -> Option<ReplyEnding> {
        let text = || format!("{}{}", self.handed_out.text, self.held);
        self.end.as_ref().map(|end| match end.clone() {
            ModelEnd::Complete => ReplyEnding::Complete { text: text() },
            ModelEnd::AskForPerson { summary, priority } => ReplyEnding::Escalated { text: text(), summary, priority },
            ModelEnd::Failed(failure) => ReplyEnding::Failed { failure, text: text() },
        })
    }

    pub(crate) fn live_turn(&self, epoch: u64) -> LiveTurn {
        LiveTurn {
            turn: self.handed_out.turn,
            epoch,
            attempt: self.handed_out.attempt,
            text: self.handed_out.text.clone(),
        }
    }
}

impl Drop for LiveReply {
    fn drop(&mut self) {
        self.completion.abort();
        self.gauge.decrement(1.0);
    }
}
