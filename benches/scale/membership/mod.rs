//! What membership asks of PostgreSQL and of Redis: the rounds of every pod, over members and leases in memory.
//!
//! Time is simulated, so a minute of a thousand pods takes seconds. Each call of the members' port is one statement of the real
//! one, each look of the leases one command. Views are told with the role of an edge, so that the rings of a thousand pods are not
//! made in one process: a ring's own cost is in `ring.rs`.

mod tally;

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use onya::cluster::link::LinkSettings;
use onya_actors::ports::{Members as _, Membership as _};
use onya_actors::testing::{MemoryCluster, MemoryLeases};
use onya_actors::{Identity, Roster};
use onya_core::Incarnation;
use onya_core::cluster::Times;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::tally::{Counted, Kind, Tally};
use crate::arguments::Arguments;
use crate::measure::number;
use crate::{progress, say};

/// After this time every member is well placed to judge.
const SETTLED: Duration = Duration::from_secs(10);
/// Longest pause between two attempts to open a link.
const REDIAL: Duration = Duration::from_secs(2);
/// For so many seconds refused links are watched.
const REFUSED_FOR: u64 = 5;

/// What happens to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Peace,
    Deaths,
    RedisGone,
    DeathsWithoutRedis,
    /// Each pod has links to as many others as take one, and dials the rest again and again.
    LinksRefused,
}

impl Event {
    const ALL: [Self; 5] = [Self::Peace, Self::Deaths, Self::RedisGone, Self::DeathsWithoutRedis, Self::LinksRefused];

    /// How many links of each of so many pods are refused.
    fn refused(self, pods: u32) -> Result<usize> {
        let taken = LinkSettings::at("127.0.0.1:0".parse()?).max_links;
        Ok(if self == Self::LinksRefused { (pods as usize - 1).saturating_sub(taken) } else { 0 })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peace => "peace",
            Self::Deaths => "1 % dead at once",
            Self::RedisGone => "Redis gone",
            Self::DeathsWithoutRedis => "Redis gone, 1 % dead at once",
            Self::LinksRefused => "links refused",
        })
    }
}

/// One pod's part in it.
struct Pod {
    roster: Roster,
    stop: CancellationToken,
    renewing: JoinSet<()>,
}

pub(crate) fn report(arguments: &Arguments) -> Result<()> {
    say(
        "| pods | what happens | heartbeats/s | looks/s | rows of looks/s | views | rows of views | accusations | verdicts asked for, given | statements/s | busiest second | Redis commands/s | all know after, s |",
    );
    say("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for pods in arguments.pods.iter().copied() {
        for event in Event::ALL {
            if event == Event::LinksRefused && event.refused(pods)? == 0 {
                continue;
            }
            progress(&format!("{pods} members: {event}"));
            // Of what grows with the square of the pods, a few seconds say enough.
            watch(
                pods,
                event,
                if event == Event::LinksRefused { arguments.seconds.min(REFUSED_FOR) } else { arguments.seconds },
            )?;
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn watch(pods: u32, event: Event, seconds: u64) -> Result<()> {
    let (cluster, tally) = (MemoryCluster::new(Times::default()), Arc::new(Tally::default()));
    let tasks = TaskTracker::new();
    let mut running = start(pods, &cluster, (&tally, &tasks)).await?;
    if matches!(event, Event::RedisGone | Event::DeathsWithoutRedis) {
        cluster.set_leases_down(true);
    }
    sleep(SETTLED).await;
    let redialing = redial(&running, event.refused(pods)?);
    let (renewals, began) = (cluster.renewals(), Instant::now());
    tally.begin();
    if matches!(event, Event::Deaths | Event::DeathsWithoutRedis) {
        let dead = (pods / 100).max(1);
        // Spread over the names, from the last on: each is watched by three that live.
        (1..=dead).rev().for_each(|number| drop(running.swap_remove((number * (pods / dead) - 1) as usize)));
    }
    sleep(Duration::from_secs(seconds)).await;
    let commands = cluster.renewals() - renewals;
    let known = tally.last_view().map(|at| at.saturating_duration_since(began));
    row((pods, event, seconds), &tally, (commands, known));
    drop((redialing, running));
    tasks.close();
    tasks.wait().await;
    Ok(())
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.renewing.abort_all();
        self.stop.cancel();
    }
}

/// Tells every pod again and again, as who keeps its links does, that so many others cannot be reached.
fn redial(running: &[Pod], refused: usize) -> JoinSet<()> {
    let mut redialing = JoinSet::new();
    for (at, pod) in running.iter().enumerate().filter(|_| refused > 0) {
        let roster = pod.roster.clone();
        let others: Vec<_> = (1..=refused).map(|next| running[(at + next) % running.len()].roster.me()).collect();
        redialing.spawn(async move {
            loop {
                for other in &others {
                    roster.unreachable(*other);
                    sleep(REDIAL / u32::try_from(others.len()).unwrap_or(u32::MAX)).await;
                }
            }
        });
    }
    redialing
}

/// Registers all of them first, then starts their rounds at moments spread over one heartbeat.
async fn start(pods: u32, cluster: &MemoryCluster, (tally, tasks): (&Arc<Tally>, &TaskTracker)) -> Result<Vec<Pod>> {
    let times = Times::default();
    let mut members = Vec::new();
    for number in 0..pods {
        let me = Incarnation(Uuid::from_u128(1 + u128::from(number)));
        let member = cluster.join(me, &format!("onya-{number}"));
        member.ready().await?;
        members.push((me, member));
    }
    let mut running = Vec::new();
    for (me, member) in members {
        let (leases, stop, mut renewing) = (MemoryLeases::new(cluster, me), CancellationToken::new(), JoinSet::new());
        let identity = Identity { incarnation: me, name: format!("onya-{}", me.0.as_u128() - 1) };
        let counted = Arc::new(Counted::new(member, tally));
        let ports = (counted as _, Some(Arc::clone(&leases) as _));
        let roster = Roster::start(identity, ports, times, (tasks, stop.clone())).await?;
        renewing.spawn(leases.run());
        running.push(Pod { roster, stop, renewing });
        sleep(Duration::from_micros(1_000 * times.heartbeat_ms / u64::from(pods))).await;
    }
    Ok(running)
}

fn row((pods, event, seconds): (u32, Event, u64), tally: &Tally, (commands, known): (usize, Option<Duration>)) {
    let count = |kind: Kind| tally.count(kind) as f64;
    let per_second = |figure: f64| number(figure / seconds as f64);
    say(&format!(
        "| {pods} | {event} | {} | {} | {} | {} | {} | {} | {}, {} | {} | {} | {} | {} |",
        per_second(count(Kind::Beat)),
        per_second(count(Kind::Look)),
        per_second(count(Kind::LookRow)),
        number(count(Kind::View)),
        number(count(Kind::ViewRow)),
        number(count(Kind::Accuse)),
        number(count(Kind::Convict)),
        number(count(Kind::Convicted)),
        per_second(tally.statements() as f64),
        number(tally.busiest_second() as f64),
        per_second(commands as f64),
        known.map_or("–".to_owned(), |known| number(known.as_secs_f64())),
    ));
}
