//! Who writes the assistant's replies: adapters behind the port [`Model`].
//!
//! [`openai`] talks to any server with OpenAI's chat completions, [`mock`] needs nothing and says that it is a mock.
//! Both keep the same promises. A stream of text ends with exactly one end; text that was cut short is never called
//! complete; dropping the stream calls the model off at whatever point it is; four [`Clocks`](settings::Clocks) bound
//! how long anything may take, and a limit in bytes bounds how much comes.
//!
//! What is not here: what becomes of an answer (the conversation's actor), what the model is shown (`onya_core`'s
//! prompt), and when a person is brought in. Nothing in this module logs a message, a reply or a key.
//!
//! Read next: [`settings`], then `openai/answer.rs` for the life of one answer, and docs/LLM.md.

mod deadlines;
mod feed;
pub mod mock;
pub mod openai;
pub mod settings;
mod tool;

use std::sync::Arc;

use onya_actors::ports::{Clock, Model, Random};

pub use settings::Settings;

/// Builds the model that the settings name. The clock reads dates that a provider sends, the randomness spreads
/// retries.
///
/// # Errors
///
/// [`openai::BuildError`] if the address or the key cannot be used, or TLS cannot be set up.
pub fn build(
    settings: Settings,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Arc<dyn Model>, openai::BuildError> {
    Ok(match settings.provider {
        settings::Provider::Mock => Arc::new(mock::Mock::new(settings)),
        settings::Provider::OpenAi => Arc::new(openai::OpenAi::new(settings, clock, random)?),
    })
}
