//! One socket, frame by frame, without a memory of its own.

use futures::{SinkExt as _, StreamExt as _};
use onya_protocol::ServerFrame;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::PATIENCE;

/// What came of a handshake.
pub enum Dialled {
    Open(Box<Wire>),
    /// The status and the body of the answer that is no socket.
    Refused(u16, String),
}

/// An open socket.
pub struct Wire(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Wire {
    /// Shakes hands, with these headers.
    pub async fn dial(url: &str, headers: &[(&str, &str)]) -> Dialled {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        match timeout(PATIENCE, connect_async(request)).await.unwrap() {
            Ok((stream, _)) => Dialled::Open(Box::new(Self(stream))),
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Dialled::Refused(response.status().as_u16(), String::from_utf8_lossy(&body).into_owned())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Shakes hands with a server that may not be there.
    pub async fn try_dial(url: &str) -> Option<Self> {
        timeout(PATIENCE, connect_async(url)).await.ok()?.ok().map(|(stream, _)| Self(stream))
    }

    /// Shakes hands; ends the test if the answer is no socket.
    pub async fn open(url: &str) -> Self {
        match Self::dial(url, &[]).await {
            Dialled::Open(wire) => *wire,
            Dialled::Refused(status, body) => panic!("{status}: {body}"),
        }
    }

    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    pub async fn send_message(&mut self, message: Message) {
        self.try_send(message).await.unwrap();
    }

    /// As [`Wire::send_message`], for a socket that the server may have closed.
    pub async fn try_send(&mut self, message: Message) -> Result<(), Error> {
        timeout(PATIENCE, self.0.send(message)).await.unwrap_or_else(|_| panic!("the server does not read"))
    }

    pub async fn hello(&mut self, token: &str) {
        self.send(json!({"type": "hello", "versions": [1], "token": token})).await;
    }

    /// The next frame, or how the socket was closed: the code, 0 for none.
    pub async fn next(&mut self) -> Result<ServerFrame, u16> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.unwrap_or_else(|_| panic!("no frame came"));
            match message {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")));
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(0, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(0),
            }
        }
    }

    /// The next frame of a socket that is expected to be open.
    pub async fn expect(&mut self) -> ServerFrame {
        self.next().await.unwrap_or_else(|code| panic!("the server closed with {code}"))
    }

    /// Everything until the socket is closed, and the close code.
    pub async fn until_closed(&mut self) -> (Vec<ServerFrame>, u16) {
        let mut frames = Vec::new();
        loop {
            match self.next().await {
                Ok(frame) => frames.push(frame),
                Err(code) => return (frames, code),
            }
        }
    }

    /// Ends the connection without a word, as a network does.
    pub fn cut(self) {
        drop(self);
    }

    /// Closes as a browser does, and waits for the answer.
    pub async fn close(mut self) {
        let _ = timeout(PATIENCE, self.0.close(None)).await;
    }
}
