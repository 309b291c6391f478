//! What clients should not send: each has its answer, and nothing is lost by it.

use onya_core::conversation::Outcome;
use onya_protocol::{CloseCode, ErrorCode, ServerFrame};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::support::{Backend, ChatClient, Dialled, NodeSettings, TestNode, Visitor, Wire, answer, eventually};

fn path(visitor: &Visitor) -> String {
    format!("/v1/conversations/{}/socket", visitor.conversation)
}

/// A socket that has said hello and is up to date.
async fn synced(node: &TestNode, visitor: &Visitor) -> Wire {
    let mut wire = Wire::open(&node.socket_url(&path(visitor))).await;
    wire.hello(&visitor.token).await;
    assert!(matches!(wire.expect().await, ServerFrame::Hello { .. }));
    assert!(matches!(wire.expect().await, ServerFrame::Synced(_)));
    wire
}

async fn refused(wire: &mut Wire) -> (ErrorCode, Option<String>) {
    loop {
        if let ServerFrame::Refused(refusal) = wire.expect().await {
            return (refusal.code, refusal.client_msg_id.map(|id| id.to_string()));
        }
    }
}

crate::on_each_store! { a_malformed_frame_is_refused_and_loses_nothing }

async fn a_malformed_frame_is_refused_and_loses_nothing(backend: Backend) {
    let node = TestNode::start(backend).await;
    let mut customer = ChatClient::visit(&node).await;
    let deep = format!("{{\"type\":\"say\",\"client_msg_id\":\"x\",\"text\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let frames = [
        "".to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        r#"{"type":"fly"}"#.to_owned(),
        r#"{"text":"no type"}"#.to_owned(),
        deep,
        r#"{"type":"say","client_msg_id":"n","text":"a\u0000b"}"#.to_owned(),
        r#"{"type":"say","client_msg_id":"s","text":"a\ud800b"}"#.to_owned(),
        r#"{"type":"resume","cursor":{"history_epoch":"00000000-0000-0000-0000-000000000000","seq":-1}}"#.to_owned(),
    ];
    for frame in &frames {
        let mut wire = synced(&node, &customer.visitor).await;
        wire.send_text(frame).await;
        assert_eq!(refused(&mut wire).await.0, ErrorCode::BadRequest, "{frame}");
        wire.send(json!({"type": "ping"})).await;
        while !matches!(wire.expect().await, ServerFrame::Pong {}) {}
        wire.close().await;
    }
    let said = customer.say("Still here").await;
    assert_eq!(said.seq, 2, "nothing malformed was stored");
    assert_eq!(customer.answered(said.seq).await.0, Outcome::Final);
}

#[tokio::test]
async fn a_refusal_names_the_command_it_is_about() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let mut wire = synced(&node, &visitor).await;
    let table = [
        (json!({"type": "say", "client_msg_id": "a", "text": 7}), ErrorCode::BadRequest, Some("a")),
        (json!({"type": "say", "client_msg_id": "b b", "text": "x"}), ErrorCode::BadRequest, None),
        (json!({"type": "say", "client_msg_id": "c", "text": ""}), ErrorCode::BadRequest, Some("c")),
        (json!({"type": "say", "client_msg_id": "d", "text": "x".repeat(16_385)}), ErrorCode::TooLarge, Some("d")),
        (
            json!({"type": "say", "client_msg_id": "e", "text": "x", "attachments": [{"url": "file"}]}),
            ErrorCode::Unsupported,
            Some("e"),
        ),
        (json!({"type": "say", "client_msg_id": "f", "after": "lost", "text": "x"}), ErrorCode::OutOfOrder, Some("f")),
        (json!({"type": "regenerate", "client_msg_id": "g"}), ErrorCode::NothingToDo, Some("g")),
        (
            json!({"type": "hand_back", "client_msg_id": "h", "control_version": 9}),
            ErrorCode::ControlChanged,
            Some("h"),
        ),
        (json!({"type": "hello", "versions": [1]}), ErrorCode::BadRequest, None),
    ];
    for (frame, code, id) in table {
        wire.send(frame.clone()).await;
        let (found, named) = refused(&mut wire).await;
        assert_eq!((found, named.as_deref()), (code, id), "{frame}");
    }
}

#[tokio::test]
async fn the_tenth_malformed_frame_is_the_last() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let mut wire = synced(&node, &visitor).await;
    for _ in 0..10 {
        wire.send_text("nonsense").await;
    }
    let (frames, code) = wire.until_closed().await;
    assert_eq!((frames.len(), code), (10, CloseCode::BadRequest as u16));
}

