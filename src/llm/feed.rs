//! A stream written as straight-line code: the code runs only while the stream is polled and is dropped with it, so
//! calling an answer off needs no signal, no task and no cleanup.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use onya_actors::ports::{ModelEnd, ModelEvent};
use pin_project_lite::pin_project;

thread_local! {
    /// The piece on its way from the code to the stream that is polling it on this thread. Empty between two polls: a place
    /// of its own for each answer would be one more piece of memory to fetch for every token.
    static PIECE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Where an answer's text goes: to the stream that polls the code. Only for code that runs in that poll.
pub(super) struct Texts(());

impl Texts {
    /// Hands over a piece of text and waits until it is taken; an empty piece is not sent.
    pub(super) async fn send(&self, text: String) {
        if text.is_empty() {
            return;
        }
        PIECE.set(Some(text));
        let mut taken = false;
        // No waker: whoever takes the text polls this code again.
        poll_fn(|_| if std::mem::replace(&mut taken, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

/// The stream of what `work` sends and then its end, exactly once.
pub(super) fn answer<W, F>(work: W) -> BoxStream<'static, ModelEvent>
where
    W: FnOnce(Texts) -> F,
    F: Future<Output = ModelEnd> + Send + 'static,
{
    Feed { work: Some(work(Texts(()))), end: None }.boxed()
}

pin_project! {
    struct Feed<F> {
        #[pin]
        work: Option<F>,
        end: Option<ModelEnd>,
    }
}

impl<F: Future<Output = ModelEnd>> Stream for Feed<F> {
    type Item = ModelEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ModelEvent>> {
        // What code left behind that panicked is nobody's.
        PIECE.set(None);
        let mut feed = self.project();
        if let Some(work) = feed.work.as_mut().as_pin_mut()
            && let Poll::Ready(end) = work.poll(context)
        {
            feed.work.set(None);
            *feed.end = Some(end);
        }
        if let Some(text) = PIECE.take() {
            return Poll::Ready(Some(ModelEvent::Text(text)));
        }
        if feed.work.is_some() { Poll::Pending } else { Poll::Ready(feed.end.take().map(ModelEvent::End)) }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::sync::Arc;

    use futures::FutureExt as _;

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

    #[tokio::test]
    async fn a_piece_of_an_answer_that_panicked_is_not_said_by_another() {
        let mut broken = answer(|texts| async move {
            futures::join!(texts.send("lost".to_owned()), async { panic!("planted") });
            ModelEnd::Complete
        });
        assert!(std::panic::catch_unwind(AssertUnwindSafe(|| broken.next().now_or_never())).is_err());
        let whole = answer(|_| async { ModelEnd::Complete });
        assert_eq!(whole.collect::<Vec<_>>().await, [ModelEvent::End(ModelEnd::Complete)]);
    }
}
