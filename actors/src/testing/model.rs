//! A model that says what a script says, when the script lets it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;

use crate::ports::{Model, ModelEnd, ModelEvent, Question};

/// One step of an answer.
#[derive(Clone, Debug)]
pub enum Line {
    /// Say this.
    Say(String),
    /// End so.
    End(ModelEnd),
}

/// Answers under the control of a test: each question waits for lines that the test sends.
#[derive(Debug, Default)]
pub struct ScriptedModel {
    inner: Mutex<Inner>,
    asked: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct Inner {
    questions: VecDeque<Asked>,
}

/// A question, and the way to answer it.
#[derive(Debug)]
pub struct Asked {
    /// What was asked.
    pub question: Question,
    lines: mpsc::UnboundedSender<Line>,
}

impl Asked {
    /// Says more.
    pub fn say(&self, text: &str) {
        // A question that was called off hears nothing.
        let _ = self.lines.send(Line::Say(text.to_owned()));
    }

    /// Ends the answer.
    pub fn end(&self, end: ModelEnd) {
        let _ = self.lines.send(Line::End(end));
    }

    /// Resolves when the question is called off, or its answer has been read to its end.
    pub async fn called_off(&self) {
        self.lines.closed().await;
    }
}

impl ScriptedModel {
    /// The next question, when it is asked.
    pub async fn asked(&self) -> Asked {
        loop {
            let notified = self.asked.notified();
            if let Some(asked) = self.lock().questions.pop_front() {
                return asked;
            }
            notified.await;
        }
    }

    /// Whether a question waits.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        !self.lock().questions.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model for ScriptedModel {
    fn ask(&self, question: Question) -> BoxStream<'static, ModelEvent> {
        let (lines, script) = mpsc::unbounded_channel();
        self.lock().questions.push_back(Asked { question, lines });
        self.asked.notify_one();
        futures::stream::unfold(Some(script), |script| async move {
            let mut script = script?;
            match script.recv().await? {
                Line::Say(text) => Some((ModelEvent::Text(text), Some(script))),
                Line::End(end) => Some((ModelEvent::End(end), None)),
            }
        })
        .boxed()
    }
}

impl Model for Arc<ScriptedModel> {
    fn ask(&self, question: Question) -> BoxStream<'static, ModelEvent> {
        self.as_ref().ask(question)
    }
}
