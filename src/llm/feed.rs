//! A stream written as straight-line code: the code runs only while the stream is polled and is dropped with it, so
//! calling an answer off needs no signal, no task and no cleanup.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use onya_actors::ports::{ModelEnd, ModelEvent};

/// Where an answer's text goes: a place for one piece, shared by the code and the stream that polls it.
pub(super) struct Texts(Place);

type Place = Arc<Mutex<Option<String>>>;

impl Texts {
    /// Hands over a piece of text and waits until it is taken; an empty piece is not sent.
    pub(super) async fn send(&self, text: String) {
        if text.is_empty() {
            return;
        }
        *lock(&self.0) = Some(text);
        // No waker: whoever takes the text polls this code again.
        poll_fn(|_| if lock(&self.0).is_none() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

fn lock(place: &Place) -> MutexGuard<'_, Option<String>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The stream of what `work` sends and then its end, exactly once.
pub(super) fn answer<W, F>(work: W) -> BoxStream<'static, ModelEvent>
where
    W: FnOnce(Texts) -> F,
    F: Future<Output = ModelEnd> + Send + 'static,
{
    let place = Place::default();
    let mut feed = Feed { work: Some(Box::pin(work(Texts(Arc::clone(&place))))), place, end: None };
    stream::poll_fn(move |context| feed.poll(context)).boxed()
}

struct Feed<F> {
    work: Option<Pin<Box<F>>>,
    place: Place,
    end: Option<ModelEnd>,
}

impl<F: Future<Output = ModelEnd>> Feed<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<ModelEvent>> {
        if let Some(work) = self.work.as_mut()
            && let Poll::Ready(end) = work.as_mut().poll(context)
        {
            self.work = None;
            self.end = Some(end);
        }
        if let Some(text) = lock(&self.place).take() {
            return Poll::Ready(Some(ModelEvent::Text(text)));
        }
        if self.work.is_some() { Poll::Pending } else { Poll::Ready(self.end.take().map(ModelEvent::End)) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn text_comes_in_order_then_one_end_then_nothing() {
        let stream = answer(|texts| async move {
            for text in ["a", "", "b", "c"] {
                texts.send(text.to_owned()).await;
            }
            ModelEnd::Complete
        });
        let text = |text: &str| ModelEvent::Text(text.to_owned());
        assert_eq!(
            stream.collect::<Vec<_>>().await,
            [text("a"), text("b"), text("c"), ModelEvent::End(ModelEnd::Complete)]
        );
    }

    #[tokio::test]
    async fn work_runs_ahead_of_a_reader_by_one_piece_and_dies_with_the_stream() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let (progress, sent) = std::sync::mpsc::channel();
        let mut stream = answer(|texts| async move {
            let _held = held;
            for number in 0..1000 {
                texts.send(number.to_string()).await;
                progress.send(number).unwrap();
            }
            ModelEnd::Complete
        });
        assert_eq!(stream.next().await, Some(ModelEvent::Text("0".to_owned())));
        assert!(sent.try_iter().count() <= 1, "the reader has taken one piece");
        drop(stream);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
