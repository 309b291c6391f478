//! What counts as the end of a reply, and what a reply may consist of.

use onya_core::conversation::{Failure, Priority};
use serde_json::{Value, json};

use super::scripted::{Reaction, Step, chunk, done, finish, raw, reply, text};
use super::*;

fn stream(steps: Vec<Step>) -> Reaction {
    Reaction::Stream(steps)
}

async fn one(steps: Vec<Step>) -> (String, ModelEnd) {
    let answer = ask_with(Settings { max_attempts: 1, ..settings() }, [stream(steps)]).await;
    (answer.text, answer.end)
}

fn failed(text: &str, failure: Failure) -> (String, ModelEnd) {
    (text.to_owned(), ModelEnd::Failed(failure))
}

fn complete(text: &str) -> (String, ModelEnd) {
    (text.to_owned(), ModelEnd::Complete)
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_complete_with_a_finish_reason_and_never_without() {
    assert_eq!(one(vec![text("Hi "), text("there"), finish("stop"), done()]).await, complete("Hi there"));
    assert_eq!(one(vec![text("Hi"), finish("stop")]).await, complete("Hi"), "without [DONE]");
    assert_eq!(one(vec![text("Hi"), finish("eos"), done()]).await, complete("Hi"));
    assert_eq!(one(vec![text("Hi"), finish("stop"), Step::Break]).await, complete("Hi"), "reset after the last word");
    assert_eq!(one(vec![text("Hi"), finish(""), text("!"), finish("stop")]).await, complete("Hi!"));
    let unended = raw("data: {\"choices\":[{\"finish_reason\":\"stop\"}]}");
    assert_eq!(one(vec![text("Hi"), unended]).await, complete("Hi"), "without the last empty line");
    let slowly = vec![text("Hi"), finish(""), Step::Pause(9_000), text("!"), finish("stop"), done()];
    assert_eq!(one(slowly).await, complete("Hi!"), "an empty reason is none");
    assert_eq!(one(vec![text("Hi"), finish("stop"), raw("data: {oops}\n\n")]).await, complete("Hi"));
    assert_eq!(
        one(vec![text("Hi"), finish("stop"), text("!"), done()]).await,
        complete("Hi!"),
        "text after the reason"
    );

    assert_eq!(one(vec![text("Hi"), done()]).await, failed("Hi", Failure::ReplyCut));
    assert_eq!(one(vec![text("Hi")]).await, failed("Hi", Failure::ReplyCut));
    assert_eq!(one(vec![text("Hi"), finish(""), done()]).await, failed("Hi", Failure::ReplyCut));
    assert_eq!(one(vec![text("Hi"), Step::Break]).await, failed("Hi", Failure::ReplyCut));
    assert_eq!(one(vec![text("Hi"), raw("data: {\"choices\":[{\"fini")]).await, failed("Hi", Failure::ReplyCut));
    assert_eq!(one(vec![text("Hi"), finish("length"), done()]).await, failed("Hi", Failure::ReplyCut));
    assert_eq!(one(vec![text("Hi"), finish("abort"), done()]).await, failed("Hi", Failure::ReplyCut));
    assert_eq!(one(vec![text("Hi"), finish("tool_calls"), done()]).await, failed("Hi", Failure::ReplyCut));
    assert_eq!(one(vec![text("Hi"), finish("content_filter"), done()]).await, failed("Hi", Failure::ContentRefused));
    assert_eq!(one(vec![finish("stop"), done()]).await, failed("", Failure::ModelUnavailable), "nothing said");
    let refusal = chunk(&json!({ "choices": [{ "delta": { "refusal": "No." }, "finish_reason": "stop" }] }));
    assert_eq!(one(vec![refusal, done()]).await, failed("", Failure::ContentRefused));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_forgotten_is_not_waited_for() {
    let answer = ask([stream(vec![text("Hi"), finish("stop"), Step::Pause(9_000), text("late"), done()])]).await;
    assert_eq!((answer.text.as_str(), answer.end, answer.at_ms), ("Hi", ModelEnd::Complete, 250));
    let answer = ask([stream(vec![text("Hi"), finish("stop"), Step::Forever(": on\n\n", 20)])]).await;
    assert_eq!((answer.end, answer.at_ms), (ModelEnd::Complete, 250));
}

#[tokio::test(start_paused = true)]
async fn an_error_inside_a_successful_stream_is_a_failure() {
    let error = || chunk(&json!({ "error": { "code": 502, "message": "upstream gone" } }));
    assert_eq!(one(vec![text("Hi"), error(), finish("stop"), done()]).await, failed("Hi", Failure::ReplyCut));
    assert_eq!(
        one(vec![text("Hi"), raw("event: error\ndata: plain words\n\n")]).await,
        failed("Hi", Failure::ReplyCut)
    );
    assert_eq!(one(vec![text("Hi"), finish("stop"), error(), done()]).await, failed("Hi", Failure::ReplyCut));
    let filtered = chunk(&json!({ "error": { "code": "content_filter" } }));
    assert_eq!(one(vec![text("Hi"), filtered]).await, failed("Hi", Failure::ContentRefused));
    assert_eq!(
        one(vec![text("Hi"), raw("data: {oops}\n\n"), text("!"), finish("stop")]).await,
        failed("Hi", Failure::ReplyCut)
    );

    let answer = ask([stream(vec![error()]), reply("Better.")]).await;
    assert_eq!((answer.text.as_str(), answer.end), ("Better.", ModelEnd::Complete), "retried: nothing had been said");
}

#[tokio::test(start_paused = true)]
async fn quirks_of_the_wire_lose_no_text() {
    let crlf = "data: {\"choices\":[{\"delta\":{\"content\":\"c\"}}]}\r\n\r\n";
    let steps = vec![
        raw(": OPENROUTER PROCESSING\n\n"),
        raw("event: ping\ndata: {\"type\":\"ping\"}\n\n"),
        raw("data: : keepalive\n\n"),
        raw("data:\n\n"),
        chunk(&json!({ "choices": [], "prompt_filter_results": [{}] })),
        chunk(&json!({ "choices": [{ "delta": { "role": "assistant" } }] })),
        chunk(&json!({ "choices": [{ "delta": { "reasoning_content": "Hm." } }] })),
        raw("data:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"),
        raw("data: {\"choices\":[{\"delta\":{\"con"),
        raw("tent\":\"b\"},\"finish_reason\":null}],\"service_tier\":\"on_demand\"}\n"),
        raw("\n"),
        raw(crlf),
        Step::Bytes(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xf0\x9f".to_vec()),
        Step::Bytes(b"\xa6\x80\"}}]}\n\n".to_vec()),
        text("x\0y"),
        chunk(&json!({ "choices": [], "usage": {} })),
        finish("stop"),
        chunk(&json!({ "choices": [], "usage": { "prompt_tokens": 7 } })),
        raw("data: [DONE]"),
    ];
    assert_eq!(one(steps).await, complete("abc🦀xy"));
}

#[tokio::test(start_paused = true)]
async fn an_emoji_that_was_cut_in_two_halves_is_whole_again() {
    let half = |escape: &str| raw(&format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{escape}\"}}}}]}}\n\n"));
    assert_eq!(one(vec![half("a\\ud83e"), half("\\udd80b"), finish("stop")]).await, complete("a🦀b"));
    assert_eq!(one(vec![half("a\\ud83e"), finish("stop")]).await, complete("a\u{fffd}"));
    let broken = b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n".to_vec();
    assert_eq!(one(vec![text("a"), Step::Bytes(broken), finish("stop")]).await, failed("a", Failure::ReplyCut));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_bounded() {
    let kilobyte = "x".repeat(1_000);
    assert_eq!(
        one(vec![text(&kilobyte), text(&kilobyte), finish("stop")]).await,
        failed(&kilobyte, Failure::ReplyTooLong)
    );
    let endless =
        Step::Forever("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0);
    assert_eq!(one(vec![text("a"), raw("data: "), endless]).await, failed("a", Failure::ReplyCut));
}

fn call(id: Value, arguments: &str) -> Step {
    let function = json!({ "name": "request_human", "arguments": arguments });
    chunk(&json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 0, "id": id, "function": function }] } }] }))
}

