//! One answer: a slot, then attempts until one of them decides.

use std::sync::Arc;

use onya_actors::ports::{Clock, ModelEnd, Question, Random};
use onya_core::conversation::Failure;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout_at};

use super::attempt::Attempt;
use super::fault::Fault;
use super::request;
use super::retry;
use super::upstream::{Call, Upstream};
use crate::llm::deadlines::Deadlines;
use crate::llm::feed::Texts;
use crate::llm::settings::Settings;

/// What all answers of a provider share.
pub(super) struct Desk {
    pub upstream: Box<dyn Upstream>,
    pub slots: Semaphore,
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

/// Answers a question: the text goes to `texts`, the end is returned. No more than one attempt is ever heard.
pub(super) async fn answer(desk: &Desk, question: &Question, texts: &Texts) -> ModelEnd {
    let mut deadlines = Deadlines::start(desk.settings.clocks);
    let Ok(Ok(_slot)) = timeout_at(deadlines.slot(), desk.slots.acquire()).await else {
        metrics::counter!("onya_llm_attempts_total", "provider" => "openai", "outcome" => "no_slot").increment(1);
        tracing::warn!(turn = question.turn.0, "no free slot at the model provider");
        return ModelEnd::Failed(Failure::ModelUnavailable);
    };
    let call = Call { body: request::body(&desk.settings, question), traceparent: question.traceparent.clone() };
    let mut number = 1;
    loop {
        deadlines.attempt_begins();
        let fault = match Attempt::begin(desk, &call).run(texts, &mut deadlines).await {
            Ok(end) => return end,
            Err(fault) => fault,
        };
        log(question, number, &fault);
        match retry::wait(desk, number, &fault, deadlines.left()) {
            Some(wait) => sleep(wait).await,
            None => return ModelEnd::Failed(fault.failure),
        }
        number += 1;
    }
}

fn log(question: &Question, attempt: u32, fault: &Fault) {
    tracing::warn!(
        conversation = %question.conversation,
        turn = question.turn.0,
        attempt,
        outcome = fault.outcome,
        status = fault.status,
        code = fault.code.as_deref(),
        "attempt at the model failed"
    );
}
