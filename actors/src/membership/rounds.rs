//! The rounds of a node among the members: beat, look, accuse.
//!
//! A round is due every half of a second or so, and at once where something speaks for it: a lease has ended, a link is
//! lost, a verdict is asked for. Rounds never overlap, and each question to the store has a time limit of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use onya_core::Incarnation;
use onya_core::cluster::{Accusation, Evidence, Observer, Standing};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Expelled, Shared};
use crate::ports::{Leases, Placement, Pulse, Sighting, StoreError};

/// Rounds are not closer than this, whatever speaks for one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// Until the next round while somebody is accused: another member may give the verdict any moment.
const PAUSE_WHILE_ACCUSING: Duration = Duration::from_millis(250);

pub(super) struct Rounds {
    shared: Arc<Shared>,
    leases: Option<Arc<dyn Leases>>,
    observer: Observer,
    /// Where this machine's clock is counted from.
    origin: Instant,
    beat_due: Instant,
    round_due: Instant,
    last_round: Instant,
    /// Whom this node has accused, as of the last round: each is counted and logged once.
    accused: Vec<Accusation>,
    watched: Vec<Incarnation>,
    /// Whether the store failed last time.
    failing: bool,
}

impl Rounds {
    pub(super) fn new(shared: Arc<Shared>, leases: Option<Arc<dyn Leases>>) -> Self {
        let (now, me) = (Instant::now(), shared.identity.incarnation);
        let observer = Observer::new(me, shared.times);
        Self {
            shared,
            leases,
            observer,
            origin: now,
            beat_due: now,
            round_due: now,
            last_round: now,
            accused: Vec::new(),
            watched: Vec::new(),
            failing: false,
        }
    }

