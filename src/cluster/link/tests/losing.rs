//! A link that is lost is noticed, whoever is at fault, and nobody else loses anything.

use futures::SinkExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::super::admission::{Admission, Deciding};
use super::super::carry::carry;
use super::super::ending::Ending;
use super::super::nonces::Nonces;
use super::super::places::Places;
use super::*;
use crate::telemetry::Metrics;

/// Carries frames over a pipe; there the clock can be paused.
async fn carried(pipe: DuplexStream, end: Arc<End>) -> (Ending, Duration) {
    let began = Instant::now();
    let socket = WebSocketStream::from_raw_socket(Watched::new(pipe), Role::Server, Some(socket_config())).await;
    (carry(socket, &*end, &LinkTimes::default(), &CancellationToken::new()).await, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_noticed() {
    let (pipe, other) = duplex(64 * 1024);
    let (ending, took) = carried(pipe, Arc::default()).await;
    assert!(matches!(ending, Ending::Silent), "{ending:?}");
    assert_eq!(took.as_secs(), LinkTimes::default().silence.as_secs());
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_says_nothing_but_lives_is_kept() {
    let (pipe, other) = duplex(64 * 1024);
    let mut carrying = JoinSet::new();
    carrying.spawn(carried(pipe, Arc::default()));
    let mut other = WebSocketStream::from_raw_socket(other, Role::Client, None).await;
    // Reading answers its pings.
    let listened = timeout(Duration::from_secs(3600), async { while other.next().await.is_some() {} }).await;
    assert!(listened.is_err(), "an hour is over");
    assert!(carrying.try_join_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_lives_but_does_not_read_is_noticed() {
    let (pipe, mut other) = duplex(1024);
    let end = Arc::<End>::default();
    end.say(["x".repeat(1_000_000)]);
    let mut carrying = JoinSet::new();
    carrying.spawn(carried(pipe, end));
    // Signs of life, empty and masked.
    let mut pings = tokio::time::interval(Duration::from_secs(1));
    let (ending, took) = loop {
        tokio::select! {
            Some(carried) = carrying.join_next() => break carried.unwrap(),
            _ = pings.tick() => other.write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.unwrap(),
        }
    };
    assert!(matches!(ending, Ending::NotReading), "{ending:?}");
    assert_eq!(took.as_secs(), LinkTimes::default().write.as_secs());
}

/// A node that answers a dialer, and then is in the hands of the test.
async fn answering() -> (Dialed, WebSocketStream<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let me = incarnation();
    let dialed = Dialed::to(member(me, listener.local_addr().unwrap().to_string()));
    let admission = Admission {
        credentials: keys(me),
        nonces: Mutex::new(Nonces::new(PATIENCE)),
        places: Places::new(1),
        versions: LINK_VERSIONS,
    };
    let deciding = Deciding { admission: &admission, decision: &mut None };
    let socket = accept_hdr_async(listener.accept().await.unwrap().0, deciding).await.unwrap();
    dialed.end.until_open().await;
    (dialed, socket)
}

fn broken(lost: &LinkLost, part: &str) {
    assert!(matches!(lost, LinkLost::Broken(why) if why.contains(part)), "{lost:?}");
}

#[tokio::test]
async fn a_reset_is_noticed_by_the_side_that_dialed() {
    let (mut dialed, socket) = answering().await;
    socket.get_ref().set_zero_linger().unwrap();
    drop(socket);
    broken(&dialed.lost().await, "the connection broke");
}

#[tokio::test]
async fn a_reset_is_noticed_by_the_side_that_answered() {
    let node = Node::start().await;
    let socket = raw(&node).await;
    let end = node.end(0).await;
    socket.get_ref().set_zero_linger().unwrap();
    drop(socket);
    end.until_lost().await;
}

#[tokio::test]
async fn a_node_that_will_say_no_more_is_lost_though_it_still_reads() {
    let node = Node::start().await;
    let mut socket = raw(&node).await;
    let end = node.end(0).await;
    socket.get_mut().shutdown().await.unwrap();
    end.until_lost().await;
}

#[tokio::test]
async fn an_end_that_closes_is_left_by_both() {
    let node = Node::start().await;
    let mut dialed = Dialed::to(node.member());
    let accepted = node.end(0).await;
    dialed.end.until_open().await;
    dialed.end.close();
    assert_eq!(dialed.lost().await, LinkLost::Closed);
    accepted.until_lost().await;

    let mut again = Dialed::to(node.member());
    again.end.until_open().await;
    node.end(1).await.close();
    broken(&again.lost().await, "closed by the other side");
}

#[tokio::test]
async fn a_dialer_that_is_dropped_closes_its_link() {
    let node = Node::start().await;
    let dialed = Dialed::to(node.member());
    let accepted = node.end(0).await;
    dialed.end.until_open().await;
    drop(dialed.carrying);
    accepted.until_lost().await;
}

#[tokio::test]
async fn a_second_link_of_a_process_replaces_the_first() {
    let node = Node::start().await;
    let dialer = Dialer::new(keys(incarnation()), patient());
    let mut first = Dialed::by(dialer.clone(), node.member());
    let first_end = node.end(0).await;
    first.end.until_open().await;
    let second = Dialed::by(dialer, node.member());
    let second_end = node.end(1).await;
    assert!(first_end.lost.load(Ordering::SeqCst), "the first is lost before the second is taken");
    assert!(matches!(first.lost().await, LinkLost::Broken(_)));
    second.end.say(numbered(0..1));
    assert_eq!(second_end.heard(1).await, numbered(0..1));
    let other = Dialed::to(node.member());
    other.end.until_open().await;
    second_end.say(numbered(0..1));
    assert_eq!(second.end.heard(1).await, numbered(0..1), "another process has a link of its own");
}

#[tokio::test]
async fn an_end_that_breaks_is_lost_too() {
    let node = Node::start().await;
    let mut dialed = Dialed::to(node.member());
    let accepted = node.end(0).await;
    dialed.end.say(["panic".to_owned()]);
    accepted.until_lost().await;
    assert!(matches!(dialed.lost().await, LinkLost::Broken(_)));
    Dialed::to(node.member()).end.until_open().await;
}

#[tokio::test]
async fn a_node_that_stops_writes_what_waits_and_closes_every_link() {
    let node = Node::start().await;
    let mut links = Vec::new();
    for number in 0..3 {
        let dialed = Dialed::to(node.member());
        dialed.end.until_open().await;
        links.push((dialed, node.end(number).await));
    }
    for (_, accepted) in &links {
        accepted.say(numbered(0..1000));
    }
    let address = node.address;
    node.stop().await;
    for (mut dialed, accepted) in links {
        assert!(accepted.lost.load(Ordering::SeqCst), "serving ends after its links");
        assert_eq!(dialed.end.heard(1000).await, numbered(0..1000));
        broken(&dialed.lost().await, "closed by the other side");
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_connection_that_is_no_link_yet_does_not_keep_a_node_from_stopping() {
    let node = Node::start().await;
    let _silent = TcpStream::connect(node.address).await.unwrap();
    let link = Dialed::to(node.member());
    link.end.until_open().await;
    node.stop().await;
}

/// What is no frame, by what is wrong with it.
fn malformed() -> Vec<(&'static str, Message)> {
    let fragment = |data, text: &'static str, last| Message::Frame(Frame::message(text, OpCode::Data(data), last));
    vec![
        ("no JSON", Message::text("hello")),
        ("JSON that is cut", Message::text(r#"["a""#)),
        ("no array", Message::text(r#""a""#)),
        ("a frame of a kind that is unknown", Message::text(r#"["a",{"of_a_later_release":{}}]"#)),
        ("JSON that is deep", Message::text("[".repeat(100_000))),
        ("nothing", Message::text("")),
        ("bytes", Message::binary(r#"["a"]"#)),
        ("a fragment that continues nothing", fragment(Data::Continue, r#"["a"]"#, true)),
        ("an opcode that is reserved", fragment(Data::Reserved(3), "", true)),
    ]
}

#[tokio::test]
async fn what_is_no_frame_ends_its_own_link_only() {
    let node = Node::start().await;
    let bystander = Dialed::to(node.member());
    let bystander_end = node.end(0).await;
    for (number, (what, message)) in malformed().into_iter().enumerate() {
        let mut socket = raw(&node).await;
        let end = node.end(number + 1).await;
        socket.send(message).await.unwrap();
        end.until_lost().await;
        assert!(!end.heard.lock().unwrap().iter().any(|frame| frame.contains("later")), "{what}");
    }
    bystander.end.say(numbered(0..1));
    assert_eq!(bystander_end.heard(1).await, numbered(0..1));
    assert!(!bystander_end.lost.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_node_that_answers_nonsense_is_left() {
    let (mut dialed, mut socket) = answering().await;
    socket.send(Message::text(r#"["a",{"s3cret":{}}]"#)).await.unwrap();
    let lost = dialed.lost().await;
    broken(&lost, "of a kind or form that this release does not know, at byte");
    assert!(!lost.to_string().contains("s3cret"), "{lost}");
}

#[tokio::test]
async fn a_message_that_is_too_long_is_not_waited_for() {
    let node = Node::start().await;
    let mut socket = raw(&node).await;
    let end = node.end(0).await;
    // The header of a masked text of a gibibyte.
    let mut header = vec![0x81, 0xff];
    header.extend((1_u64 << 30).to_be_bytes());
    header.extend([0; 4]);
    socket.get_mut().write_all(&header).await.unwrap();
    end.until_lost().await;

    let mut fragments = raw(&node).await;
    let end = node.end(1).await;
    let part = "x".repeat(1024 * 1024);
    let mut data = Data::Text;
    while !end.lost.load(Ordering::SeqCst) {
        let fragment = Frame::message(part.clone(), OpCode::Data(data), false);
        // Once the link is lost, nobody takes them.
        let _ = fragments.send(Message::Frame(fragment)).await;
        data = Data::Continue;
    }
}

#[tokio::test]
async fn a_frame_that_is_too_long_is_not_sent() {
    let (mut dialed, mut socket) = answering().await;
    dialed.end.say(["x".repeat(MAX_MESSAGE_BYTES)]);
    broken(&dialed.lost().await, "a frame cannot be sent");
    let rest = timeout(PATIENCE, async {
        let mut rest = Vec::new();
        socket.get_mut().read_to_end(&mut rest).await.map(|_| rest)
    });
    assert!(rest.await.unwrap().unwrap().len() < 100, "no part of it came");
}

#[tokio::test]
async fn frames_that_are_not_masked_are_refused() {
    let node = Node::start().await;
    let mut socket = raw(&node).await;
    let end = node.end(0).await;
    socket.get_mut().write_all(&[0x81, 5, b'[', b'"', b'a', b'"', b']']).await.unwrap();
    end.until_lost().await;
    assert!(end.heard.lock().unwrap().is_empty());
}

/// What a series has come to; other tests count as well, so it may grow by more than what one does.
fn counted(series: &str) -> f64 {
    let text = Metrics::install().unwrap().render();
    text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok()).unwrap_or(0.0)
}

#[tokio::test]
async fn links_are_counted_with_what_passes_and_why_they_are_lost() {
    const SENT: [&str; 2] =
        [r#"onya_link_frames_total{direction="sent"}"#, r#"onya_link_frames_total{direction="received"}"#];
    const BYTES: [&str; 2] =
        [r#"onya_link_bytes_total{direction="sent"}"#, r#"onya_link_bytes_total{direction="received"}"#];
    const LOST: [&str; 2] = [
        r#"onya_link_losses_total{direction="dialed",reason="closed"}"#,
        r#"onya_link_losses_total{direction="accepted",reason="closed_by_peer"}"#,
    ];
    let before = [SENT, BYTES, LOST].map(|series| series.map(counted));
    let node = Node::start().await;
    let mut dialed = Dialed::to(node.member());
    let accepted = node.end(0).await;
    dialed.end.say(["a".to_owned(), "b".to_owned(), "c".to_owned()]);
    accepted.heard(3).await;
    assert!(counted(r#"onya_links{direction="dialed"}"#) >= 1.0);
    assert!(counted(r#"onya_links{direction="accepted"}"#) >= 1.0);
    dialed.end.close();
    dialed.lost().await;
    accepted.until_lost().await;
    node.stop().await;
    let least = [3.0, r#"["a","b","c"]"#.len() as f64, 1.0];
    for ((series, before), least) in [SENT, BYTES, LOST].into_iter().zip(before).zip(least) {
        for (series, before) in series.into_iter().zip(before) {
            assert!(counted(series) >= before + least, "{series} was {before}");
        }
    }
}
