//! What a fault of the provider does to a turn: attempts, waits between them, and the end.

use onya_core::conversation::Failure;

use super::scripted::{Reaction, Step, done, finish, raw, reply, text};
use super::*;

fn refused(status: u16, headers: &[(&'static str, &'static str)]) -> Reaction {
    Reaction::Refused(status, headers.to_vec(), "no")
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_until_something_has_been_said() {
    let empty = || Reaction::Stream(Vec::new());
    for fault in [
        Reaction::Unreachable,
        refused(429, &[]),
        refused(500, &[]),
        refused(503, &[]),
        empty(),
        Reaction::Stream(vec![Step::Break]),
        Reaction::Stream(vec![raw("data: {oops}\n\n")]),
        Reaction::Stream(vec![finish("stop"), done()]),
        Reaction::Stream(vec![raw(
            ": hello\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        )]),
    ] {
        let answer = ask([fault.clone(), fault.clone(), reply("Here I am.")]).await;
        assert_eq!((answer.text.as_str(), &answer.end), ("Here I am.", &ModelEnd::Complete), "{fault:?}");
        assert_eq!(answer.calls_ms, [0, 250, 750], "{fault:?}");

        let answer = ask([fault.clone(), fault.clone(), fault.clone(), reply("too late")]).await;
        assert_eq!(answer.end, ModelEnd::Failed(Failure::ModelUnavailable), "{fault:?}");
        assert_eq!((answer.calls_ms.len(), answer.text.as_str()), (3, ""), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_would_happen_again_is_not_tried_again() {
    for status in [400, 401, 403, 404, 302] {
        let answer = ask([refused(status, &[]), reply("never asked")]).await;
        assert_eq!((answer.calls_ms.len(), answer.end), (1, ModelEnd::Failed(Failure::ModelUnavailable)), "{status}");
    }
    let filtered = Reaction::Refused(400, Vec::new(), r#"{"error":{"code":"content_filter","message":"x"}}"#);
    let answer = ask([filtered, reply("never asked")]).await;
    assert_eq!((answer.calls_ms.len(), answer.end), (1, ModelEnd::Failed(Failure::ContentRefused)));
}

#[tokio::test(start_paused = true)]
async fn after_the_first_content_nothing_is_tried_again() {
    for fault in [Step::Break, raw("data: {oops}\n\n"), raw("data: {\"error\":{\"code\":503}}\n\n"), done()] {
        let answer = ask([Reaction::Stream(vec![text("Hel"), fault.clone()]), reply("never asked")]).await;
        assert_eq!((answer.text.as_str(), &answer.end), ("Hel", &ModelEnd::Failed(Failure::ReplyCut)), "{fault:?}");
        assert_eq!(answer.calls_ms, [0], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_asks_for_a_pause_gets_it_within_reason() {
    let spread = 250;
    for (header, value, next_ms) in [
        ("retry-after", "2", Some(2_000 + spread)),
        ("retry-after-ms", "1500", Some(1_500 + spread)),
        ("retry-after", "Sun, 01 Mar 2026 12:00:04 GMT", Some(4_000 + spread)),
        ("retry-after", "45", Some(30_000 + spread)),
        ("retry-after", "soon", Some(250)),
        ("retry-after", "60", None),
        ("retry-after", "3600", None),
    ] {
        let answer = ask([refused(429, &[(header, value)]), reply("Thanks.")]).await;
        match next_ms {
            Some(ms) => assert_eq!((answer.calls_ms, answer.end), (vec![0, ms], ModelEnd::Complete), "{value}"),
            None => {
                assert_eq!(answer.end, ModelEnd::Failed(Failure::ModelUnavailable), "{value}");
                assert_eq!((answer.calls_ms, answer.at_ms), (vec![0], 0), "{value}: fails at once");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn at_least_one_attempt_is_made() {
    let settings = Settings { max_attempts: 0, ..settings() };
    let answer = ask_with(settings, [refused(500, &[]), reply("never asked")]).await;
    assert_eq!((answer.calls_ms.len(), answer.end), (1, ModelEnd::Failed(Failure::ModelUnavailable)));
}
