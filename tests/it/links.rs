//! The port on which nodes take links from each other, with the keys that tokens are signed with: an outsider is refused,
//! and so is everybody who holds a token and no key.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use onya::auth::{Issuer, KeySet, LinkProofs, LinkPurpose, Role};
use onya::cluster::link::{Acceptor, Dialer, LinkSettings, LinkTimes};
use onya::config::{AuthConfig, Inputs, load};
use onya_actors::ports::{LinkEnd, LinkLost};
use onya_core::cluster::{Member, MemberRole, Standing};
use onya_core::{Incarnation, ParticipantId};
use onya_protocol::peer::{ToEdge, ToOwner};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Dialled, PATIENCE, Wire};

const NOW: &str = "abababababababababababababababababababababababababababababababab";
const BEFORE: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
const SITE: &str = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

fn config(signing_keys: &str) -> AuthConfig {
    let mut config = load(&Inputs::default()).unwrap().config.auth;
    config.keys_file = Path::new("unused").to_owned();
    config.signing_keys = Some(signing_keys.to_owned().into());
    config.identity_keys = Some(format!("shop:{SITE}").into());
    config
}

fn cluster() -> AuthConfig {
    config(&format!("now:{NOW},before:{BEFORE}"))
}

fn proofs(config: &AuthConfig, me: Incarnation) -> LinkProofs {
    LinkProofs::new(&KeySet::load_or_generate(config).unwrap(), config, me)
}

fn incarnation() -> Incarnation {
    Incarnation(Uuid::now_v7())
}

/// An end that has nothing to say and hears nothing.
struct Idle<S, R>(PhantomData<fn(R) -> S>);

impl<S, R> Default for Idle<S, R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<S: Send + 'static, R: Send + 'static> LinkEnd for Idle<S, R> {
    type Sent = S;
    type Received = R;

    async fn next(&self) -> Option<VecDeque<S>> {
        std::future::pending().await
    }

    fn received(&self, _: R) {}
}

/// A node that takes links.
struct Node {
    me: Incarnation,
    address: SocketAddr,
    edges: Arc<Mutex<Vec<Incarnation>>>,
    came: Arc<Notify>,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl Node {
    async fn start() -> Self {
        let me = incarnation();
        let settings = LinkSettings::at("127.0.0.1:0".parse().unwrap());
        let acceptor = Acceptor::bind(settings, Arc::new(proofs(&cluster(), me))).await.unwrap();
        let (address, stop) = (acceptor.address(), CancellationToken::new());
        let edges: Arc<Mutex<Vec<Incarnation>>> = Arc::default();
        let came = Arc::new(Notify::new());
        let accept = {
            let (edges, came) = (Arc::clone(&edges), Arc::clone(&came));
            move |edge| {
                edges.lock().unwrap().push(edge);
                came.notify_one();
                Arc::new(Idle::<ToEdge, ToOwner>::default())
            }
        };
        let mut serving = JoinSet::new();
        serving.spawn(acceptor.serve(accept, |_| {}, stop.clone()));
        Self { me, address, edges, came, stop, serving }
    }

    fn member(&self) -> Member {
        Member {
            incarnation: self.me,
            name: "other".to_owned(),
            address: self.address.to_string(),
            role: MemberRole::Both,
            standing: Standing::Live,
            release: "1".to_owned(),
        }
    }

    /// The status with which somebody is answered who shows this.
    async fn answer(&self, proof: &str) -> u16 {
        self.answer_to(&[("authorization", &format!("Bearer {proof}")), ("sec-websocket-protocol", "onya-link.1")])
            .await
    }

    async fn answer_to(&self, headers: &[(&str, &str)]) -> u16 {
        match Wire::dial(&format!("ws://{}/link", self.address), headers).await {
            Dialled::Open(_) => 101,
            Dialled::Refused(status, body) => {
                assert_eq!(body, "", "an outsider is told nothing");
                status
            }
        }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        timeout(PATIENCE, self.serving.join_next()).await.unwrap();
    }
}

/// What a node of the cluster would say of itself.
fn claims(node: &Node) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    json!({
        "iss": incarnation(), "aud": node.me, "purpose": "link_dial", "nonce": Uuid::now_v7().simple().to_string(),
        "iat": now, "nbf": now, "exp": now + 30,
    })
}

fn signed(claims: &Value, kid: &str, secret: u8) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(&[secret; 32])).unwrap()
}

