//! The same over real sockets: what only a connection can show.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use onya_core::conversation::Failure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::*;

/// How long a test waits for what has to happen before it calls it missing.
const PATIENCE: Duration = Duration::from_secs(20);
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("did not happen: {what}"))
}

/// A listener, and the adapter that calls it.
async fn upstream(change: impl FnOnce(&mut Settings)) -> (TcpListener, OpenAi) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings();
    settings.base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    change(&mut settings);
    let model = OpenAi::new(settings, Arc::new(FixedClock), Arc::new(Largest)).unwrap();
    (listener, model)
}

/// Reads one request, head and body; `None` if the connection ends first.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return Some(text);
            }
        }
    }
}

fn chunked(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

async fn closed(socket: &mut TcpStream) {
    let mut bytes = [0; 64];
    while !matches!(socket.read(&mut bytes).await, Ok(0) | Err(_)) {}
}

#[tokio::test]
async fn a_request_is_what_a_provider_expects() {
    let (listener, model) = upstream(|settings| settings.api_key = Some("sk-test".into())).await;
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let request = request(&mut socket).await.unwrap();
        socket
            .write_all(format!("{HEAD}{}0\r\n\r\n", chunked(&format!("{TEXT}{FINISH}{DONE}"))).as_bytes())
            .await
            .unwrap();
        request
    };
    let (request, answer) = within("an answer", async { tokio::join!(serve, listen(&model)) }).await;
    assert_eq!(answer, ("Hi".to_owned(), ModelEnd::Complete));
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head: Vec<&str> = head.lines().collect();
    assert_eq!(head[0], "POST /v1/chat/completions HTTP/1.1");
    for line in [
        "authorization: Bearer sk-test",
        "content-type: application/json",
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        assert!(head.contains(&line), "{line} in {head:?}");
    }
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["model"], "test-model");
    assert_eq!(body["stream"], true);
    assert_eq!(body["stream_options"]["include_usage"], true);
    assert_eq!(body["tools"][0]["function"]["name"], "request_human");
    let messages: Vec<_> =
        body["messages"].as_array().unwrap().iter().map(|it| (&it["role"], &it["content"])).collect();
    let roles: Vec<_> = messages.iter().map(|(role, _)| role.as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "system", "user"]);
    assert_eq!((messages[0].1, messages[4].1), (&"Be brief.".into(), &"Where is my order?".into()));
}

#[tokio::test]
async fn a_dropped_answer_closes_the_connection_before_headers_before_content_and_mid_stream() {
    let before_content = format!("{HEAD}{}", chunked(": hello\n\n"));
    let mid_stream = format!("{HEAD}{}", chunked(TEXT));
    for sent in ["", before_content.as_str(), mid_stream.as_str()] {
        let (listener, model) = upstream(|_| {}).await;
        let mut stream = model.ask(question());
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            request(&mut socket).await.unwrap();
            socket.write_all(sent.as_bytes()).await.unwrap();
            socket
        };
        // Polls the answer until the upstream has the request and has sent what it has to send.
        let mut socket = within("a request", async {
            tokio::pin!(serve);
            loop {
                tokio::select! {
                    socket = &mut serve => break socket,
                    event = stream.next() => assert!(matches!(event, Some(ModelEvent::Text(_)))),
                }
            }
        })
        .await;
        drop(stream);
        within("the connection to be closed", closed(&mut socket)).await;
    }
}

