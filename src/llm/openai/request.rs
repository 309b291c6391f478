//! What is asked: the prompt as a chat, streamed, with the one tool.

use bytes::Bytes;
use onya_actors::ports::Question;
use onya_core::conversation::Speaker;
use serde::Serialize;
use serde_json::Value;

use crate::llm::settings::Settings;
use crate::llm::tool;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    tools: [Value; 1],
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

/// The body of the request.
pub(super) fn body(settings: &Settings, question: &Question) -> Bytes {
    let system = Message { role: "system", content: &settings.system_prompt };
    let said = question.prompt.messages.iter().map(|message| Message {
        role: match message.speaker {
            Speaker::System => "system",
            Speaker::Customer => "user",
            Speaker::Assistant => "assistant",
        },
        content: &message.text,
    });
    let request = Request {
        model: &settings.model,
        messages: std::iter::once(system).filter(|system| !system.content.is_empty()).chain(said).collect(),
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        tools: [tool::definition()],
    };
    // Strings, booleans and a fixed tool: there is nothing that JSON cannot say.
    serde_json::to_vec(&request).map(Bytes::from).unwrap_or_default()
}