fn outsiders(node: &Node) -> Vec<(&'static str, String)> {
    let good = claims(node);
    let with = |key: &str, value: Value| {
        let mut claims = claims(node);
        claims[key] = value;
        signed(&claims, "now", 0xab)
    };
    let issuer = Issuer::new(&KeySet::load_or_generate(&cluster()).unwrap(), &cluster());
    let of_staff = |role| issuer.staff(ParticipantId(Uuid::now_v7()), role, "Ada").unwrap().token;
    let stranger = config(&format!("now:{}", "99".repeat(32)));
    let nonce = Uuid::now_v7().simple().to_string();
    let by = |config: &AuthConfig, purpose, to| proofs(config, incarnation()).make(purpose, to, &nonce).unwrap();
    vec![
        ("nobody", String::new()),
        ("somebody with nonsense", "nonsense".to_owned()),
        ("a customer", issuer.anonymous_customer().unwrap().token),
        ("an agent", of_staff(Role::Agent)),
        ("an administrator", of_staff(Role::Admin)),
        ("another service", of_staff(Role::Service)),
        ("a company's site", signed(&good, "shop", 0xee)),
        ("a company's site under a name of ours", signed(&good, "now", 0xee)),
        ("a node of another cluster", by(&stranger, LinkPurpose::LinkDial, node.me)),
        ("a node whose key is gone", signed(&good, "long-ago", 0xab)),
        ("a node that means another process", by(&cluster(), LinkPurpose::LinkDial, incarnation())),
        ("a node that shows what it was answered with", by(&cluster(), LinkPurpose::LinkAnswer, node.me)),
        ("a node with an old proof", with("exp", json!(good["iat"].as_u64().unwrap() - 60))),
        ("a node with a proof for later", with("nbf", json!(good["iat"].as_u64().unwrap() + 600))),
        ("a node with a proof for a year", with("exp", json!(good["iat"].as_u64().unwrap() + 31_536_000))),
        ("a node without a nonce", with("nonce", json!(""))),
        ("a node whose nonce is no nonce", with("nonce", json!("1"))),
        ("a node without a purpose", with("purpose", json!(null))),
    ]
}

#[tokio::test]
async fn an_outsider_is_refused() {
    let node = Node::start().await;
    for (who, proof) in outsiders(&node) {
        assert_eq!(node.answer(&proof).await, 401, "{who}");
    }
    let good = || format!("Bearer {}", signed(&claims(&node), "now", 0xab));
    let version = ("sec-websocket-protocol", "onya-link.1");
    let from_browser = [("authorization", &*good()), version, ("origin", "http://127.0.0.1:3000")];
    assert_eq!(node.answer_to(&from_browser).await, 403);
    assert_eq!(node.answer_to(&[("authorization", &*good()), ("sec-websocket-protocol", "onya-link.0")]).await, 400);
    assert_eq!(node.answer_to(&[version]).await, 401);
    assert!(node.edges.lock().unwrap().is_empty());
    node.stop().await;
}

#[tokio::test]
async fn a_node_is_answered_once_for_each_proof_under_any_key() {
    let node = Node::start().await;
    for (kid, secret) in [("now", 0xab), ("before", 0xcd)] {
        let proof = signed(&claims(&node), kid, secret);
        assert_eq!(node.answer(&proof).await, 101, "{kid}");
        assert_eq!(node.answer(&proof).await, 401, "{kid}, again");
    }
    node.stop().await;
}

#[tokio::test]
async fn nodes_with_the_same_keys_have_a_link_and_others_have_none() {
    let node = Node::start().await;
    let dial = |config: &AuthConfig| {
        let me = incarnation();
        let (dialer, to) = (Dialer::new(Arc::new(proofs(config, me)), LinkTimes::default()), node.member());
        (me, async move { dialer.carry(&to, &Idle::<ToOwner, ToEdge>::default(), |_, _| {}).await })
    };
    let (_, refused) = dial(&config(&format!("now:{}", "99".repeat(32))));
    let lost = timeout(PATIENCE, refused).await.unwrap();
    assert!(matches!(&lost, LinkLost::Refused(why) if why.contains("keys differ")), "{lost:?}");
    // In the middle of a rotation: it signs with a key that others only check with.
    let (me, carried) = dial(&config(&format!("before:{BEFORE},now:{NOW}")));
    let mut carrying = JoinSet::new();
    carrying.spawn(carried);
    timeout(PATIENCE, node.came.notified()).await.unwrap();
    assert_eq!(*node.edges.lock().unwrap(), [me]);
    node.stop().await;
    let lost = timeout(PATIENCE, carrying.join_next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(lost, LinkLost::Broken(_)), "{lost:?}");
}