#[tokio::test]
async fn a_connection_is_used_for_one_turn_after_another() {
    let (listener, model) = upstream(|_| {}).await;
    let connections = Arc::new(AtomicUsize::new(0));
    let accepted = Arc::clone(&connections);
    let (finished, mut turns) = mpsc::unbounded_channel();
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut sockets = JoinSet::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            accepted.fetch_add(1, Ordering::Relaxed);
            let finished = finished.clone();
            sockets.spawn(async move {
                while request(&mut socket).await.is_some() {
                    socket
                        .write_all(format!("{HEAD}{}", chunked(&format!("{TEXT}{FINISH}{DONE}"))).as_bytes())
                        .await
                        .unwrap();
                    // The end of the response comes on its own, after `[DONE]`.
                    for _ in 0..20 {
                        yield_now().await;
                    }
                    socket.write_all(b"0\r\n\r\n").await.unwrap();
                    finished.send(()).unwrap();
                }
            });
        }
    });
    for _ in 0..20 {
        assert_eq!(within("an answer", listen(&model)).await.1, ModelEnd::Complete);
        within("the end of the response", turns.recv()).await;
        for _ in 0..1000 {
            yield_now().await;
        }
    }
    // One, unless this machine is so busy that a response's end misses its 50 ms; without draining it would be 20.
    let connections = connections.load(Ordering::Relaxed);
    assert!(connections <= 10, "{connections} connections for 20 turns");
}

#[tokio::test]
async fn faults_of_the_connection_are_tried_again_before_the_first_content() {
    for fault in [
        "",
        HEAD,
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 429 Slow\r\ncontent-length: 5\r\n\r\nslow!",
        "rubbish\r\n\r\n",
    ] {
        let (listener, model) = upstream(|_| {}).await;
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            request(&mut socket).await.unwrap();
            socket.write_all(fault.as_bytes()).await.unwrap();
            drop(socket);
            let (mut socket, _) = listener.accept().await.unwrap();
            request(&mut socket).await.unwrap();
            let reply = format!("{HEAD}{}0\r\n\r\n", chunked(&format!("{TEXT}{FINISH}{DONE}")));
            // Byte by byte: every cut there is, on one connection.
            for byte in reply.as_bytes() {
                // Once it has its answer, the adapter may close before the response's last bytes.
                if socket.write_all(&[*byte]).await.is_err() {
                    break;
                }
                yield_now().await;
            }
        };
        let (answer, ()) = within("an answer", async { tokio::join!(listen(&model), serve) }).await;
        assert_eq!(answer, ("Hi".to_owned(), ModelEnd::Complete), "{fault:?}");
    }
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_reply_is_a_cut_reply() {
    let (listener, model) = upstream(|_| {}).await;
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        request(&mut socket).await.unwrap();
        socket.write_all(format!("{HEAD}{}", chunked(TEXT)).as_bytes()).await.unwrap();
    };
    let (answer, ()) = within("an answer", async { tokio::join!(listen(&model), serve) }).await;
    assert_eq!(answer, ("Hi".to_owned(), ModelEnd::Failed(Failure::ReplyCut)));
}

#[tokio::test]
async fn nobody_at_the_address_is_a_model_that_is_not_available() {
    let (listener, model) = upstream(|settings| settings.max_attempts = 2).await;
    drop(listener);
    let answer = within("an answer", listen(&model)).await;
    assert_eq!(answer, (String::new(), ModelEnd::Failed(Failure::ModelUnavailable)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (listener, model) = upstream(|_| {}).await;
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        request(&mut socket).await.unwrap();
        let redirect = "HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        socket.write_all(redirect.as_bytes()).await.unwrap();
    };
    let (answer, ()) = within("an answer", async { tokio::join!(listen(&model), serve) }).await;
    assert_eq!(answer.1, ModelEnd::Failed(Failure::ModelUnavailable));
}

#[test]
fn settings_that_cannot_work_are_refused_and_a_key_is_never_shown() {
    let build = |settings| OpenAi::new(settings, Arc::new(FixedClock), Arc::new(Largest)).map(|_| ());
    let wrong_key = Settings { api_key: Some("sk-\nsecret".into()), ..settings() };
    assert!(!format!("{wrong_key:?}").contains("secret"));
    let error = build(wrong_key).unwrap_err();
    assert!(matches!(error, super::super::BuildError::Key) && !error.to_string().contains("secret"));
    assert!(matches!(
        build(Settings { base_url: "nowhere".into(), ..settings() }),
        Err(super::super::BuildError::Address)
    ));
}