#[tokio::test]
async fn a_binary_frame_and_one_that_is_too_large_end_the_socket() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let huge = Message::text("x".repeat(5_000_000));
    let table = [
        (Message::binary(b"{}".to_vec()), ErrorCode::BadRequest, CloseCode::BadRequest),
        (Message::text("x".repeat(65_537)), ErrorCode::TooLarge, CloseCode::Limit),
        (huge, ErrorCode::TooLarge, CloseCode::Limit),
    ];
    for (message, code, close) in table {
        for hello in [true, false] {
            let mut wire =
                if hello { synced(&node, &visitor).await } else { Wire::open(&node.socket_url(&path(&visitor))).await };
            // The server may have closed before the last byte was sent.
            let _ = wire.try_send(message.clone()).await;
            let (frames, closed) = wire.until_closed().await;
            let Some(ServerFrame::Refused(refusal)) = frames.last() else { panic!("{frames:?}") };
            assert_eq!((refusal.code, closed), (code, close as u16), "after hello: {hello}");
        }
    }
}

#[tokio::test]
async fn a_message_in_many_fragments_counts_as_one() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let mut wire = synced(&node, &visitor).await;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let text = r#"{"type":"say","client_msg_id":"a","text":"in pieces – é"}"#.as_bytes();
    for (at, byte) in text.iter().enumerate() {
        let opcode = OpCode::Data(if at == 0 { Data::Text } else { Data::Continue });
        wire.send_message(Message::Frame(Frame::message(vec![*byte], opcode, at + 1 == text.len()))).await;
    }
    loop {
        if let ServerFrame::Ack(ack) = wire.expect().await {
            assert_eq!(ack.seq, 2);
            break;
        }
    }
}

#[tokio::test]
async fn a_first_frame_that_is_not_good_is_told_why() {
    let node = TestNode::start(Backend::Sqlite).await;
    let (visitor, other) = (node.visitor().await, node.visitor().await);
    let agent = node.token(&["--role", "agent", "--name", "Ada"]);
    let admin = node.token(&["--role", "admin"]);
    let stranger = TestNode::start(Backend::Sqlite).await.visitor().await.token;
    let hello = |token: &str| json!({"type": "hello", "versions": [1], "token": token});
    let unknown = format!("/v1/conversations/{}/socket", Uuid::now_v7());
    let forged = format!("{}x", &visitor.token[..visitor.token.len() - 1]);
    let (mine, desk) = (path(&visitor), "/v1/desk/socket".to_owned());
    let table: Vec<(&str, Value, ErrorCode, CloseCode)> = vec![
        (
            &mine,
            json!({"type": "say", "client_msg_id": "a", "text": "x"}),
            ErrorCode::BadRequest,
            CloseCode::BadRequest,
        ),
        (&mine, json!("hello"), ErrorCode::BadRequest, CloseCode::BadRequest),
        (
            &mine,
            json!({"type": "hello", "versions": [2, 3], "token": visitor.token}),
            ErrorCode::UnsupportedVersion,
            CloseCode::UnsupportedVersion,
        ),
        (
            &mine,
            json!({"type": "hello", "versions": [], "token": visitor.token}),
            ErrorCode::UnsupportedVersion,
            CloseCode::UnsupportedVersion,
        ),
        (&mine, json!({"type": "hello", "versions": [1]}), ErrorCode::Unauthenticated, CloseCode::BadToken),
        (&mine, hello("nonsense"), ErrorCode::Unauthenticated, CloseCode::BadToken),
        (&mine, hello(&forged), ErrorCode::Unauthenticated, CloseCode::BadToken),
        (&mine, hello(&stranger), ErrorCode::Unauthenticated, CloseCode::BadToken),
        (&mine, hello(&other.token), ErrorCode::NotFound, CloseCode::Forbidden),
        (&unknown, hello(&visitor.token), ErrorCode::NotFound, CloseCode::Forbidden),
        (&mine, hello(&agent), ErrorCode::Forbidden, CloseCode::Forbidden),
        (&mine, hello(&admin), ErrorCode::Forbidden, CloseCode::Forbidden),
        (&desk, hello(&visitor.token), ErrorCode::Forbidden, CloseCode::Forbidden),
        (&desk, hello(&admin), ErrorCode::Forbidden, CloseCode::Forbidden),
        (
            &mine,
            json!({"type": "hello", "versions": [1], "token": visitor.token, "cursor": {"history_epoch": Uuid::nil(), "seq": -1}}),
            ErrorCode::BadRequest,
            CloseCode::BadRequest,
        ),
    ];
    for (path, frame, code, close) in table {
        let mut wire = Wire::open(&node.socket_url(path)).await;
        wire.send(frame.clone()).await;
        let (frames, closed) = wire.until_closed().await;
        let [ServerFrame::Refused(refusal)] = &frames[..] else { panic!("{frame}: {frames:?}") };
        assert_eq!((refusal.code, closed), (code, close as u16), "{frame}");
    }
}

