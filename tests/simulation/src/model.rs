//! A model that says the same to the same question in the same seed.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use onya_actors::ports::{Model, ModelEnd, ModelEvent, Question, Random as _};
use onya_actors::testing::SeededRandom;
use onya_core::conversation::{Failure, Priority};

/// The model of one seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeededModel(pub(crate) u64);

impl Model for SeededModel {
    fn ask(&self, question: Question) -> BoxStream<'static, ModelEvent> {
        let (turn, attempt) = question.turn;
        let conversation = question.conversation.0.as_u64_pair();
        let random =
            SeededRandom::new(self.0 ^ conversation.0 ^ conversation.1 ^ turn << 32 ^ u64::from(attempt) << 56);
        let pieces = random.below(16);
        futures::stream::unfold(Some((random, pieces)), |rest| async move {
            let (random, pieces) = rest?;
            tokio::time::sleep(Duration::from_millis(10 + random.below(400))).await;
            if pieces > 0 {
                let piece = format!("wört{} ", random.below(1_000));
                return Some((ModelEvent::Text(piece), Some((random, pieces - 1))));
            }
            match random.below(20) {
                0 => Some((ModelEvent::End(ModelEnd::Failed(Failure::ReplyCut)), None)),
                1 => Some((ModelEvent::End(ModelEnd::Failed(Failure::ModelUnavailable)), None)),
                2 => {
                    let end = ModelEnd::AskForPerson { summary: None, priority: Priority::Normal };
                    Some((ModelEvent::End(end), None))
                }
                // It never ends: the turn's time runs out.
                3 => std::future::pending().await,
                _ => Some((ModelEvent::End(ModelEnd::Complete), None)),
            }
        })
        .boxed()
    }
}
