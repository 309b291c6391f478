//! Composition root: settings → adapters → actors → edge, and back in reverse when the process is told to stop.
//!
//! ```text
//! start   telemetry · ports bound · keys · store · cluster · redis · model · actors · edge · ready
//! drain   not ready · draining member · replies finish · batches flushed · ownership given up · sockets closed · ports closed · telemetry
//! ```
//!
//! The only module that knows all its siblings. Nothing is decided here that a setting does not say.

mod anchors;
mod cluster;
mod goodbye;
mod indexing;
mod links;
mod probes;
mod record;
mod redis;
mod settings;
mod upkeep;
mod world;

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use onya_actors::ports::{Clock, EventLog, Member, Membership, Model, Random};
use onya_actors::{Ports, Sessions};
use onya_core::Incarnation;
use onya_core::conversation::Policy;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::goodbye::Signals;
use self::links::Links;
use self::upkeep::Upkeep;
use self::world::{SystemClock, SystemRandom};
use crate::auth::{Issuer, KeySet, Verifier};
use crate::config::{Config, Loaded};
use crate::edge::{self, Edge, Listening, Origins, Pages, Probe, Readiness, ServeLimits, Sockets};
use crate::telemetry::Telemetry;
use crate::{llm, store};

/// Where the server can be reached.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The server for customers and staff.
    pub server: SocketAddr,
    /// `/metrics`.
    pub metrics: SocketAddr,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was told to stop, and everything was brought to its end.
    Stopped,
    /// A part that everything needs has crashed.
    Failed,
}

/// Everything that runs.
struct Running {
    sessions: Sessions,
    edge: Arc<Edge>,
    /// Told to stop taking connections.
    stop: CancellationToken,
    /// The tasks that take connections.
    servers: TaskTracker,
    /// Keeps this node a member, if there is a cluster.
    cluster: Option<cluster::Cluster>,
    /// Makes anchors, if nobody else can.
    anchors: Option<anchors::Anchors>,
    /// Closed last.
    log: Arc<dyn EventLog>,
}

/// What the store is told; `onya migrate` tells it the same.
#[must_use]
pub fn store_settings(config: &Config) -> store::Settings {
    settings::store(config)
}

/// The rules in force, for tools that compare with what a server decided.
#[must_use]
pub fn policy(config: &Config) -> Policy {
    settings::actors(config).policy
}

/// Runs the server until it is told to stop. `announce` is told the addresses as soon as it serves.
///
/// # Errors
/// When a part of it cannot start.
pub async fn run(loaded: Loaded, announce: impl FnOnce(Addresses)) -> anyhow::Result<Ending> {
    let config = &loaded.config;
    let telemetry = Telemetry::start(config)?;
    tracing::info!(profile = config.profile.name(), version = env!("CARGO_PKG_VERSION"), "starting");
    let outcome = Box::pin(run_until_told(&loaded, &telemetry, announce)).await;
    if let Err(error) = &outcome {
        tracing::error!(error = format!("{error:#}"), "cannot start");
    }
    telemetry.shutdown().await;
    outcome
}

async fn run_until_told(
    loaded: &Loaded,
    telemetry: &Telemetry,
    announce: impl FnOnce(Addresses),
) -> anyhow::Result<Ending> {
    let mut signals = Signals::listen()?;
    let ports = BoundPorts::bind(&loaded.config).await?;
    let addresses = Addresses { server: ports.server.address, metrics: ports.metrics.address };
    let mut running = signals.unless_told(start(loaded, telemetry, ports)).await?;
    running.edge.ready.set(true);
    if let Some(cluster) = &running.cluster {
        cluster.ready(running.sessions.clone(), Arc::clone(&running.edge)).await?;
    }
    tracing::info!(address = %addresses.server, metrics = %addresses.metrics, "ready");
    announce(addresses);
    let ending = running.end(&mut signals).await;
    if ending == Ending::Stopped {
        goodbye::drain(&running, &mut signals).await;
    }
    Ok(ending)
}

impl Running {
    /// Waits until it is to end, and says how.
    async fn end(&mut self, signals: &mut Signals) -> Ending {
        let cluster = self.cluster.as_ref();
        tokio::select! {
            () = signals.told() => Ending::Stopped,
            () = cluster::told_to_drain(cluster) => Ending::Stopped,
            () = cluster::expelled(cluster) => Ending::Failed,
            () = self.sessions.failed() => {
                tracing::error!("a part that everything needs has crashed; a new process starts clean");
                Ending::Failed
            }
        }
    }
}

struct BoundPorts {
    server: Listening,
    metrics: Listening,
}

