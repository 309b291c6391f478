use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::*;

/// The server's end of a socket, after the client's hello.
struct Peer {
    socket: WebSocketStream<TcpStream>,
    hello: Value,
}

impl Peer {
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        let hello = read(&mut socket).await.unwrap();
        Self { socket, hello }
    }

    async fn say(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }
}

async fn read(socket: &mut WebSocketStream<TcpStream>) -> Option<Value> {
    match socket.next().await? {
        Ok(Message::Text(text)) => serde_json::from_str(&text).ok(),
        _ => None,
    }
}

fn hello_frame() -> Value {
    json!({
        "type": "hello", "version": 1, "participant": "0198c0de-0000-7000-8000-0000000000cc", "role": "customer",
        "ping_interval_ms": 25_000, "pong_timeout_ms": 8_000, "max_message_bytes": 16_384,
    })
}

async fn listen() -> (TcpListener, Connection) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/socket", listener.local_addr().unwrap());
    (listener, Connection::new(url, |frame| matches!(frame, ServerFrame::Hello { .. })))
}

async fn next(connection: &mut Connection) -> Event {
    connection.next(|| json!({ "type": "hello", "token": "secret" }).to_string()).await
}

/// Takes the client into step and eats the two events of it.
async fn in_step(listener: &TcpListener, connection: &mut Connection) -> Peer {
    let server = async {
        let mut peer = Peer::accept(listener).await;
        peer.say(hello_frame()).await;
        peer
    };
    let (peer, event) = tokio::join!(server, next(connection));
    assert!(matches!(event, Event::InStep));
    assert!(matches!(next(connection).await, Event::Frame(_)));
    peer
}

#[tokio::test]
async fn after_goaway_the_new_socket_is_in_step_before_the_old_one_goes() {
    let (listener, mut connection) = listen().await;
    let mut old = in_step(&listener, &mut connection).await;
    assert_eq!(old.hello["token"], "secret");
    old.say(json!({ "type": "goaway", "retry_after_ms": 1 })).await;
    assert!(matches!(next(&mut connection).await, Event::Frame(_)));
    // Until the new socket is in step, the old one is listened to.
    let heard = Notify::new();
    let server = async {
        let mut new = Peer::accept(&listener).await;
        old.say(json!({ "type": "pong" })).await;
        heard.notified().await;
        new.say(hello_frame()).await;
        new
    };
    let mut seen = Vec::new();
    let client = async {
        loop {
            match next(&mut connection).await {
                Event::InStep => break,
                Event::Frame(frame) => {
                    seen.push(*frame);
                    heard.notify_one();
                }
                Event::Waiting(_) | Event::Ended(_) => panic!("the old socket should have carried on"),
            }
        }
    };
    let (_new, ()) = tokio::join!(server, client);
    assert_eq!(seen, [ServerFrame::Pong {}]);
    assert_eq!(read(&mut old.socket).await, None, "the old socket is closed");
}

#[tokio::test]
async fn a_lost_socket_is_told_once_and_replaced() {
    let (listener, mut connection) = listen().await;
    drop(in_step(&listener, &mut connection).await);
    assert!(matches!(next(&mut connection).await, Event::Waiting(_)));
    in_step(&listener, &mut connection).await;
}

#[tokio::test]
async fn a_ping_is_answered_and_a_final_close_ends_it() {
    let (listener, mut connection) = listen().await;
    let mut peer = in_step(&listener, &mut connection).await;
    peer.say(json!({ "type": "ping", "positions": [] })).await;
    assert!(matches!(next(&mut connection).await, Event::Frame(_)));
    assert_eq!(read(&mut peer.socket).await, Some(json!({ "type": "pong" })));
    let reason = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 3502.into(), reason: "forbidden".into() };
    peer.socket.send(Message::Close(Some(reason))).await.unwrap();
    match next(&mut connection).await {
        Event::Ended(reason) => assert_eq!(reason, "forbidden"),
        _ => panic!("a final close code ends the connection"),
    }
}
