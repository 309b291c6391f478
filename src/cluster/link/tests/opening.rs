//! Who opens a link and who takes one know each other, or there is no link.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::client;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};

use super::*;
use crate::telemetry::Metrics;

fn refused(lost: &LinkLost, part: &str) {
    assert!(matches!(lost, LinkLost::Refused(why) if why.contains(part)), "{lost:?}");
}

fn unreachable(lost: &LinkLost, part: &str) {
    assert!(matches!(lost, LinkLost::Unreachable(why) if why.contains(part)), "{lost:?}");
}

#[tokio::test]
async fn each_side_learns_which_process_the_other_one_is() {
    let node = Node::start().await;
    let me = incarnation();
    let dialed = Dialed::by(Dialer::new(keys(me), patient()), node.member());
    dialed.end.until_open().await;
    node.end(0).await;
    assert_eq!(node.ends.lock().unwrap()[0].0, me);
}

#[tokio::test]
async fn nobody_else_is_answered() {
    Metrics::install().unwrap();
    let node = Node::start().await;
    let me = incarnation();
    let nonce = || Nonce::draw().unwrap().to_string();
    let prove = |key, purpose, to| Keys { key, me }.prove(purpose, to, &nonce()).unwrap();
    let proofs = [
        ("another key", prove("another", Purpose::Dial, node.me)),
        ("for another process", prove(CLUSTER, Purpose::Dial, incarnation())),
        ("an answer", prove(CLUSTER, Purpose::Answer, node.me)),
        ("a nonce that is none", keys(me).prove(Purpose::Dial, node.me, "1").unwrap()),
        ("nothing", String::new()),
        ("nonsense", "nonsense".to_owned()),
    ];
    for (what, proof) in proofs {
        let status = denied(shake(node.address, &proof).await);
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
    }
    assert_eq!(node.links(), 0);
    assert!(Metrics::install().unwrap().render().contains(r#"onya_link_refusals_total{reason="proof"} "#));
}

fn denied(shaken: Result<(WebSocketStream<TcpStream>, client::Response), Error>) -> StatusCode {
    match shaken {
        Err(Error::Http(response)) => {
            assert!(response.body().as_ref().is_none_or(Vec::is_empty), "nobody is told why");
            response.status()
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[tokio::test]
async fn a_proof_opens_one_link() {
    let node = Node::start().await;
    let proof = proof_for(&node);
    let (_socket, _) = shake(node.address, &proof).await.unwrap();
    let end = node.end(0).await;
    assert_eq!(denied(shake(node.address, &proof).await), StatusCode::UNAUTHORIZED);
    assert!(!end.lost.load(Ordering::SeqCst), "whoever listened in takes nobody's place");
}

async fn status_of(node: &Node, change: impl FnOnce(&mut client::Request)) -> StatusCode {
    let mut request = handshake::request(&node.address.to_string(), &proof_for(node), LINK_VERSIONS).unwrap();
    change(&mut request);
    denied(client_async(request, TcpStream::connect(node.address).await.unwrap()).await)
}

#[tokio::test]
async fn browsers_are_refused_whatever_they_show() {
    let node = Node::start().await;
    for origin in ["http://127.0.0.1:3000", "null", ""] {
        let status = status_of(&node, |request| {
            request.headers_mut().insert(ORIGIN, HeaderValue::from_static(origin));
        });
        assert_eq!(status.await, StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!(node.links(), 0);
}

#[tokio::test]
async fn a_request_for_anything_else_is_refused() {
    let node = Node::start().await;
    let path = status_of(&node, |request| *request.uri_mut() = "ws://node/v1/desk/socket".parse().unwrap());
    assert_eq!(path.await, StatusCode::NOT_FOUND);
    let token = status_of(&node, |request| drop(request.headers_mut().remove(AUTHORIZATION)));
    assert_eq!(token.await, StatusCode::UNAUTHORIZED);
    let scheme = status_of(&node, |request| {
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
    });
    assert_eq!(scheme.await, StatusCode::UNAUTHORIZED);
    let version = status_of(&node, |request| drop(request.headers_mut().remove(SEC_WEBSOCKET_PROTOCOL)));
    assert_eq!(version.await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn releases_agree_on_a_version_or_have_no_link() {
    let table: &[(&[u16], &[u16], Option<u16>)] = &[
        (&[2, 1], &[1], Some(1)),
        (&[1], &[2, 1], Some(1)),
        (&[2, 1], &[2, 1], Some(2)),
        (&[3, 2], &[2, 1], Some(2)),
        (&[3, 2], &[1], None),
        (&[1], &[3, 2], None),
    ];
    for (dialing, answering, fits) in table {
        let node = Node::with(settings(), answering).await;
        let dialer = Dialer::new(keys(incarnation()), patient()).speaking(dialing);
        let mut dialed = Dialed::by(dialer, node.member());
        if let Some(version) = fits {
            dialed.end.until_open().await;
            assert_eq!(dialed.end.version.load(Ordering::SeqCst), *version);
        } else {
            refused(&dialed.lost().await, "no version");
        }
    }
}

#[tokio::test]
async fn a_process_that_is_not_the_one_meant_is_left() {
    let node = Node::start().await;
    let before = member(incarnation(), node.address.to_string());
    let mut dialed = Dialed::to(before);
    refused(&dialed.lost().await, "another process has this address");
    assert!(!dialed.end.opened.load(Ordering::SeqCst));
    assert_eq!(node.links(), 0);
}

/// What a process answers with, which the dialer takes for this one and which has read its proof.
type Answer = fn(Incarnation, &Proven) -> Option<String>;

/// Answers a dialer, whoever it is.
struct Impostor(Incarnation, Answer);

impl Callback for Impostor {
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let Self(meant, answer) = self;
        let proven = keys(meant).check(Purpose::Dial, handshake::proof(request.headers()).unwrap()).unwrap();
        let headers = response.headers_mut();
        if let Some(answer) = answer(meant, &proven) {
            headers.insert(handshake::PROOF, HeaderValue::try_from(answer).unwrap());
        }
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("onya-link.1"));
        Ok(response)
    }
}

async fn lost_to(answer: Answer) -> LinkLost {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let meant = incarnation();
    let mut dialed = Dialed::to(member(meant, listener.local_addr().unwrap().to_string()));
    let stream = listener.accept().await.unwrap().0;
    let _socket = accept_hdr_async(stream, Impostor(meant, answer)).await.unwrap();
    let lost = dialed.lost().await;
    assert!(!dialed.end.opened.load(Ordering::SeqCst));
    lost
}

#[tokio::test]
async fn whoever_answers_without_a_proof_is_left() {
    let answers: [(&str, Answer); 7] = [
        ("no proof", |_, _| None),
        ("nonsense", |_, _| Some("nonsense".to_owned())),
        ("another key", |me, heard| prove(Keys { key: "another", me }, Purpose::Answer, (heard.from, &heard.nonce))),
        ("another process", |_, heard| prove(keys_of(incarnation()), Purpose::Answer, (heard.from, &heard.nonce))),
        ("for somebody else", |me, heard| prove(keys_of(me), Purpose::Answer, (me, &heard.nonce))),
        ("what opens links", |me, heard| prove(keys_of(me), Purpose::Dial, (heard.from, &heard.nonce))),
        ("of an earlier link", |me, heard| {
            prove(keys_of(me), Purpose::Answer, (heard.from, &Nonce::draw().unwrap().to_string()))
        }),
    ];
    for (what, answer) in answers {
        let lost = lost_to(answer).await;
        assert!(matches!(lost, LinkLost::Refused(_)), "{what}: {lost:?}");
    }
}

fn keys_of(me: Incarnation) -> Keys {
    Keys { key: CLUSTER, me }
}

fn prove(keys: Keys, purpose: Purpose, (to, nonce): (Incarnation, &str)) -> Option<String> {
    keys.prove(purpose, to, nonce).ok()
}

#[tokio::test]
async fn a_member_that_cannot_be_reached_is_told_from_one_that_refuses() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let dial = |address: &str| Dialed::to(member(incarnation(), address.to_owned()));
    unreachable(&dial(&address).lost().await, "refused");
    for address in ["", "nowhere", "a b:1"] {
        unreachable(&dial(address).lost().await, "");
    }
}

#[tokio::test]
async fn a_member_that_does_not_answer_in_time_cannot_be_reached() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let times = LinkTimes { handshake: Duration::from_millis(50), ..patient() };
    let there = member(incarnation(), silent.local_addr().unwrap().to_string());
    let mut dialed = Dialed::by(Dialer::new(keys(incarnation()), times), there);
    unreachable(&dialed.lost().await, "no answer in time");
}

#[tokio::test]
async fn another_kind_of_server_is_no_member() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ];
    for answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut dialed = Dialed::to(member(incarnation(), listener.local_addr().unwrap().to_string()));
        let mut stream = listener.accept().await.unwrap().0;
        stream.write_all(answer.as_bytes()).await.unwrap();
        let lost = dialed.lost().await;
        assert!(matches!(lost, LinkLost::Refused(_) | LinkLost::Unreachable(_)), "{answer}: {lost:?}");
        assert!(!dialed.end.opened.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn there_are_not_more_links_than_there_may_be() {
    let node = Node::with(LinkSettings { max_links: 2, ..settings() }, LINK_VERSIONS).await;
    let again = Dialer::new(keys(incarnation()), patient());
    let first = Dialed::by(again.clone(), node.member());
    let second = Dialed::to(node.member());
    first.end.until_open().await;
    second.end.until_open().await;
    unreachable(&Dialed::to(node.member()).lost().await, "no place");
    Dialed::by(again, node.member()).end.until_open().await;
}

#[tokio::test]
async fn connections_that_prove_nothing_are_few_and_short() {
    let times = LinkTimes { handshake: Duration::from_millis(200), ..patient() };
    let node = Node::with(LinkSettings { max_handshakes: 2, times, ..settings() }, LINK_VERSIONS).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(b"GET /link HTTP/1.1\r\n").await.unwrap();
        silent.push(stream);
    }
    for mut stream in silent {
        let closed = timeout(PATIENCE, stream.read(&mut [0; 16])).await.expect("it is kept");
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    }
    Dialed::to(node.member()).end.until_open().await;
}
