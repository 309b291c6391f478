//! Faults that last: begun, and let go of when their time is over. One that has begun holds on to nothing of the stage, so
//! that another one can strike meanwhile.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::Rng as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

use super::nodes::{REPLY, replying};
use super::{Fault, Nemesis, felt};
use crate::clock::Clock;
use crate::history::{Event, Standing};
use crate::line::{Line, State};
use crate::postgres::Postgres;

/// How far a clock jumps, in seconds: further than tokens and proofs forgive.
const JUMPS_S: [i64; 4] = [-3_600, -60, 60, 3_600];

/// Lines are as slow as they get, or only by such a part of it.
const SLOWNESS: [u32; 3] = [1, 3, 10];

/// Connections on lines that flap get so old, or up to nine times as old.
const FLAPS: Duration = Duration::from_millis(100);

/// What ends a fault.
pub(super) type LetGo = Box<dyn FnOnce() + Send>;

impl Nemesis<'_> {
    /// Begins a fault that lasts; what ends it.
    pub(super) async fn hold(&mut self, (fault, node): (Fault, usize), postgres: &Postgres) -> Result<LetGo> {
        let (one, all) = (&self.stage.nodes[node], &self.stage.nodes);
        Ok(match fault {
            Fault::FreezeNode => return self.freeze(node, postgres).await,
            Fault::FreezeRedis => {
                let redis = self.stage.redis.as_ref().context("a single node has no Redis")?;
                let pid = redis.stand_still().await?;
                Box::new(move || goes_on(pid))
            }
            Fault::Hang => {
                let store = one.store.as_ref().context("there is no line to cut")?;
                store.hang(true);
                Box::new(store.passes_again())
            }
            Fault::CutRedis => set(one.redis.iter(), State::Cut),
            Fault::CutLinks => set(one.link.iter(), State::Cut),
            Fault::MuteLinks => set(one.link.iter(), State::Mute),
            Fault::JumpClock => {
                let pids = one.servers.iter().map(|server| server.pid()).collect();
                return self.jump(one.clock.clone(), pids, one.name().to_owned());
            }
            Fault::JumpRedisClock => {
                let redis = self.stage.redis.as_ref().context("a single node has no Redis")?;
                return self.jump(redis.clock.clone(), redis.pids(), "Redis".to_owned());
            }
            Fault::SlowLines => return Ok(self.slow(node)),
            Fault::FlapLines => {
                let age = FLAPS * self.dice.random_range(1..=9);
                set(one.redis.iter().chain(&one.link), State::Brief(age))
            }
            Fault::PartNodes => set(all.iter().filter_map(|node| node.link.as_ref()), State::Silent),
            other => anyhow::bail!("{} does not last", other.name()),
        })
    }

    /// How long it lasts this time.
    pub(super) fn lasts(&mut self, fault: Fault) -> impl Future<Output = ()> + use<> {
        let (history, lengths) = (Arc::clone(&self.stage.history), self.lengths);
        // Whoever cannot reach the store is to notice: that takes as long as its time limits.
        let apart = match fault {
            Fault::Hang => lengths.hang,
            // There is time for somebody to be found dead because of it.
            Fault::JumpClock | Fault::JumpRedisClock | Fault::SlowLines | Fault::FlapLines => 2 * self.apart(),
            _ => self.apart(),
        };
        async move {
            if fault == Fault::Hang {
                felt(&history, lengths).await;
            }
            sleep(apart).await;
        }
    }

    /// The wall clock of these processes, which are called this, jumps.
    fn jump(&mut self, clock: Option<Clock>, processes: Vec<Option<Pid>>, of: String) -> Result<LetGo> {
        let clock = clock.with_context(|| format!("{of} has the machine's clock"))?;
        for process in processes.into_iter().flatten() {
            anyhow::ensure!(clock.is_of(process)?, "{of} does not have the clock that was made for it");
        }
        let ahead_s = JUMPS_S[self.dice.random_range(0..JUMPS_S.len())];
        self.stage.history.note(&Event::Jumped { of, ahead_s });
        clock.set(ahead_s)?;
        Ok(Box::new(clock.right_again()))
    }

    /// All lines of a node, or all between nodes, are slow.
    fn slow(&mut self, node: usize) -> LetGo {
        let part = SLOWNESS[self.dice.random_range(0..SLOWNESS.len())];
        let delay = self.lengths.slow / part;
        let (one, all) = (&self.stage.nodes[node], &self.stage.nodes);
        let (of, lines, store) = if self.dice.random() {
            (one.name(), vec![&one.redis, &one.link], one.store.as_ref())
        } else {
            ("all links", all.iter().map(|node| &node.link).collect(), None)
        };
        self.stage.history.note(&Event::Slowed {
            of: of.to_owned(),
            each_way_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        });
        let let_go = set(lines.into_iter().flatten(), State::Slow(delay));
        let store_let_go = store.map(|store| store.slow_until_let_go(delay));
        Box::new(move || {
            let_go();
            store_let_go.into_iter().for_each(|let_go| let_go());
        })
    }

    /// In the middle of a reply, if there is one soon: it goes on when others may have gone on with it.
    async fn freeze(&mut self, node: usize, postgres: &Postgres) -> Result<LetGo> {
        let mut control = postgres.control(&self.stage.database).await?;
        let node = &self.stage.nodes[node];
        let _ = timeout(REPLY, replying(&mut control, node.name())).await;
        let (history, name) = (Arc::clone(&self.stage.history), node.name().to_owned());
        history.note(&Event::Stands { node: name.clone(), standing: Standing::Frozen });
        node.servers.iter().for_each(|server| server.signal(Signal::STOP));
        let pids: Vec<Option<Pid>> = node.servers.iter().map(|server| server.pid()).collect();
        Ok(Box::new(move || {
            history.note(&Event::Stands { node: name, standing: Standing::Up });
            pids.into_iter().for_each(goes_on);
        }))
    }
}

fn goes_on(pid: Option<Pid>) {
    if let Some(pid) = pid {
        // It may have ended meanwhile.
        let _ = kill_process(pid, Signal::CONT);
    }
}

fn set<'a>(lines: impl Iterator<Item = &'a Line>, state: State) -> LetGo {
    let opened: Vec<_> = lines.map(|line| line.set_until_let_go(state)).collect();
    Box::new(move || opened.into_iter().for_each(|open| open()))
}
