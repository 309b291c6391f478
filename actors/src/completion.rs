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
            // A timer only while something waits: at the pace of most models nothing does.
            let event = if collected.is_empty() {
                events.next().await
            } else {
                tokio::select! {
                    biased;
                    () = sleep_until(window_ends) => {
                        self.send_text(&mut collected);
                        window_ends = Instant::now() + self.window;
                        continue;
                    }
                    event = events.next() => event,
                }
            };
            let end = match event {
                Some(ModelEvent::Text(text)) if total_bytes + text.len() <= self.max_bytes => {
                    total_bytes += text.len();
                    collect(&mut collected, text);
                    let now = Instant::now();
                    if now >= window_ends {
                        self.send_text(&mut collected);
                        window_ends = now + self.window;
                    }
                    continue;
                }
                Some(ModelEvent::Text(_)) => ModelEnd::Failed(Failure::ReplyTooLong),
                Some(ModelEvent::End(end)) => end,
                None => ModelEnd::Failed(Failure::ReplyCut),
            };
            self.send_text(&mut collected);
            return self.send_end(end);
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

fn collect(collected: &mut String, text: String) {
    if collected.is_empty() {
        *collected = text;
    } else {
        collected.push_str(&text);
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if !self.reported {
            self.send_end(ModelEnd::Failed(Failure::ReplyCut));
        }
    }
}
