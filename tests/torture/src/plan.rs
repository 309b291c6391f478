//! What a campaign tries: seed, nodes, faults, how long they strike, and the time limits of the servers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::Instant;

use crate::nemesis::{Fault, Lengths};

/// Longest silence that a client bears where there is another node to go to.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// The server takes a minute at most to find out that an agent is gone.
const FORSAKEN: Duration = Duration::from_secs(60);

/// What is tried.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub seed: u64,
    /// More than one only on PostgreSQL.
    pub nodes: usize,
    /// Whether their Redis is behind sentinels.
    pub sentinels: bool,
    pub program: PathBuf,
    /// The fault that the program has on purpose; then it is not brought to its end.
    pub planted: Option<String>,
    /// Each strikes so often, in an order that the seed decides.
    pub faults: Vec<Fault>,
    pub length: Length,
    pub customers: usize,
    pub agents: usize,
    /// Commands acknowledged between two faults, at most.
    pub pause: usize,
    pub limits: Limits,
    pub folder: PathBuf,
}

/// How long faults strike.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// Until each has struck so many times.
    Rounds(usize),
    /// So long, each as often as the others.
    Time(Duration),
}

/// The time limits of the server, and what follows from them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub statement_ms: u64,
    pub acquire_ms: u64,
    pub lock_ms: u64,
    /// A hang lasts at least so long.
    pub hang_ms: u64,
    /// A node stands still, or is cut off, for at least so long and at most so long.
    pub apart_ms: (u64, u64),
    /// Slow lines are slower by so much in each direction, at most.
    pub slow_ms: u64,
    /// The time between two heartbeats, until they are stale, and of a lease; nothing means the defaults.
    pub cluster_ms: Option<(u64, u64, u64)>,
}

impl Plan {
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let limits = self.limits;
        let mut variables: BTreeMap<String, String> = [
            ("PORT", "0".to_owned()),
            ("ONYA_METRICS__PORT", "0".to_owned()),
            ("ONYA_CLUSTER__PORT", "0".to_owned()),
            ("ONYA_AUTH__SIGNING_KEYS", format!("torture:{}", "5a".repeat(32))),
            ("ONYA_DRAIN__SOCKETS_WINDOW_MS", "500".to_owned()),
            ("ONYA_LOG__FORMAT", "json".to_owned()),
            ("LOG_LEVEL", "info,onya_actors::conversation=debug".to_owned()),
            ("ONYA_LLM__MOCK__TOKENS_PER_SECOND", "300".to_owned()),
            ("ONYA_CONVERSATION__PASSIVATE_AFTER_MS", "1000".to_owned()),
            ("ONYA_DATABASE__STATEMENT_TIMEOUT_MS", limits.statement_ms.to_string()),
            ("ONYA_DATABASE__ACQUIRE_TIMEOUT_MS", limits.acquire_ms.to_string()),
            ("ONYA_DATABASE__LOCK_TIMEOUT_MS", limits.lock_ms.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if let Some((heartbeat_ms, stale_ms, lease_ms)) = limits.cluster_ms.filter(|_| self.nodes > 1) {
            let times = [("HEARTBEAT", heartbeat_ms), ("STALE_AFTER", stale_ms), ("LEASE", lease_ms)];
            variables.extend(times.map(|(name, ms)| (format!("ONYA_CLUSTER__{name}_MS"), ms.to_string())));
        }
        variables.extend(self.planted.clone().map(|fault| ("PLANTED_FAULT".to_owned(), fault)));
        variables
    }

    /// Whether there is time enough for a customer whose agent never comes back.
    pub(crate) fn forsakes(&self) -> bool {
        self.nodes > 1 && matches!(self.length, Length::Time(time) if time >= FORSAKEN)
    }

    pub(crate) const fn lengths(&self) -> Lengths {
        let limits = self.limits;
        let (least, most) = limits.apart_ms;
        let felt_ms = match self.length {
            Length::Rounds(_) => limits.statement_ms + limits.acquire_ms + 2 * limits.lock_ms,
            // There is more to do in the time.
            Length::Time(_) => 2_000,
        };
        Lengths {
            most: Duration::from_millis(felt_ms),
            hang: Duration::from_millis(limits.hang_ms),
            apart: (Duration::from_millis(least), Duration::from_millis(most)),
            slow: Duration::from_millis(limits.slow_ms),
            refusals: 3,
        }
    }

    /// Longest silence that a client bears: the server's answer to a hang comes before. Where there are other nodes, it
    /// goes to another one sooner.
    pub(crate) fn patience(&self) -> Duration {
        let limits = self.limits;
        let answered = Duration::from_millis(2 * (limits.statement_ms + limits.acquire_ms + limits.lock_ms));
        if self.nodes > 1 { answered.min(ELSEWHERE) } else { answered }
    }

    /// The faults in their order, as many as will be needed.
    pub(crate) fn schedule(&self, dice: &mut StdRng) -> Box<dyn Iterator<Item = Fault>> {
        match self.length {
            Length::Rounds(rounds) => {
                let mut faults = self.faults.repeat(rounds);
                faults.shuffle(dice);
                Box::new(faults.into_iter())
            }
            Length::Time(time) => {
                let (mut deck, all, until) = (Vec::new(), self.faults.clone(), Instant::now() + time);
                let mut dice = StdRng::seed_from_u64(dice.random());
                Box::new(std::iter::from_fn(move || {
                    if deck.is_empty() {
                        deck.clone_from(&all);
                        deck.shuffle(&mut dice);
                    }
                    (Instant::now() < until).then(|| deck.pop()).flatten()
                }))
            }
        }
    }

    /// Waits between two faults are shorter where there is more to do in the time.
    pub(crate) const fn pause(&self) -> usize {
        match self.length {
            Length::Rounds(_) => self.pause,
            Length::Time(_) => self.pause / 2,
        }
    }
}
