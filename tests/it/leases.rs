//! Leases in a real Redis: alone, with users, behind sentinels, with TLS.

use std::collections::BTreeMap;
use std::sync::Arc;

use onya::cluster::leases::Leases;
use onya::cluster::redis::RedisSettings;
use onya_actors::ports::{Leases as _, Sighting};
use onya_core::Incarnation;
use onya_core::cluster::{Lease, Times};
use onya_servers::redis::sentinel_file;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use redis::{FromRedisValue, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{Backend, NodeSettings, PATIENCE, RedisServer, eventually};

fn settings(url: String) -> RedisSettings {
    RedisSettings { url, sentinel: (None, None), response_timeout_ms: 500 }
}

/// A member's leases, on a runtime that works.
struct Member {
    me: Incarnation,
    leases: Arc<Leases>,
    sightings: watch::Receiver<Option<Sighting>>,
    tasks: JoinSet<()>,
}

impl Member {
    fn start(settings: &RedisSettings) -> Self {
        let me = Incarnation(Uuid::now_v7());
        let leases = Arc::new(Leases::start(settings, me, Times::default()).unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&leases).show_signs_of_life());
        Self { me, sightings: leases.sightings(), leases, tasks }
    }

    fn key(&self) -> String {
        format!("onya:lease:{}", self.me.0)
    }

    /// Waits for a sighting that is as it should be.
    async fn sees(&mut self, is_it: impl Fn(&Sighting) -> bool) -> Sighting {
        let seen = self.sightings.wait_for(|sighting| sighting.as_ref().is_some_and(&is_it));
        timeout(PATIENCE, seen).await.expect("it does not see that").unwrap().clone().unwrap()
    }
}

fn is_held(lease: Lease) -> bool {
    matches!(lease, Lease::Held { .. })
}

#[tokio::test]
async fn a_lease_is_seen_by_others_as_long_as_it_is_kept() {
    let redis = RedisServer::start().await;
    let (mut observer, other) = (Member::start(&settings(redis.url())), Member::start(&settings(redis.url())));
    observer.leases.watch(vec![other.me]);
    let seen = observer.sees(|sighting| sighting.leases.iter().any(|(_, lease)| is_held(*lease))).await;
    let [(member, Lease::Held { for_ms })] = seen.leases[..] else { panic!("{seen:?}") };
    assert!(member == other.me && for_ms > 1_000, "{seen:?}");
    observer.sees(|sighting| sighting.steady_ms >= 3_000).await;
    let left = redis.command(&["PTTL", &other.key()]).await;
    assert!(matches!(left, Value::Int(1..=3_000)), "it has been renewed for longer than it lasts: {left:?}");
    other.leases.release().await;
    assert_eq!(redis.command(&["EXISTS", &other.key()]).await, Value::Int(0), "it does not have to end by itself");
    observer.sees(|sighting| sighting.leases == [(other.me, Lease::Missing)]).await;
}

#[tokio::test]
async fn a_server_whose_runtime_gets_nothing_done_loses_its_lease() {
    let redis = RedisServer::start().await;
    let mut hung = Member::start(&settings(redis.url()));
    hung.sees(|_| true).await;
    hung.tasks.abort_all();
    let gone = async || (redis.command(&["EXISTS", &hung.key()]).await == Value::Int(0)).then_some(());
    eventually(gone).await;
}

#[tokio::test]
async fn a_lease_of_another_holder_is_neither_renewed_nor_given_up() {
    let redis = RedisServer::start().await;
    let mut member = Member::start(&settings(redis.url()));
    member.sees(|_| true).await;
    redis.command(&["SET", &member.key(), "somebody else"]).await;
    let scripts = async || {
        let text: String = redis::from_redis_value(redis.command(&["INFO", "commandstats"]).await).unwrap();
        let calls = text.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="))?;
        calls.split(',').next()?.parse::<u32>().ok()
    };
    let before = eventually(scripts).await;
    eventually(async || scripts().await.filter(|calls| *calls > before + 1)).await;
    member.leases.release().await;
    let holder = redis.command(&["GET", &member.key()]).await;
    assert_eq!(holder, Value::BulkString(b"somebody else".to_vec()));
}

#[tokio::test]
async fn a_redis_that_has_lost_everything_is_not_steady() {
    let redis = RedisServer::start().await;
    let mut member = Member::start(&settings(redis.url()));
    member.sees(|sighting| sighting.steady_ms > 1_500).await;
    redis.command(&["FLUSHALL"]).await;
    member.sees(|sighting| sighting.steady_ms < 1_000).await;
}

/// What a user of Onya's needs, as docs/CLUSTER.md lists it; `+role` besides behind sentinels.
const RIGHTS: &str =
    "on >s3cret ~onya:* resetchannels -@all +get +set +del +pttl +evalsha +script|load +info +select +role";

#[tokio::test]
async fn a_user_with_the_listed_rights_is_enough() {
    let user: Vec<&str> = ["--user", "onya"].into_iter().chain(RIGHTS.split_whitespace()).collect();
    let redis = RedisServer::with(&[&user[..], &["--user", "default", "off"]].concat()).await;
    let own = |password: &str| settings(format!("redis://onya:{password}@{}", redis.address()));
    let mut member = Member::start(&own("s3cret"));
    member.sees(|sighting| sighting.steady_ms > 1_500).await;
    let node = NodeSettings::new(Backend::Sqlite).await.with("REDIS_URL", own("s3cret").url).start().await;
    assert_eq!(node.shows(node.url("/health")).await.ok()["status"], "ok");
}