    /// Runs until it is told to stop, or this node is no member any more.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut sightings = self.leases.as_ref().map(|leases| leases.sightings());
        while self.shared.expelled.borrow().is_none() {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep_until(self.round_due) => self.round().await,
                () = self.shared.wake.notified() => self.hasten(),
                sighting = next(&mut sightings) => self.see(&sighting),
            }
        }
    }

    /// A round soon.
    fn hasten(&mut self) {
        self.round_due = self.round_due.min(self.last_round + SHORTEST_PAUSE);
    }

    fn see(&mut self, sighting: &Sighting) {
        let asked_ms = ms(sighting.asked_at.saturating_duration_since(self.origin));
        self.observer.leases_seen(asked_ms, sighting.steady_ms, sighting.leases.iter().copied());
        if self.observer.should_look(self.now_ms()) {
            self.hasten();
        }
    }

    async fn round(&mut self) {
        self.last_round = Instant::now();
        self.round_due = self.last_round + Duration::from_millis(self.shared.times.look_ms());
        let outcome = self.beat_and_look().await;
        if let Err(error) = &outcome {
            self.observer.store_failed();
            metrics::counter!("onya_heartbeat_failures_total").increment(1);
            if !self.failing {
                tracing::warn!(%error, "the members cannot be seen: the last view stands");
            }
        }
        self.failing = outcome.is_err();
        self.tell_trust();
    }

    async fn beat_and_look(&mut self) -> Result<(), StoreError> {
        let members = Arc::clone(&self.shared.members);
        if self.beat_due <= self.last_round {
            let Some(pulse) = members.beat(self.shared.load()).await? else { return self.expelled().await };
            // Counted from before the question was sent: the store's answer may have been long on its way.
            *self.shared.in_time_until() = self.last_round + Duration::from_millis(self.shared.times.late_after_ms());
            // The pause counts from the start: a slow answer must not make the next one late.
            self.beat_due = self.last_round + Duration::from_millis(self.shared.times.heartbeat_ms);
            self.observer.beat(self.now_ms(), pulse.at);
        }
        let look = members.look(&self.watched).await?;
        let Some(pulse) = look.pulse else { return self.expelled().await };
        self.observer.looked(self.now_ms(), pulse.at, look.ages);
        let convicted = self.accuse().await?;
        self.heed(pulse, convicted).await
    }

    /// Accuses whom it should, and asks for the verdicts; whether there was one.
    async fn accuse(&mut self) -> Result<bool, StoreError> {
        let members = Arc::clone(&self.shared.members);
        let accusations = self.observer.accusations(self.now_ms());
        let mut convicted = false;
        for accusation in &accusations {
            let Accusation { suspect, evidence } = *accusation;
            if !self.accused.contains(accusation) {
                tracing::warn!(member = %suspect.0, evidence = evidence.as_str(), "a member seems to be dead");
                metrics::counter!("onya_suspicions_total", "evidence" => evidence.as_str()).increment(1);
            }
            members.accuse(suspect).await?;
            if members.convict(suspect, evidence).await? {
                convicted = true;
                self.bury(suspect, evidence).await;
            }
        }
        if !accusations.is_empty() {
            self.round_due = self.round_due.min(self.last_round + PAUSE_WHILE_ACCUSING);
        }
        self.accused = accusations;
        Ok(convicted)
    }

    async fn bury(&self, dead: Incarnation, evidence: Evidence) {
        tracing::warn!(member = %dead.0, evidence = evidence.as_str(), "a member was found dead");
        metrics::counter!("onya_verdicts_total", "evidence" => evidence.as_str()).increment(1);
        match self.shared.members.end_sessions(dead).await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(member = %dead.0, ended, "its sessions in the database were ended"),
            Err(error) => tracing::warn!(member = %dead.0, %error, "its sessions in the database could not be ended"),
        }
    }

    /// Takes in what the store says of this node and of the view.
    async fn heed(&mut self, pulse: Pulse, changed: bool) -> Result<(), StoreError> {
        let told = pulse.standing == Standing::Draining && !self.shared.drains.load(Ordering::Relaxed);
        if told && !self.shared.told_to_drain.send_replace(true) {
            tracing::info!("told to drain");
        }
        if changed || self.shared.placement.borrow().view.version != pulse.version {
            let view = self.shared.members.view().await?;
            tracing::info!(version = view.version, members = view.members.len(), "the members have changed");
            self.shared.placement.send_replace(Arc::new(Placement::over(view)));
        }
        self.watch();
        Ok(())
    }

    /// Chooses whom to watch.
    fn watch(&mut self) {
        let placement = Arc::clone(&self.shared.placement.borrow());
        let now = Instant::now();
        let mut watched = self.observer.watched(&placement.view);
        let mut visits = self.shared.visits();
        visits.retain(|member, until| *until > now && placement.view.member(*member).is_some());
        watched.extend(visits.keys().filter(|member| **member != self.shared.identity.incarnation));
        drop(visits);
        watched.sort_unstable();
        watched.dedup();
        if watched != self.watched {
            if let Some(leases) = &self.leases {
                leases.watch(watched.clone());
            }
            self.watched = watched;
            // Nobody has looked at the new ones yet.
            self.hasten();
        }
    }

    /// The store says that this node is dead. Why, may be told by the view.
    async fn expelled(&mut self) -> Result<(), StoreError> {
        let view = self.shared.members.view().await.unwrap_or_default();
        let identity = &self.shared.identity;
        let is_replaced = view.members.iter().any(|member| member.name == identity.name);
        let why = if is_replaced { Expelled::Replaced } else { Expelled::FoundDead };
        self.shared.expelled.send_replace(Some(why));
        Ok(())
    }

    fn tell_trust(&self) {
        let now_ms = self.now_ms();
        let trusted = |source: &'static str, trusted: bool| {
            metrics::gauge!("onya_evidence_trusted", "source" => source).set(if trusted { 1.0 } else { 0.0 });
        };
        trusted("heartbeat", self.observer.trusts_heartbeats(now_ms));
        trusted("lease", self.observer.trusts_leases(now_ms));
        let placement = Arc::clone(&self.shared.placement.borrow());
        metrics::gauge!("onya_view_version").set(placement.view.version as f64);
        for standing in [Standing::Joining, Standing::Live, Standing::Draining] {
            let count = placement.view.members.iter().filter(|member| member.standing == standing).count();
            metrics::gauge!("onya_members", "standing" => standing.as_str()).set(count as f64);
        }
    }

    fn now_ms(&self) -> u64 {
        ms(self.origin.elapsed())
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The next sighting; never, if there are no leases.
async fn next(sightings: &mut Option<watch::Receiver<Option<Sighting>>>) -> Sighting {
    if let Some(receiver) = sightings {
        while receiver.changed().await.is_ok() {
            if let Some(sighting) = receiver.borrow_and_update().clone() {
                return sighting;
            }
        }
    }
    std::future::pending().await
}
