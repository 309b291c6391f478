//! A reply as it comes together: what may be shown of it, and what its end is worth.

use onya_actors::ports::ModelEnd;

use super::calls::Calls;
use super::chunk::{Chunk, Delta};
use super::fault::Fault;
use super::text::Joiner;
use crate::llm::feed::Texts;

/// The reply of one attempt.
#[derive(Debug)]
pub(super) struct Reply {
    bytes_left: usize,
    joiner: Joiner,
    calls: Calls,
    has_text: bool,
    refused: bool,
    finish: Option<Finish>,
}

/// What a chunk brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Text to show, maybe none.
    pub text: String,
    /// Whether there was content: it moves the clocks.
    pub content: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    Complete,
    ToolCalls,
    Length,
    Refused,
    Unknown,
}

impl Finish {
    /// A reason that is not known to mean completeness does not mean it: providers also say `abort`, `error` or
    /// `insufficient_system_resource` here.
    fn read(reason: &str) -> Self {
        match reason.to_ascii_lowercase().as_str() {
            "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" => Self::Complete,
            "tool_calls" | "tool_use" => Self::ToolCalls,
            "length" | "max_tokens" | "model_length" => Self::Length,
            "content_filter" | "safety" | "refusal" => Self::Refused,
            _ => Self::Unknown,
        }
    }
}

impl Reply {
    /// A reply of at most so many bytes.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            bytes_left: max_bytes,
            joiner: Joiner::default(),
            calls: Calls::default(),
            has_text: false,
            refused: false,
            finish: None,
        }
    }

    /// Whether text or a piece of a tool call has come: from then on nothing is tried again.
    pub(super) fn has_content(&self) -> bool {
        self.has_text || !self.calls.is_empty()
    }

    /// Whether the provider has said that the reply is over.
    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes the next chunk.
    pub(super) fn hear(&mut self, chunk: Chunk) -> Result<Heard, Fault> {
        let Some(choice) = chunk.into_choice() else { return Ok(Heard::default()) };
        let heard = choice.delta.map_or(Ok(Heard::default()), |delta| self.hear_delta(delta))?;
        // Some servers send an empty reason with every chunk.
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish = Some(Finish::read(&reason));
        }
        Ok(heard)
    }

    fn hear_delta(&mut self, delta: Delta) -> Result<Heard, Fault> {
        let mut heard = Heard::default();
        if let Some(text) = delta.content.filter(|text| !text.0.is_empty()) {
            self.spend(text.0.len())?;
            heard.text = self.joiner.join(text.0).map_err(|_| Fault::malformed())?;
            heard.content = true;
            self.has_text = true;
        }
        for piece in delta.tool_calls.unwrap_or_default() {
            let bytes = self.calls.add(piece).map_err(|_| Fault::bad_tool_call())?;
            self.spend(bytes)?;
            heard.content = true;
        }
        self.refused |= delta.refusal.is_some_and(|refusal| !refusal.is_empty());
        Ok(heard)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(Fault::too_long)?;
        Ok(())
    }

    /// What the reply is worth now that nothing more comes.
    pub(super) async fn end(&mut self, texts: &Texts) -> Result<ModelEnd, Fault> {
        texts.send(self.joiner.finish().unwrap_or_default()).await;
        match self.finish {
            None if self.has_content() => Err(Fault::cut()),
            None => Err(Fault::empty()),
            Some(Finish::Refused) => Err(Fault::content_refused()),
            Some(_) if self.refused => Err(Fault::content_refused()),
            Some(Finish::Length) => Err(Fault::length()),
            Some(Finish::Unknown) => Err(Fault::cut()),
            Some(Finish::Complete | Finish::ToolCalls) if !self.calls.is_empty() => {
                let request = self.calls.finish().map_err(|_| Fault::bad_tool_call())?;
                Ok(ModelEnd::AskForPerson { summary: request.summary, priority: request.priority })
            }
            Some(Finish::ToolCalls) => Err(Fault::cut()),
            Some(Finish::Complete) if self.has_text => Ok(ModelEnd::Complete),
            Some(Finish::Complete) => Err(Fault::empty()),
        }
    }
}