/// A master, its replica and a sentinel that watches them; all of them ask for passwords.
struct Failover {
    master: RedisServer,
    replica: RedisServer,
    sentinel: RedisServer,
    _folder: tempfile::TempDir,
}

impl Failover {
    async fn start() -> Self {
        let rights = format!("{RIGHTS} +role");
        let user = ["--user", "onya"].into_iter().chain(rights.split_whitespace());
        let password: Vec<&str> =
            ["--requirepass", "s3cret", "--masterauth", "s3cret"].into_iter().chain(user).collect();
        let master = RedisServer::with(&password).await;
        let port = master.address().port();
        let of_master = ["--replicaof", "127.0.0.1", &port.to_string()];
        let replica = RedisServer::with(&[&password[..], &of_master].concat()).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sentinel.conf");
        let lines = sentinel_file(port, 1, 500) + "sentinel auth-pass onya s3cret\nrequirepass guard\n";
        std::fs::write(&file, lines).unwrap();
        let sentinel = RedisServer::with(&[file.to_str().unwrap(), "--sentinel"]).await;
        let failover = Self { master, replica, sentinel, _folder: folder };
        let is_linked = |replica: &BTreeMap<String, String>| replica["master-link-status"] == "ok";
        let is_known = |replicas: &Vec<_>| replicas.len() == 1 && replicas.iter().all(is_linked);
        eventually(async || failover.ask(&["SENTINEL", "REPLICAS", "onya"]).await.filter(is_known)).await;
        failover
    }

    async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let client = redis::Client::open(format!("redis://:guard@{}", self.sentinel.address())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.ok()
    }

    fn settings(&self) -> RedisSettings {
        // The first of the sentinels is gone.
        let url = format!("redis+sentinel://onya:s3cret@127.0.0.1:1,{}/onya", self.sentinel.address());
        RedisSettings { url, sentinel: (None, Some("guard".to_owned())), response_timeout_ms: 500 }
    }

    /// Waits until the server that was the replica takes writes, and the key is written there.
    async fn moves(&self, key: &str) {
        let client = redis::Client::open(format!("redis://:s3cret@{}", self.replica.address())).unwrap();
        let ask = async |words: &[&str]| -> Option<Value> {
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            let mut command = redis::cmd(words[0]);
            command.arg(&words[1..]);
            command.query_async(&mut connection).await.ok()
        };
        eventually(async || ask(&["ROLE"]).await.filter(|role| format!("{role:?}").contains("master"))).await;
        // The one that was replicated from the master before.
        eventually(async || ask(&["DEL", key]).await).await;
        eventually(async || ask(&["EXISTS", key]).await.filter(|exists| *exists == Value::Int(1))).await;
    }
}

#[tokio::test]
async fn behind_sentinels_the_lease_goes_with_the_master_when_it_dies() {
    let mut failover = Failover::start().await;
    let mut member = Member::start(&failover.settings());
    member.sees(|_| true).await;
    failover.master.kill().await;
    failover.moves(&member.key()).await;
}

#[tokio::test]
async fn behind_sentinels_the_lease_leaves_a_master_that_has_become_a_replica() {
    let failover = Failover::start().await;
    let mut member = Member::start(&failover.settings());
    member.sees(|_| true).await;
    eventually(async || failover.ask::<()>(&["SENTINEL", "FAILOVER", "onya"]).await).await;
    failover.moves(&member.key()).await;
}

#[tokio::test]
async fn a_node_finds_redis_by_its_sentinels_and_over_tls() {
    let failover = Failover::start().await;
    let settings = NodeSettings::new(Backend::Sqlite).await;
    let sentinels = settings
        .clone()
        .with("REDIS_URL", failover.settings().url)
        .with("ONYA_REDIS__SENTINEL_PASSWORD", "guard")
        .start()
        .await;
    assert_eq!(sentinels.shows(sentinels.url("/health")).await.ok()["status"], "ok");

    let (folder, redis) = redis_with_tls().await;
    let trusted = folder.path().join("ca.pem");
    let url = format!("rediss://127.0.0.1:{}", redis.1);
    let over_tls = settings.beside().with("REDIS_URL", &url);
    let node = over_tls.clone().with("SSL_CERT_FILE", trusted.display()).start().await;
    assert_eq!(node.shows(node.url("/health")).await.ok()["status"], "ok");
    let refused =
        over_tls.beside().with("SSL_CERT_FILE", folder.path().join("other.pem").display()).run(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(1), "its certificate is of nobody that is trusted: {refused:?}");
}

/// A Redis whose certificate is of an authority in `ca.pem`, and not of the one in `other.pem`; and its port.
async fn redis_with_tls() -> (tempfile::TempDir, (RedisServer, u16)) {
    let authority = || {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
    };
    let (ca, other, key) = (authority(), authority(), KeyPair::generate().unwrap());
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files =
        [("ca.pem", ca.pem()), ("other.pem", other.pem()), ("leaf.pem", leaf.pem()), ("key.pem", key.serialize_pem())];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let port = crate::support::nginx::free_address().port();
    let redis = RedisServer::with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &path("leaf.pem"),
        "--tls-key-file",
        &path("key.pem"),
        "--tls-ca-cert-file",
        &path("ca.pem"),
        "--tls-auth-clients",
        "no",
    ])
    .await;
    (folder, (redis, port))
}
