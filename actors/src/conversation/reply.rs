//! The reply in progress, as the conversation's actor knows it: which attempt it is, where its text passes, how it ended.

use std::sync::Arc;

use onya_core::Seq;
use onya_core::conversation::ReplyEnding;
use tokio::task::AbortHandle;

use super::gate::Gate;
use crate::ports::ModelEnd;

/// One attempt at a turn, while the model works on it. Dropping it closes its gate and calls the model off.
#[derive(Debug)]
pub(crate) struct LiveReply {
    pub(crate) turn: Seq,
    pub(crate) attempt: u32,
    pub(crate) gate: Arc<Gate>,
    end: Option<ModelEnd>,
    completion: AbortHandle,
    gauge: metrics::Gauge,
}

impl LiveReply {
    pub(crate) fn new((turn, attempt): (Seq, u32), gate: Arc<Gate>, completion: AbortHandle) -> Self {
        let gauge = metrics::gauge!("onya_replies_in_progress");
        gauge.increment(1.0);
        Self { turn, attempt, gate, end: None, completion, gauge }
    }

    pub(crate) fn is(&self, turn: Seq, attempt: u32) -> bool {
        (self.turn, self.attempt) == (turn, attempt)
    }

    /// Notes how the model ended; the turn is not over before this is stored.
    pub(crate) fn ended(&mut self, end: ModelEnd) {
        self.end = Some(end);
    }

    /// How the attempt ended, with everything the model said; `None` while it goes on.
    pub(crate) fn ending(&self) -> Option<ReplyEnding> {
        let text = || self.gate.whole_text();
        self.end.as_ref().map(|end| match end.clone() {
            ModelEnd::Complete => ReplyEnding::Complete { text: text() },
            ModelEnd::AskForPerson { summary, priority } => ReplyEnding::Escalated { text: text(), summary, priority },
            ModelEnd::Failed(failure) => ReplyEnding::Failed { failure, text: text() },
        })
    }
}

impl Drop for LiveReply {
    fn drop(&mut self) {
        drop(self.gate.close());
        self.completion.abort();
        self.gauge.decrement(1.0);
    }
}
