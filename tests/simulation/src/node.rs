//! One node: the real actors, membership and links, over simulated ports. Only the edge is a stand-in: frames are lines on a
//! connection, and whoever says who it is is believed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use onya::cluster::link::{Acceptor, Dialer, LinkSettings, LinkTimes};
use onya_actors::ports::{Cluster, EventLog as _, Load, Member, Members};
use onya_actors::testing::{MemoryAudit, MemoryLeases, SeededRandom};
use onya_actors::{EdgeLink, Identity, Ports, Roster, Sessions};
use onya_core::Incarnation;
use onya_core::cluster::MemberRole;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use turmoil::net::TcpListener;
use uuid::Uuid;

use crate::clock::MachineClock;
use crate::door;
use crate::model::SeededModel;
use crate::network::{Simulated, Trusting};
use crate::record::{Rare, Record};
use crate::store::Store;
use crate::way::Way;
use crate::world;

/// Where a node takes links, and where sockets.
const LINK_PORT: u16 = 7_000;
pub(crate) const SOCKET_PORT: u16 = 80;

/// A machine on which one process after the other runs as the same node.
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    pub(crate) seed: u64,
    pub(crate) store: Store,
    pub(crate) way: Way,
    pub(crate) clock: MachineClock,
    pub(crate) record: Record,
    /// Whether the process that runs is told to stop.
    pub(crate) terminate: watch::Sender<bool>,
    /// The newest start.
    pub(crate) incarnation: watch::Sender<Incarnation>,
    /// Whether a process has come to its end here; what is left of it is to be removed.
    pub(crate) has_ended: AtomicBool,
    starts: AtomicU64,
}

impl Machine {
    pub(crate) fn new(name: &'static str, seed: u64, (store, way): (&Store, Way), record: &Record) -> Arc<Self> {
        Arc::new(Self {
            name,
            seed,
            store: store.clone(),
            way,
            clock: MachineClock::default(),
            record: record.clone(),
            terminate: watch::Sender::new(false),
            incarnation: watch::Sender::new(Incarnation(Uuid::nil())),
            has_ended: AtomicBool::new(false),
            starts: AtomicU64::new(0),
        })
    }

    /// A process, from its start to its end.
    pub(crate) async fn run(self: Arc<Self>) -> turmoil::Result {
        let start = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        let random = SeededRandom::new(self.seed ^ start);
        let me = Incarnation(Uuid::from_u128(u128::from(self.seed) << 64 | u128::from(start)));
        self.record.note(self.name, &format_args!("starts as {me}"));
        self.terminate.send_replace(false);
        self.incarnation.send_replace(me);
        let outcome = self.serve(me, random).await;
        let outcome = outcome.map_err(|error| format!("{error:#}"));
        self.record.note(self.name, &format_args!("has ended: {outcome:?}"));
        self.has_ended.store(true, Ordering::Relaxed);
        std::future::pending().await
    }

    async fn serve(&self, me: Incarnation, random: SeededRandom) -> anyhow::Result<&'static str> {
        let store = self.store.reached_by(me, &self.way);
        let acceptor = Acceptor::bind_on(Simulated, link_settings(), Arc::new(Trusting(me))).await?;
        store.register(&self.member(me)).await?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let leases = MemoryLeases::new(&self.store.cluster, me);
        tasks.spawn(Arc::clone(&leases).run());
        let identity = Identity { incarnation: me, name: self.name.to_owned() };
        let members: Arc<dyn Members> = Arc::clone(&store) as _;
        let roster = Roster::start(identity, (members, Some(leases)), world::times(), (&tasks, stop.clone())).await?;
        let dialer = Dialer::over(Simulated, Arc::new(Trusting(me)), LinkTimes::default());
        let cluster = Cluster { membership: Arc::new(roster.clone()), transport: Arc::new(dialer) };
        let ports = Ports {
            log: store,
            audit: Arc::new(MemoryAudit::default()),
            model: Arc::new(SeededModel(self.seed)),
            clock: Arc::new(self.clock.clone()),
            random: Arc::new(random),
            cluster: Some(cluster),
        };
        let sessions = Sessions::start(ports, world::settings()).await?;
        let (links, edges) = (CancellationToken::new(), sessions.clone());
        let taken = acceptor.serve(move |edge| edges.accept_edge(edge), EdgeLink::lost, links.clone());
        tasks.spawn(taken);
        let carried = sessions.clone();
        roster.carries(move || Load { sockets: 0, conversations: carried.tracked_conversations() as u64 });
        roster.ready().await?;
        let door = TcpListener::bind(("0.0.0.0", SOCKET_PORT)).await?;
        tasks.spawn(door::open(door, sessions.clone()));
        let why = self.until_told(&roster, sessions.clone()).await;
        self.record.note(self.name, &why);
        if why == STOPPED {
            let open = self.open_turns(me);
            sessions.drain().await;
            if open > 0 {
                self.record.hit(Rare::DrainedInTurn);
            }
        }
        links.cancel();
        stop.cancel();
        Ok(why)
    }

    /// Why the process ends.
    async fn until_told(&self, roster: &Roster, mut sessions: Sessions) -> &'static str {
        let mut terminate = self.terminate.subscribe();
        tokio::select! {
            biased;
            _ = terminate.wait_for(|told| *told) => STOPPED,
            () = roster.told_to_drain() => STOPPED,
            _ = roster.expelled() => "is no member any more",
            () = sessions.failed() => "a part has failed",
        }
    }

    fn member(&self, me: Incarnation) -> Member {
        Member {
            incarnation: me.0,
            name: self.name.to_owned(),
            started_at: onya_actors::ports::Clock::now(&self.clock),
            address: format!("{}:{LINK_PORT}", self.name),
            role: MemberRole::Both,
            release: "0.1.0".to_owned(),
        }
    }

    /// In how many conversations of this process a turn is open.
    pub(crate) fn open_turns(&self, me: Incarnation) -> usize {
        world::conversations(&self.record)
            .into_iter()
            .filter(|id| self.store.log.owner(*id) == Some(me))
            .filter(|id| self.store.log.state(*id).is_some_and(|state| state.turn.is_some()))
            .count()
    }
}

const STOPPED: &str = "was told to stop";

fn link_settings() -> LinkSettings {
    LinkSettings { max_links: 16, ..LinkSettings::at(SocketAddr::from(([0, 0, 0, 0], LINK_PORT))) }
}