#[tokio::test]
async fn an_expired_token_is_told_apart_from_a_forged_one() {
    let settings = NodeSettings::new(Backend::Sqlite).await.with("ONYA_AUTH__LEEWAY_S", 0);
    let node = settings.start().await;
    let visitor = node.visitor().await;
    let sub = visitor.participant.to_string();
    let short = node.token(&["--role", "customer", "--sub", &sub, "--ttl", "2s"]);
    let mut wire = Wire::open(&node.socket_url(&path(&visitor))).await;
    wire.hello(&short).await;
    assert!(matches!(wire.expect().await, ServerFrame::Hello { .. }));
    assert_eq!(wire.until_closed().await.1, CloseCode::TokenExpired as u16, "an open socket ends with its token");
    let mut wire = Wire::open(&node.socket_url(&path(&visitor))).await;
    wire.hello(&short).await;
    let (frames, code) = wire.until_closed().await;
    assert!(matches!(&frames[..], [ServerFrame::Refused(refusal)] if refusal.code == ErrorCode::TokenExpired));
    assert_eq!(code, CloseCode::TokenExpired as u16);
    let path = format!("/v1/conversations/{}", visitor.conversation);
    let over_http = node.get(&path, &short).await;
    assert_eq!((over_http.status.as_u16(), over_http.code().as_str()), (401, "token_expired"));
}

#[tokio::test]
async fn a_token_in_an_address_is_not_looked_at() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let query = format!("?token={0}&access_token={0}&authorization=Bearer+{0}", visitor.token);
    let request = node.request(reqwest::Method::GET, &format!("/v1/conversations/{}{query}", visitor.conversation));
    assert_eq!(answer(request).await.code(), "unauthenticated");
    let mut wire = Wire::open(&node.socket_url(&format!("{}{query}", path(&visitor)))).await;
    wire.send(json!({"type": "hello", "versions": [1]})).await;
    assert_eq!(wire.until_closed().await.1, CloseCode::BadToken as u16);
    assert!(!node.log().contains(&visitor.token));
}

#[tokio::test]
async fn a_token_in_the_header_of_the_upgrade_is_enough() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let bearer = format!("Bearer {}", visitor.token);
    let dialled = Wire::dial(&node.socket_url(&path(&visitor)), &[("authorization", &bearer)]).await;
    let Dialled::Open(mut wire) = dialled else { panic!("refused") };
    wire.send(json!({"type": "hello", "versions": [1]})).await;
    assert!(matches!(wire.expect().await, ServerFrame::Hello { .. }));
}

#[tokio::test]
async fn a_bad_token_in_the_header_counts_more_than_a_good_one_in_hello() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let dialled = Wire::dial(&node.socket_url(&path(&visitor)), &[("authorization", "Bearer forged")]).await;
    let Dialled::Open(mut wire) = dialled else { panic!("refused") };
    wire.send(json!({"type": "hello", "versions": [1], "token": visitor.token})).await;
    assert_eq!(wire.until_closed().await.1, CloseCode::BadToken as u16);
}

#[tokio::test]
async fn whoever_says_nothing_or_answers_no_ping_is_let_go() {
    let settings = NodeSettings::new(Backend::Sqlite).await;
    let settings = settings.with("ONYA_SOCKET__HELLO_TIMEOUT_MS", 200).with("ONYA_SOCKET__PING_INTERVAL_MS", 1_000);
    let node = settings.with("ONYA_SOCKET__PONG_TIMEOUT_MS", 200).start().await;
    let visitor = node.visitor().await;
    let mut silent = Wire::open(&node.socket_url(&path(&visitor))).await;
    assert_eq!(silent.until_closed().await.1, CloseCode::HelloTimeout as u16);
    let mut deaf = synced(&node, &visitor).await;
    let (frames, code) = deaf.until_closed().await;
    assert!(matches!(&frames[..], [ServerFrame::Ping { .. }]), "{frames:?}");
    assert_eq!(code, CloseCode::NoPong as u16);
    let mut awake = ChatClient::open(&node, visitor).await;
    for _ in 0..3 {
        while !matches!(awake.next().await, Some(ServerFrame::Ping { .. })) {}
    }
}