#[tokio::test(start_paused = true)]
async fn a_call_of_the_tool_asks_for_a_person_once_it_is_whole() {
    let person = |text: &str, summary: Option<&str>, priority| {
        (text.to_owned(), ModelEnd::AskForPerson { summary: summary.map(str::to_owned), priority })
    };
    let (head, tail) = ("{\"summary\":\"Wants a re", "fund.\",\"priority\":\"high\"}");
    for reason in ["tool_calls", "stop"] {
        let steps = vec![text("One moment."), call(json!("a"), head), call(Value::Null, tail), finish(reason), done()];
        assert_eq!(one(steps).await, person("One moment.", Some("Wants a refund."), Priority::High));
    }
    assert_eq!(one(vec![call(json!("a"), ""), finish("tool_calls")]).await, person("", None, Priority::Normal));

    for steps in [
        vec![call(json!("a"), head), finish("tool_calls"), done()],
        vec![call(json!("a"), head), done()],
        vec![call(json!("a"), "{}"), Step::Break],
        vec![call(json!("a"), "{}"), finish("length")],
        vec![call(json!("a"), "{}"), call(json!("b"), "{"), finish("tool_calls")],
    ] {
        let answer = ask([stream(steps), reply("never asked")]).await;
        assert_eq!((answer.text.as_str(), answer.end), ("", ModelEnd::Failed(Failure::ReplyCut)));
    }
}
