//! Hints at who owns a conversation, for an edge that has no idea: written when an owner claims or gives up, read when an
//! edge's own memory holds nothing. Whoever follows one must be prepared to hear that it is wrong.
//!
//! A hint must never cost what it is to save: few are on their way at once, each for a short time only, and after a failure
//! nobody asks for a moment.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, FromRedisValue, RedisResult, cmd};
use onya_core::{ConversationId, Incarnation};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::redis::{Redis, RedisSettings};
use crate::telemetry::names::REDIS_FAILURES_TOTAL;

/// A hint is forgotten after this time, in seconds: an hour. So is that of a conversation that nobody owns any more.
const KEPT_S: u64 = 3_600;
/// Most that are on their way at once; beyond it there is no hint.
const AT_ONCE: usize = 64;
/// After a failure nobody asks for this time.
const SILENCE: Duration = Duration::from_secs(1);

/// Hints in Redis.
pub struct Hints {
    redis: Redis,
    limit: Duration,
    permits: Semaphore,
    silent_until: Mutex<Option<Instant>>,
}

impl Hints {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(settings: &RedisSettings) -> RedisResult<Self> {
        // For the answer, and for a connection before it if there is none.
        let limit = Duration::from_millis(2 * settings.response_timeout_ms);
        Ok(Self {
            redis: Redis::new(settings)?,
            limit,
            permits: Semaphore::new(AT_ONCE),
            silent_until: Mutex::default(),
        })
    }

    /// Notes who owns the conversation; `None`: nobody. Without Redis nothing is noted.
    pub async fn put(&self, conversation: ConversationId, owner: Option<Incarnation>) {
        let key = key(conversation);
        let command = match owner {
            Some(owner) => cmd("SET").arg(key).arg(owner.0.as_bytes()).arg("EX").arg(KEPT_S).to_owned(),
            None => cmd("DEL").arg(key).to_owned(),
        };
        self.ask::<()>(command).await;
    }

    /// Who owned the conversation when somebody last noted it; `None` if nobody knows.
    pub async fn get(&self, conversation: ConversationId) -> Option<Incarnation> {
        let bytes: Option<Vec<u8>> = self.ask(cmd("GET").arg(key(conversation)).to_owned()).await?;
        Uuid::from_slice(&bytes?).ok().map(Incarnation)
    }

    async fn ask<T: FromRedisValue>(&self, command: Cmd) -> Option<T> {
        let _permit = self.permits.try_acquire().ok()?;
        if self.silent_until().is_some_and(|until| until > Instant::now()) {
            return None;
        }
        let ask = async |connection: &mut MultiplexedConnection| command.query_async(connection).await;
        match timeout(self.limit, self.redis.ask(ask)).await {
            Ok(Ok(answer)) => Some(answer),
            failure => {
                metrics::counter!(REDIS_FAILURES_TOTAL, "of" => "hint").increment(1);
                if let Ok(Err(error)) = failure {
                    tracing::debug!(%error, "no hint");
                }
                *self.silent_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + SILENCE);
                None
            }
        }
    }

    fn silent_until(&self) -> Option<Instant> {
        *self.silent_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(conversation: ConversationId) -> String {
    format!("onya:owner:{}", conversation.0)
}
