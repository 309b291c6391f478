//! The connections: append lanes that keep theirs, and a pool for everything else.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use onya_actors::ports::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use uuid::Uuid;

use super::columns::Columns;
use super::error::{describe, of_read};
use super::session::{TRUSTED_IDLE, first_connection, is_alive, options, prepare};
use super::{migrate, planted};
use crate::store::migrations::Direction;
use crate::store::{ConnectError, Settings};

/// Wait before the second attempt to connect after a failed one; doubled each time, up to the maximum.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

pub(super) struct Database {
    pool: PgPool,
    pub(super) lanes: Lanes,
    /// The statement of a batch.
    pub(super) append: &'static str,
    statement_timeout: Duration,
    /// The name of the history when this process began.
    pub(super) history_epoch: Uuid,
}

impl Database {
    pub(super) async fn open(settings: &Settings, incarnation: Uuid) -> Result<Self, ConnectError> {
        let options = options(settings, Some(incarnation))?;
        let mut first = first_connection(&options, settings).await?;
        migrate::run(&mut first, Some(Direction::Up)).await?;
        let history = sqlx::query(include_str!("../queries/begin_history.sql")).bind(Uuid::now_v7());
        let failed = |error: sqlx::Error| ConnectError::Unreachable(describe(&error));
        history.execute(&mut first).await.map_err(failed)?;
        let history_epoch = sqlx::query_scalar(include_str!("../queries/history_epoch.sql"));
        let history_epoch = history_epoch.fetch_one(&mut first).await.map_err(failed)?;
        drop(first.close().await);
        let patience = settings.acquire_timeout();
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(patience)
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                Box::pin(async move { Ok(meta.idle_for < TRUSTED_IDLE || is_alive(connection, patience).await) })
            })
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_lazy_with(options.clone());
        let lanes = Lanes::new(options, settings);
        let (append, statement_timeout) = (planted::append(), settings.statement_timeout());
        Ok(Self { pool, lanes, append, statement_timeout, history_epoch })
    }

    pub(super) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection for reads and claims.
    pub(super) async fn connection(&self) -> Result<Checkout, StoreError> {
        let connection = self.pool.acquire().await.map_err(of_read)?;
        Ok(Checkout { connection, clean: false })
    }

    /// Runs what may write. If the time runs out, nobody knows whether it did.
    pub(super) async fn write<T>(&self, run: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.statement_timeout, run).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Unknown(self.too_slow())),
        }
    }

    /// Runs what only reads.
    pub(super) async fn read<T>(&self, run: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.statement_timeout, run).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Unavailable(self.too_slow())),
        }
    }

    fn too_slow(&self) -> String {
        format!("no answer within {} ms", self.statement_timeout.as_millis())
    }
}

/// A pooled connection; it goes back only after [`Checkout::done`], and is closed in every other case: after an error,
/// a time-out, or when the caller is gone.
pub(super) struct Checkout {
    connection: PoolConnection<Postgres>,
    clean: bool,
}

impl Checkout {
    pub(super) fn get(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub(super) fn done(mut self) {
        self.clean = true;
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        if !self.clean {
            self.connection.close_on_drop();
        }
    }
}

/// The connections that appends keep for themselves: a read that takes long never delays an acknowledgement.
pub(super) struct Lanes {
    options: PgConnectOptions,
    permits: Semaphore,
    state: Mutex<LaneState>,
    acquire_timeout: Duration,
}

#[derive(Default)]
struct LaneState {
    /// Open connections that nobody uses, and since when; with the room for a batch.
    idle: Vec<(PgConnection, Instant, Columns)>,
    /// Attempts to connect that failed since the last that did not, and when the next may be made.
    failures: u32,
    not_before: Option<Instant>,
}

impl Lanes {
    pub(super) fn new(options: PgConnectOptions, settings: &Settings) -> Self {
        let permits = Semaphore::new(settings.lanes.max(1));
        Self { options, permits, state: Mutex::default(), acquire_timeout: settings.acquire_timeout() }
    }

    /// A lane with an open connection. Fails before anything is sent.
    pub(super) async fn lane(&self) -> Result<Lane<'_>, StoreError> {
        let patience = self.acquire_timeout;
        let opening = async {
            let permit = self.permits.acquire().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let (connection, columns) = match self.idle_connection().await {
                Some(idle) => idle,
                None => (self.connect().await?, Columns::default()),
            };
            Ok(Lane { connection, columns, lanes: self, _permit: permit })
        };
        match tokio::time::timeout(patience, opening).await {
            Ok(lane) => lane,
            Err(_) => Err(StoreError::Unavailable(format!("no connection within {} ms", patience.as_millis()))),
        }
    }

    async fn idle_connection(&self) -> Option<(PgConnection, Columns)> {
        loop {
            let (mut connection, since, columns) = self.state().idle.pop()?;
            if since.elapsed() < TRUSTED_IDLE || is_alive(&mut connection, self.acquire_timeout).await {
                return Some((connection, columns));
            }
        }
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let not_before = self.state().not_before;
        if let Some(not_before) = not_before {
            tokio::time::sleep_until(not_before).await;
        }
        let connected = async {
            let mut connection = self.options.connect().await?;
            prepare(&mut connection).await?;
            Ok(connection)
        };
        let outcome: Result<PgConnection, sqlx::Error> = connected.await;
        let mut state = self.state();
        match outcome {
            Ok(connection) => {
                (state.failures, state.not_before) = (0, None);
                Ok(connection)
            }
            Err(error) => {
                let backoff = BACKOFF_FIRST.saturating_mul(1 << state.failures.min(10)).min(BACKOFF_MAX);
                (state.failures, state.not_before) = (state.failures + 1, Some(Instant::now() + backoff));
                Err(StoreError::Unavailable(describe(&error)))
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane in use. Its connection is kept only after [`Lane::done`], and dropped in every other case: what may still
/// run on the server is fenced, or committed before the next claim gets the lock.
pub(super) struct Lane<'a> {
    pub(super) connection: PgConnection,
    /// Empty, with the room of the batches before: without it, each batch would get fresh memory from the system.
    pub(super) columns: Columns,
    lanes: &'a Lanes,
    _permit: SemaphorePermit<'a>,
}

impl Lane<'_> {
    pub(super) fn done(self) {
        let Self { connection, columns, lanes, _permit } = self;
        lanes.state().idle.push((connection, Instant::now(), columns));
    }
}