#[tokio::test]
async fn only_the_pages_of_this_server_open_sockets_and_send_commands() {
    let node = TestNode::start(Backend::Sqlite).await;
    let visitor = node.visitor().await;
    let own = node.origin();
    let port = node.address().port();
    let good = [own.clone(), format!("http://localhost:{port}"), format!("http://[::1]:{port}")];
    let bad = [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        format!("http://evil.localhost:{port}"),
        format!("http://127.0.0.1.evil.example:{port}"),
        format!("{own}.evil.example"),
        "http://127.0.0.1".to_owned(),
        own.replace("http:", "https:"),
    ];
    let origins = good.iter().map(|origin| (origin, true)).chain(bad.iter().map(|origin| (origin, false)));
    for (origin, allowed) in origins {
        for socket in [path(&visitor), "/v1/desk/socket".to_owned()] {
            match Wire::dial(&node.socket_url(&socket), &[("origin", origin)]).await {
                Dialled::Open(_) => assert!(allowed, "{origin}"),
                Dialled::Refused(status, body) => {
                    assert!(!allowed && status == 403 && body.contains("\"forbidden\""), "{origin}: {status} {body}");
                }
            }
        }
        let request = node.request(reqwest::Method::POST, "/v1/tokens/anonymous").header("origin", origin);
        assert_eq!(answer(request).await.status.as_u16(), if allowed { 201 } else { 403 }, "{origin}");
    }
}

#[tokio::test]
async fn a_browser_that_finds_no_place_is_told_when_to_come_back() {
    let node = NodeSettings::new(Backend::Sqlite).await.with("ONYA_SERVER__MAX_SOCKETS", 1).start().await;
    let visitor = node.visitor().await;
    let first = synced(&node, &visitor).await;
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let dialled = Wire::dial(&node.socket_url(&path(&visitor)), &[("origin", &node.origin())]).await;
        let Dialled::Open(mut wire) = dialled else { panic!("a browser does not show its page a status") };
        wire.hello(&visitor.token).await;
        let (frames, code) = wire.until_closed().await;
        let [ServerFrame::Refused(refusal)] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!((refusal.code, code), (ErrorCode::Busy, CloseCode::InsufficientState as u16));
        pauses.push(refusal.retry_after_ms.unwrap());
    }
    assert!(pauses.iter().all(|pause| (5_000..15_000).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause != pauses[0]), "they all come back at the same moment: {pauses:?}");
    first.close().await;
    let dial = async || {
        let dialled = Wire::dial(&node.socket_url(&path(&visitor)), &[("origin", &node.origin())]).await;
        let Dialled::Open(mut wire) = dialled else { return None };
        wire.hello(&visitor.token).await;
        matches!(wire.next().await, Ok(ServerFrame::Hello { .. })).then_some(())
    };
    eventually(dial).await;
}

#[tokio::test]
async fn connections_that_come_too_fast_wait_and_are_all_answered() {
    let node = NodeSettings::new(Backend::Sqlite).await.with("ONYA_SERVER__ACCEPTS_PER_SECOND", 4).start().await;
    let ask = |_| async {
        // Each on a connection of its own.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        client.get(node.url("/health/live")).send().await.unwrap().status().as_u16()
    };
    let answers = futures::future::join_all((0..12).map(ask)).await;
    assert_eq!(answers, [200; 12]);
    let scrape = reqwest::get(node.metrics_url()).await.unwrap().text().await.unwrap();
    let delayed = scrape.lines().find_map(|line| line.strip_prefix("onya_accepts_delayed_total ")).unwrap();
    assert!(delayed.parse::<u32>().unwrap() > 0, "{delayed}");
}

#[tokio::test]
async fn there_is_an_end_to_sockets() {
    let node = NodeSettings::new(Backend::Sqlite).await.with("ONYA_SERVER__MAX_SOCKETS", 2).start().await;
    let visitor = node.visitor().await;
    let first = synced(&node, &visitor).await;
    let _second = synced(&node, &visitor).await;
    let Dialled::Refused(status, body) = Wire::dial(&node.socket_url(&path(&visitor)), &[]).await else {
        panic!("a third socket was opened")
    };
    assert!(status == 503 && body.contains("\"busy\""), "{status} {body}");
    first.close().await;
    let dial = async || match Wire::dial(&node.socket_url(&path(&visitor)), &[]).await {
        Dialled::Open(wire) => Some(wire),
        Dialled::Refused(..) => None,
    };
    eventually(dial).await;
}
