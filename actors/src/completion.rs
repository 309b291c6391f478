//! One call of the model: a task that passes its text through the gate and reports its end to the conversation.
//!
//! The first text goes out at once; what follows within the window is collected and sent together. The task is bounded
//! by the longest reply accepted. Whatever happens to it, the conversation hears of an end, unless it called it off.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use onya_core::Seq;
use onya_core::conversation::Failure;
use ractor::ActorRef;
use tokio::time::{Instant, sleep_until};

use crate::conversation::{Gate, Message};
use crate::ports::{Model, ModelEnd, ModelEvent, Question};

/// Where a completion reports to, and its bounds.
pub(crate) struct Completion {
    pub(crate) conversation: ActorRef<Message>,
    pub(crate) turn: Seq,
    pub(crate) attempt: u32,
    pub(crate) gate: Arc<Gate>,
    pub(crate) window: Duration,
    pub(crate) max_bytes: usize,
    pub(crate) reported: bool,
}

impl Completion {
    /// Asks the model and reports until it ends.
    pub(crate) async fn run(mut self, model: &dyn Model, question: Question) {
        let mut events = model.ask(question);
        let mut collected = String::new();
        let mut total_bytes = 0;
        let mut window_ends = Instant::now();
        loop {
            tokio::select! {
                biased;
                // Armed only while something waits: at the pace of most models nothing does.
                () = sleep_until(window_ends), if !collected.is_empty() => {
                    self.send_text(&mut collected);
                    window_ends = Instant::now() + self.window;
                }
                event = events.next() => match event {
                    Some(ModelEvent::Text(text)) => {
                        total_bytes += text.len();
                        if total_bytes > self.max_bytes {
                            self.send_text(&mut collected);
                            return self.send_end(ModelEnd::Failed(Failure::ReplyTooLong));
                        }
                        collected.push_str(&text);
                        let now = Instant::now();
                        if now >= window_ends {
                            self.send_text(&mut collected);
                            window_ends = now + self.window;
                        }
                    }
                    Some(ModelEvent::End(end)) => {
                        self.send_text(&mut collected);
                        return self.send_end(end);
                    }
                    None => {
                        self.send_text(&mut collected);
                        return self.send_end(ModelEnd::Failed(Failure::ReplyCut));
                    }
                },
            }
        }
    }

    fn send_text(&self, collected: &mut String) {
        if !collected.is_empty() {
            self.gate.pass(std::mem::take(collected));
        }
    }

    fn send_end(&mut self, end: ModelEnd) {
        self.reported = true;
        let _ = self.conversation.cast(Message::ReplyEnded { turn: self.turn, attempt: self.attempt, end });
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if !self.reported {
            self.send_end(ModelEnd::Failed(Failure::ReplyCut));
        }
    }
}
