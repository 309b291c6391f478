//! The TCP stream under a WebSocket, with two writers: the socket's task, and whoever has a frame that need not wait.
//!
//! Frames must not be mixed. So a [`Line`] says when the bytes it was given do not end with a frame (`unfinished`), and
//! until they do nobody else writes; and what the network did not take of a frame that came past it (`rest`) goes out
//! before anything else.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use onya_actors::{ShortCut, Written};
use onya_protocol::ServerFrame;
use rustix::net::{SendFlags, send};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Longest header of a frame that is written here: the length takes two bytes more.
const HEADER_BYTES: usize = 4;
/// A longer message goes out in fragments, by the task, so that it does not leave a long buffer behind.
pub(super) const FRAGMENT_BYTES: usize = 1024;

thread_local! {
    /// Where a short frame is put together: always the same memory, which is at hand.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The stream, in the hands of the socket's task.
pub(super) struct Line(Arc<Shared>);

/// What both writers share. The stream lies within, so that a frame that is written past the task fetches nothing else.
#[derive(Debug)]
struct Shared(Mutex<Stream>);

#[derive(Debug)]
struct Stream {
    tcp: TcpStream,
    /// The task has written a part of what it has to write.
    unfinished: bool,
    /// What is left of a frame that was written past the task.
    rest: Vec<u8>,
    /// Nobody but the task writes any more.
    exclusive: bool,
}

impl Line {
    pub(super) fn new(stream: TcpStream) -> Self {
        let stream = Stream { tcp: stream, unfinished: false, rest: Vec::new(), exclusive: false };
        Self(Arc::new(Shared(Mutex::new(stream))))
    }

    /// The way past the task. It does not keep the stream open.
    pub(super) fn short_cut(&self) -> Weak<dyn ShortCut> {
        let shared: Arc<dyn ShortCut> = Arc::clone(&self.0) as _;
        Arc::downgrade(&shared)
    }

    /// Nothing is written past the task any more: no frame may follow the last one.
    pub(super) fn close_short_cut(&self) {
        self.0.lock().exclusive = true;
    }
}

impl ShortCut for Shared {
    fn write_now(&self, frame: &ServerFrame) -> Written {
        let mut stream = self.lock();
        if stream.exclusive || stream.unfinished || !stream.rest.is_empty() {
            return Written::Nothing;
        }
        let mut room = ROOM.take();
        let written = encode(frame, &mut room).map_or(Written::Nothing, |bytes| stream.write_now(bytes));
        ROOM.set(room);
        written
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A short frame as it stands on the line: one unmasked text frame, in this room.
fn encode<'a>(frame: &ServerFrame, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    room.clear();
    room.resize(HEADER_BYTES, 0);
    serde_json::to_writer(&mut *room, frame).ok()?;
    let length = room.len() - HEADER_BYTES;
    if length > FRAGMENT_BYTES {
        room.shrink_to(HEADER_BYTES + FRAGMENT_BYTES);
        return None;
    }
    let header = FrameHeader { is_final: true, opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
    let start = HEADER_BYTES - header.len(length as u64);
    header.format(length as u64, &mut &mut room[start..HEADER_BYTES]).ok()?;
    Some(&room[start..])
}

impl Stream {
    fn write_now(&mut self, bytes: &[u8]) -> Written {
        // Not by the stream's own means, which look first whether it is ready: more memory to fetch for every token.
        match send(&self.tcp, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(length) if length == bytes.len() => Written::Whole,
            Ok(length) if length > 0 => {
                self.rest = bytes[length..].to_vec();
                Written::Begun
            }
            // The task will find out what is the matter.
            Ok(_) | Err(_) => Written::Nothing,
        }
    }

    /// Writes what is left of a frame, before anything else.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let length = ready!(Pin::new(&mut self.tcp).poll_write(context, &self.rest))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.drain(..length);
        }
        self.rest = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    /// `bytes` is everything that the task has to write, and so ends with a frame.
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = self.0.lock();
        ready!(stream.poll_rest(context))?;
        stream.unfinished = true;
        let length = ready!(Pin::new(&mut stream.tcp).poll_write(context, bytes))?;
        stream.unfinished = length < bytes.len();
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.0.lock();
        ready!(stream.poll_rest(context))?;
        Pin::new(&mut stream.tcp).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::{SinkExt as _, StreamExt as _};
    use onya_core::ConversationId;
    use onya_protocol::Delta;
    use tokio::net::TcpSocket;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role;
    use uuid::Uuid;

    use super::*;

    const FRAMES: u64 = 20_000;
    const FEW: u64 = 5_000;

    fn piece(offset: u64) -> ServerFrame {
        let conversation = ConversationId(Uuid::nil());
        let text = "ü".repeat(usize::try_from(offset % 200).unwrap());
        ServerFrame::Delta(Delta { conversation, turn: 1, epoch: 1, attempt: 1, offset, text })
    }

    /// A connection whose buffers hold a few frames only.
    async fn narrow() -> (TcpStream, TcpStream) {
        let (client, server) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
        client.set_recv_buffer_size(4_096).unwrap();
        server.set_send_buffer_size(4_096).unwrap();
        server.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = server.listen(1).unwrap();
        let (client, server) = tokio::join!(client.connect(listener.local_addr().unwrap()), listener.accept());
        (client.unwrap(), server.unwrap().0)
    }

    #[test]
    fn a_frame_stands_on_the_line_as_a_client_reads_it() {
        for offset in [0, 20, 199] {
            let mut room = Vec::new();
            let bytes = encode(&piece(offset), &mut room).unwrap();
            let json = serde_json::to_vec(&piece(offset)).unwrap();
            let header = if json.len() < 126 { 2 } else { 4 };
            assert_eq!((bytes[0], &bytes[header..]), (0x81, json.as_slice()));
        }
        let long = ServerFrame::Delta(Delta {
            conversation: ConversationId(Uuid::nil()),
            turn: 1,
            epoch: 1,
            attempt: 1,
            offset: 0,
            text: "x".repeat(FRAGMENT_BYTES),
        });
        assert_eq!(encode(&long, &mut Vec::new()), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn frames_of_both_writers_arrive_whole_and_in_their_order_on_a_line_that_is_full() {
        let (client, server) = narrow().await;
        let line = Line::new(server);
        let short_cut = line.short_cut();
        let mut socket = WebSocketStream::from_raw_socket(line, Role::Server, None).await;
        let mut writer = tokio::task::JoinSet::new();
        writer.spawn(async move {
            let mut begun = 0;
            for offset in 0..FRAMES {
                let frame = piece(offset);
                match short_cut.upgrade().unwrap().write_now(&frame) {
                    Written::Whole => {}
                    Written::Begun => begun += 1,
                    Written::Nothing => {
                        socket.send(Message::text(serde_json::to_string(&frame).unwrap())).await.unwrap();
                    }
                }
            }
            socket.flush().await.unwrap();
            begun
        });
        let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        for offset in 0..FRAMES {
            let text = client.next().await.unwrap().unwrap().into_text().unwrap();
            assert_eq!(text.as_str(), serde_json::to_string(&piece(offset)).unwrap());
        }
        let begun = writer.join_next().await.unwrap().unwrap();
        assert!(begun > 0, "no frame was ever cut: the line was never full");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn frames_do_not_mix_with_the_pongs_that_the_task_writes_meanwhile() {
        let (client, server) = narrow().await;
        let line = Line::new(server);
        let short_cut = line.short_cut();
        let mut socket = WebSocketStream::from_raw_socket(line, Role::Server, None).await;
        let (flush, mut flushes) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    heard = socket.next() => assert!(heard.unwrap().unwrap().is_ping()),
                    Some(()) = flushes.recv() => socket.flush().await.unwrap(),
                }
            }
        });
        tasks.spawn(async move {
            for offset in 0..FEW {
                loop {
                    match short_cut.upgrade().unwrap().write_now(&piece(offset)) {
                        Written::Whole => break,
                        Written::Begun => break flush.send(()).unwrap(),
                        Written::Nothing => tokio::task::yield_now().await,
                    }
                }
            }
        });
        let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        let mut pongs = 0;
        for offset in 0..FEW {
            client.send(Message::Ping(vec![7; 125].into())).await.unwrap();
            let mut message = client.next().await.unwrap().unwrap();
            while message.is_pong() {
                pongs += 1;
                message = client.next().await.unwrap().unwrap();
            }
            assert_eq!(message.into_text().unwrap().as_str(), serde_json::to_string(&piece(offset)).unwrap());
        }
        assert!(pongs > FEW / 4, "{pongs} pongs");
    }

    #[tokio::test]
    async fn the_short_cut_does_not_keep_a_line_open_and_ends_with_the_last_frame() {
        let (_client, server) = narrow().await;
        let line = Line::new(server);
        let short_cut = line.short_cut();
        assert_eq!(short_cut.upgrade().unwrap().write_now(&piece(0)), Written::Whole);
        line.close_short_cut();
        assert_eq!(short_cut.upgrade().unwrap().write_now(&piece(1)), Written::Nothing);
        drop(line);
        assert!(short_cut.upgrade().is_none());
    }
}
