//! Leases in Redis: a key per start of a process, renewed every second or so, that ends by itself when nobody does.
//!
//! They are kept on a thread of their own, so that a busy server does not look dead, and only as long as the server's own
//! runtime gets anything done, so that one that hangs does. What is seen of others is told as it is; what it is worth is
//! decided by [`onya_core::cluster::Observer`]. Redis may be absent, hang, lose everything or jump in time: then there is
//! nothing to see.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ::redis::{RedisResult, Script};
use onya_actors::ports::{self, Sighting};
use onya_core::Incarnation;
use onya_core::cluster::{Lease, Renewal, Steadiness, Times};
use tokio::sync::{oneshot, watch};
use tokio::time::{Duration, Instant, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::redis::{Redis, RedisSettings};
use crate::telemetry::names::REDIS_FAILURES_TOTAL;

/// How often the server's runtime says that it works.
const SIGN_INTERVAL: Duration = Duration::from_millis(250);
/// A runtime that says nothing for so long hangs.
const HANGS_AFTER: Duration = Duration::from_secs(2);
/// After a failure.
const SHORT_PAUSE: Duration = Duration::from_millis(Renewal::SHORT_PAUSE_MS);
/// Longest wait for the thread to give up its lease.
const RELEASE_LIMIT: Duration = Duration::from_secs(1);

/// This process's lease, and a look at those of others. The lease is given up with [`Leases::release`], or ends by itself.
pub struct Leases {
    watched: watch::Sender<Vec<Incarnation>>,
    sightings: watch::Receiver<Option<Sighting>>,
    signs: Arc<AtomicU64>,
    stop: CancellationToken,
    released: tokio::sync::Mutex<oneshot::Receiver<()>>,
}

impl Leases {
    /// Begins to renew. [`Leases::show_signs_of_life`] must run on the server's runtime.
    ///
    /// # Errors
    /// When the URL is none, or there can be no thread.
    pub fn start(settings: &RedisSettings, me: Incarnation, times: Times) -> io::Result<Self> {
        let redis = Redis::new(settings).map_err(io::Error::other)?;
        let (watched, watching) = watch::channel(Vec::new());
        let (sighted, sightings) = watch::channel(None);
        let (releasing, released) = oneshot::channel();
        let (signs, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let keeper = Keeper {
            redis,
            key: key(me),
            token: Uuid::now_v7().to_string(),
            times,
            watching,
            sighted,
            origin: Instant::now(),
            steadiness: Steadiness::new(times.lease_ms),
            renewal: Renewal::new(times),
            life: Life { signs: Arc::clone(&signs), last: (0, Instant::now()) },
            failing: false,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stopped = stop.clone();
        let run = move || {
            runtime.block_on(keeper.run(stopped));
            // Nobody may be waiting.
            let _ = releasing.send(());
        };
        thread::Builder::new().name("leases".to_owned()).spawn(run)?;
        Ok(Self { watched, sightings, signs, stop, released: tokio::sync::Mutex::new(released) })
    }

    /// Says again and again that the runtime works which this runs on.
    pub async fn show_signs_of_life(self: Arc<Self>) {
        let mut ticks = interval(SIGN_INTERVAL);
        while !self.stop.is_cancelled() {
            ticks.tick().await;
            self.signs.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Gives the lease up.
    pub async fn release(&self) {
        self.stop.cancel();
        let mut released = self.released.lock().await;
        if timeout(RELEASE_LIMIT, &mut *released).await.is_err() {
            tracing::debug!("the lease could not be given up in time: it ends by itself");
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl ports::Leases for Leases {
    fn watch(&self, others: Vec<Incarnation>) {
        self.watched.send_replace(others);
    }

    fn sightings(&self) -> watch::Receiver<Option<Sighting>> {
        self.sightings.clone()
    }
}

fn key(incarnation: Incarnation) -> String {
    format!("onya:lease:{}", incarnation.0)
}

/// Whether the server's runtime gets anything done.
struct Life {
    signs: Arc<AtomicU64>,
    /// The newest sign, and when it was seen.
    last: (u64, Instant),
}

impl Life {
    fn hangs(&mut self, now: Instant) -> bool {
        let signs = self.signs.load(Ordering::Relaxed);
        if signs != self.last.0 {
            self.last = (signs, now);
        }
        now.saturating_duration_since(self.last.1) > HANGS_AFTER
    }
}

/// What runs on the thread.
struct Keeper {
    redis: Redis,
    key: String,
    token: String,
    times: Times,
    watching: watch::Receiver<Vec<Incarnation>>,
    sighted: watch::Sender<Option<Sighting>>,
    origin: Instant,
    steadiness: Steadiness,
    renewal: Renewal,
    life: Life,
    failing: bool,
}

impl Keeper {
    async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let pause = self.turn().await;
            tokio::select! {
                () = sleep(pause) => {}
                changed = self.watching.changed() => if changed.is_err() { break },
                () = stop.cancelled() => {}
            }
        }
        let script = Script::new(include_str!("lua/release.lua"));
        let (key, token) = (&self.key, &self.token);
        let release = async |connection: &mut _| script.key(key).arg(token).invoke_async::<i64>(connection).await;
        if let Err(error) = self.redis.ask(release).await {
            tracing::debug!(%error, "the lease was not given up: it ends by itself");
        }
    }

    /// Renews and looks once; how long to rest.
    async fn turn(&mut self) -> Duration {
        let asked_at = Instant::now();
        if self.life.hangs(asked_at) {
            self.failed("the server gets nothing done: its lease is not renewed");
            return SHORT_PAUSE;
        }
        let watched = self.watching.borrow_and_update().clone();
        match self.renew(&watched).await {
            Ok(answer) => self.saw(asked_at, &watched, &answer),
            Err(error) => {
                self.failed(&format!("Redis does not take the lease of this member: {error}"));
                SHORT_PAUSE
            }
        }
    }

    async fn renew(&self, watched: &[Incarnation]) -> RedisResult<Vec<i64>> {
        let script = Script::new(include_str!("lua/renew.lua"));
        let mut invocation = script.key(&self.key);
        for other in watched {
            invocation.key(key(*other));
        }
        invocation.arg(&self.token).arg(self.times.lease_ms);
        self.redis.ask(async |connection| invocation.invoke_async(connection).await).await
    }

    fn saw(&mut self, asked_at: Instant, watched: &[Incarnation], answer: &[i64]) -> Duration {
        let (now_ms, took_ms) = (ms(self.origin.elapsed()), ms(asked_at.elapsed()));
        // A lease that was not there, although it was renewed in time, says that Redis has lost what it held.
        if answer.first() == Some(&1) {
            self.steadiness.succeeded(now_ms);
        } else {
            self.steadiness.began_anew(now_ms);
        }
        let lease =
            |left: i64| u64::try_from(left).map_or(Lease::Missing, |left| Lease::Held { for_ms: left + took_ms });
        let leases: Vec<_> = watched.iter().zip(&answer[1..]).map(|(other, left)| (*other, lease(*left))).collect();
        let pause = Duration::from_millis(self.renewal.pause_ms(&leases));
        self.sighted.send_replace(Some(Sighting { asked_at, steady_ms: self.steadiness.steady_ms(now_ms), leases }));
        if std::mem::take(&mut self.failing) {
            tracing::info!("Redis takes the lease of this member again");
        }
        pause
    }

    fn failed(&mut self, what: &str) {
        self.steadiness.failed();
        metrics::counter!(REDIS_FAILURES_TOTAL, "of" => "lease").increment(1);
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!("{what}");
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