impl BoundPorts {
    /// First of all: a port that is taken must show before a database is changed.
    async fn bind(config: &Config) -> anyhow::Result<Self> {
        let server = (config.server.host, config.server.port).into();
        let metrics = (config.metrics.host, config.metrics.port).into();
        Ok(Self {
            server: Listening::bind(server)
                .await
                .with_context(|| format!("cannot listen on {server} (server.port)"))?,
            metrics: Listening::bind(metrics)
                .await
                .with_context(|| format!("cannot listen on {metrics} (metrics.port)"))?,
        })
    }
}

async fn start(loaded: &Loaded, telemetry: &Telemetry, ports: BoundPorts) -> anyhow::Result<Running> {
    let config = &loaded.config;
    create_data_dir(&config.node.data_dir)?;
    let keys = KeySet::load_or_generate(&config.auth)?;
    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let me = Incarnation(Uuid::now_v7());
    let links = Links::bind(config, &keys, me).await?;
    let store = connect_store(config, (me, links.as_ref()), &*clock).await?;
    let cluster = cluster::join(config, &store, me).await?;
    record::start((&store, &*clock), loaded, &keys).await?;
    let anchors = anchors::start(config, &store)?;
    let (log, audit) = (store.log, store.audit);
    let mut upkeep = Upkeep::new(config);
    upkeep.look().await;
    let redis = redis::connect(config).await?;
    let model: Arc<dyn Model> = llm::build(settings::llm(config), Arc::clone(&clock), Arc::clone(&random))?;
    let others = cluster.as_ref().zip(links.as_ref()).map(|(cluster, links)| onya_actors::ports::Cluster {
        membership: Arc::new(cluster.roster.clone()),
        transport: links.transport(),
    });
    let world = Ports { log: Arc::clone(&log), audit, model, clock, random: Arc::clone(&random), cluster: others };
    let sessions = Sessions::start(world, settings::actors(config)).await.context("the actors cannot start")?;
    let mut parts: Vec<Box<dyn Probe>> =
        vec![Box::new(probes::StoreProbe(Arc::clone(&log))), Box::new(probes::ModelProbe::new(&config.llm))];
    parts.extend(redis.map(|redis| Box::new(redis) as Box<dyn Probe>));
    let edge = Arc::new(Edge {
        sessions: sessions.clone(),
        verifier: Verifier::new(&keys, &config.auth),
        issuer: Issuer::new(&keys, &config.auth),
        origins: Origins::only(config.server.effective_origins(ports.server.address.port())),
        pages: Pages::new(&config.web),
        sockets: Sockets::new(config.server.max_sockets),
        limits: settings::edge(config),
        probes: parts,
        random,
        node: config.node.name.clone(),
        ready: Readiness::default(),
    });
    let (header_timeout_ms, accepts_per_second) =
        (config.server.header_timeout_ms, Some(config.server.accepts_per_second));
    let limits = ServeLimits { header_timeout_ms, accepts_per_second };
    let (stop, servers) = (CancellationToken::new(), TaskTracker::new());
    servers.spawn(edge::serve(ports.server, edge::router(Arc::clone(&edge)), limits, stop.clone()));
    let membership = cluster.as_ref().map(|cluster| Arc::new(cluster.roster.clone()) as Arc<dyn Membership>);
    let metrics = edge::metrics_router(telemetry.metrics.clone(), membership);
    let limits = ServeLimits { accepts_per_second: None, ..limits };
    servers.spawn(edge::serve(ports.metrics, metrics, limits, stop.clone()));
    if let Some(links) = links {
        servers.spawn(links.serve(sessions.clone(), stop.clone()));
    }
    servers.spawn(upkeep.watch(stop.clone()));
    servers.spawn(indexing::run(Arc::clone(&log), stop.clone()));
    servers.close();
    Ok(Running { sessions, edge, stop, servers, cluster, anchors, log })
}

/// What lies in it is nobody else's business: conversations, and keys that make tokens.
fn create_data_dir(path: &Path) -> anyhow::Result<()> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.with_context(|| format!("the data folder {} cannot be created", path.display()))
}

/// Connects, and registers this start of the process.
async fn connect_store(
    config: &Config,
    (me, links): (Incarnation, Option<&Links>),
    clock: &dyn Clock,
) -> anyhow::Result<store::Store> {
    let store = store::connect(&settings::store(config), me.0).await?;
    let alone = Member::alone(me.0, &config.node.name, clock.now());
    let member = cluster::member(config, links.map(Links::address), alone)?;
    store.log.register(&member).await.context("this process cannot be registered in the database")?;
    Ok(store)
}
