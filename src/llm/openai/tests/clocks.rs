//! The clocks, the slots, and calling an answer off.

use std::time::Duration;

use onya_core::conversation::Failure;
use tokio::time::{advance, sleep};

use super::scripted::{Reaction, Step, done, finish, raw, reply, text};
use super::*;

const TIMED_OUT: ModelEnd = ModelEnd::Failed(Failure::TimedOut);
const COMMENT: Step = Step::Forever(": still here\n\n", 1_000);
const ROLE: Step =
    Step::Forever("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n", 1_000);
const REASONING: Step = Step::Forever("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n", 1_000);
const FLOOD: Step = Step::Forever(": !\n\n", 0);

#[tokio::test(start_paused = true)]
async fn the_first_content_has_its_own_clock_that_only_content_stops() {
    for reaction in [
        Reaction::Silent,
        Reaction::Stream(vec![Step::Pause(999_999)]),
        Reaction::Stream(vec![COMMENT]),
        Reaction::Stream(vec![ROLE]),
        Reaction::Stream(vec![REASONING]),
    ] {
        let answer = ask([reaction.clone(), reply("never asked")]).await;
        let expected = Answer { text: String::new(), end: TIMED_OUT, at_ms: 20_000, calls_ms: vec![0] };
        assert_eq!(answer, expected, "{reaction:?}");
    }
    let late = Reaction::Stream(vec![Step::Pause(19_999), text("Late"), finish("stop")]);
    assert_eq!(ask([late]).await.end, ModelEnd::Complete);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_clock_for_the_first_content() {
    let slow_to_fail = || Reaction::Stream(vec![Step::Pause(15_000), Step::Break]);
    let late = Reaction::Stream(vec![Step::Pause(15_000), text("Late"), finish("stop")]);
    let answer = ask([slow_to_fail(), slow_to_fail(), late]).await;
    assert_eq!((answer.end, answer.at_ms), (ModelEnd::Complete, 45_750));
}

#[tokio::test(start_paused = true)]
async fn a_pause_between_contents_is_bounded_and_comments_do_not_shorten_it() {
    for silence in [Step::Pause(999_999), COMMENT, ROLE, REASONING] {
        let answer = ask([Reaction::Stream(vec![text("Hel"), silence.clone()]), reply("never asked")]).await;
        let expected = Answer { text: "Hel".to_owned(), end: TIMED_OUT, at_ms: 10_000, calls_ms: vec![0] };
        assert_eq!(answer, expected, "{silence:?}");
    }
    let steady = vec![text("a"), Step::Pause(9_999), text("b"), Step::Pause(9_999), text("c"), finish("stop")];
    assert_eq!(ask([Reaction::Stream(steady)]).await.end, ModelEnd::Complete);
}

#[tokio::test(start_paused = true)]
async fn the_whole_answer_is_bounded_however_steadily_it_drips() {
    let drip = Step::Forever("data: {\"choices\":[{\"delta\":{\"content\":\".\"}}]}\n\n", 9_000);
    let answer = ask([Reaction::Stream(vec![drip])]).await;
    assert_eq!((answer.text.as_str(), answer.end, answer.at_ms), ("......", TIMED_OUT, 60_000));
}

#[tokio::test]
async fn a_flood_of_comments_cannot_outrun_the_clock() {
    let mut settings = settings();
    settings.clocks.first_content_ms = 30;
    assert_eq!(ask_with(settings.clone(), [Reaction::Stream(vec![FLOOD])]).await.end, TIMED_OUT);
    let finished = Reaction::Stream(vec![text("Hi"), finish("stop"), FLOOD]);
    assert_eq!(ask_with(settings, [finished]).await.end, ModelEnd::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_slow_does_not_run_out_the_providers_clock() {
    let upstream = Scripted::new([Reaction::Stream(vec![text("a"), text("b"), text("c"), finish("stop"), done()])]);
    let model = OpenAi::over(Box::new(upstream), settings(), Arc::new(FixedClock), Arc::new(Largest));
    let mut events = Vec::new();
    let mut stream = model.ask(question());
    while let Some(event) = stream.next().await {
        events.push(event);
        sleep(Duration::from_secs(12)).await;
    }
    assert_eq!(events.last(), Some(&ModelEvent::End(ModelEnd::Complete)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_slot_is_bounded_and_a_dropped_answer_frees_its_slot() {
    let upstream = Scripted::new([Reaction::Silent, reply("Free again.")]);
    let settings = Settings { max_concurrency: 1, ..settings() };
    let model = OpenAi::over(Box::new(upstream), settings, Arc::new(FixedClock), Arc::new(Largest));
    let mut first = model.ask(question());
    assert!(futures::poll!(first.next()).is_pending());

    let begin = Instant::now();
    assert_eq!(listen(&model).await.1, ModelEnd::Failed(Failure::ModelUnavailable));
    assert_eq!(begin.elapsed().as_millis(), 5_000);

    let mut waiting = model.ask(question());
    assert!(futures::poll!(waiting.next()).is_pending());
    drop(first);
    assert_eq!(waiting.next().await, Some(ModelEvent::Text("Free again.".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_stream_calls_the_upstream_off_in_every_phase() {
    let refused = || Reaction::Refused(503, Vec::new(), "no");
    let phases = [
        ("before headers", vec![Reaction::Silent], 0),
        ("before content", vec![Reaction::Stream(vec![raw(": hi\n\n"), Step::Pause(99_999)])], 0),
        ("in back-off", vec![refused(), reply("never asked")], 0),
        ("mid-stream", vec![Reaction::Stream(vec![text("a"), Step::Pause(99_999)])], 1),
        ("unread", vec![Reaction::Stream(vec![text("a"), text("b"), text("c"), text("d")])], 1),
    ];
    for (phase, reactions, texts) in phases {
        let upstream = Scripted::new(reactions);
        let (open, calls) = (upstream.open(), upstream.calls());
        let model = OpenAi::over(Box::new(upstream), settings(), Arc::new(FixedClock), Arc::new(Largest));
        let mut stream = model.ask(question());
        for _ in 0..texts {
            assert!(matches!(stream.next().await, Some(ModelEvent::Text(_))), "{phase}");
        }
        assert!(phase == "unread" || futures::poll!(stream.next()).is_pending(), "{phase}");
        assert!(phase == "in back-off" || Arc::strong_count(&open) == 3, "{phase}: in progress");
        drop(stream);
        assert_eq!(Arc::strong_count(&open), 2, "{phase}: dropped");
        advance(Duration::from_secs(99)).await;
        assert_eq!(calls.lock().unwrap().len(), 1, "{phase}: never called again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_never_polled_asks_nobody() {
    let upstream = Scripted::new([reply("never asked")]);
    let calls = upstream.calls();
    let model = OpenAi::over(Box::new(upstream), settings(), Arc::new(FixedClock), Arc::new(Largest));
    drop(model.ask(question()));
    assert!(calls.lock().unwrap().is_empty());
}
