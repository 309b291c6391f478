//! Membership: heartbeats, the view, accusations and verdicts.
//!
//! All of it goes over a connection of its own, so that no reader that takes long makes a heartbeat late, and each
//! statement has as long as there is between two heartbeats.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use onya_actors::ports::{Load, Look, Members, Pulse, StoreError};
use onya_core::cluster::{Evidence, Member, MemberRole, Standing, Times, View};
use onya_core::{Incarnation, Timestamp};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::database::Lanes;
use super::error::{describe, of_read};
use super::session;
use crate::store::observe::timed;
use crate::store::stored::{self, saturated};
use crate::store::{ConnectError, Settings};

/// The members, as one incarnation sees them.
pub(in crate::store) struct PostgresMembers {
    lanes: Lanes,
    incarnation: Uuid,
    times: Times,
}

/// The columns `standing, view_version, at` and of another member `incarnation, age`.
type LookRow = (Option<String>, i64, i64, Option<Uuid>, Option<i64>);
/// The columns `view_version, incarnation, name, address, role, standing, release`.
type ViewRow = (i64, Option<Uuid>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

impl PostgresMembers {
    /// Connects when it is needed.
    pub(in crate::store) fn new(settings: &Settings, incarnation: Uuid) -> Result<Self, ConnectError> {
        let options = session::options(settings, Some(incarnation))?;
        let times = settings.times;
        let acquire_timeout_ms = settings.acquire_timeout_ms.min(times.heartbeat_ms);
        let one = Settings { lanes: 1, acquire_timeout_ms, ..settings.clone() };
        Ok(Self { lanes: Lanes::new(options, &one), incarnation, times })
    }

    async fn bounded<T>(&self, run: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        let patience = Duration::from_millis(self.times.heartbeat_ms);
        match tokio::time::timeout(patience, run).await {
            Ok(outcome) => outcome.map_err(of_read),
            Err(_) => Err(StoreError::Unavailable(format!("no answer within {} ms", patience.as_millis()))),
        }
    }

    async fn change(&self, statement: &'static str) -> Result<(), StoreError> {
        let mut lane = self.lanes.lane().await?;
        let run = sqlx::query(statement).bind(self.incarnation).execute(&mut lane.connection);
        self.bounded(run).await?;
        lane.done();
        Ok(())
    }

    async fn beat_once(&self, load: Load) -> Result<Option<Pulse>, StoreError> {
        let mut lane = self.lanes.lane().await?;
        let run = sqlx::query_as(include_str!("queries/members/beat.sql"))
            .bind(self.incarnation)
            .bind(saturated(load.sockets))
            .bind(saturated(load.conversations))
            .fetch_optional(&mut lane.connection);
        let row: Option<(String, i64, i64)> = self.bounded(run).await?;
        lane.done();
        row.map(|(standing, version, at)| pulse(&standing, version, at)).transpose()
    }

    async fn look_once(&self, at: &[Incarnation]) -> Result<Look, StoreError> {
        let others: Vec<Uuid> = at.iter().map(|other| other.0).collect();
        let mut lane = self.lanes.lane().await?;
        let run = sqlx::query_as(include_str!("queries/members/look.sql"))
            .bind(self.incarnation)
            .bind(others)
            .fetch_all(&mut lane.connection);
        let rows: Vec<LookRow> = self.bounded(run).await?;
        lane.done();
        let mine = rows.first().and_then(|(standing, version, at, ..)| Some((standing.as_deref()?, *version, *at)));
        let pulse = mine.map(|(standing, version, at)| pulse(standing, version, at)).transpose()?;
        let age = |(_, _, _, other, age): &LookRow| Some((Incarnation((*other)?), u64::try_from((*age)?).unwrap_or(0)));
        Ok(Look { pulse, ages: rows.iter().filter_map(age).collect() })
    }

    async fn view_once(&self) -> Result<View, StoreError> {
        let mut lane = self.lanes.lane().await?;
        let run = sqlx::query_as(include_str!("queries/members/view.sql")).fetch_all(&mut lane.connection);
        let rows: Vec<ViewRow> = self.bounded(run).await?;
        lane.done();
        let version = rows.first().map_or(Ok(0), |row| stored::position(row.0))?;
        let members = rows.into_iter().filter_map(member).collect::<Result<_, _>>()?;
        Ok(View { version, members })
    }

    async fn convict_once(&self, suspect: Incarnation, evidence: Evidence) -> Result<bool, StoreError> {
        let mut lane = self.lanes.lane().await?;
        let run = sqlx::query_scalar(include_str!("queries/members/convict.sql"))
            .bind(suspect.0)
            .bind(self.incarnation)
            .bind(evidence == Evidence::Heartbeat)
            .bind(saturated(self.times.stale_after_ms))
            .bind(saturated(self.times.late_after_ms()))
            .bind(saturated(self.times.accused_for_ms()))
            .fetch_one(&mut lane.connection);
        let convicted = self.bounded(run).await?;
        lane.done();
        Ok(convicted)
    }
}

#[async_trait]
impl Members for PostgresMembers {
    async fn ready(&self) -> Result<(), StoreError> {
        timed("members_ready", self.change(include_str!("queries/members/ready.sql"))).await
    }

    async fn drain(&self) -> Result<(), StoreError> {
        timed("members_drain", self.change(include_str!("queries/members/drain.sql"))).await
    }

    async fn beat(&self, load: Load) -> Result<Option<Pulse>, StoreError> {
        timed("members_beat", self.beat_once(load)).await
    }

    async fn look(&self, at: &[Incarnation]) -> Result<Look, StoreError> {
        timed("members_look", self.look_once(at)).await
    }

    async fn view(&self) -> Result<View, StoreError> {
        timed("members_view", self.view_once()).await
    }

    async fn accuse(&self, suspect: Incarnation) -> Result<(), StoreError> {
        let mut lane = self.lanes.lane().await?;
        let run = sqlx::query(include_str!("queries/members/accuse.sql"))
            .bind(suspect.0)
            .bind(self.incarnation)
            .execute(&mut lane.connection);
        timed("members_accuse", self.bounded(run)).await?;
        lane.done();
        Ok(())
    }

    async fn convict(&self, suspect: Incarnation, evidence: Evidence) -> Result<bool, StoreError> {
        timed("members_convict", self.convict_once(suspect, evidence)).await
    }

    async fn end_sessions(&self, of: Incarnation) -> Result<u64, StoreError> {
        let mut lane = self.lanes.lane().await?;
        let ended = self.bounded(end_sessions(&mut lane.connection, of.0)).await?;
        lane.done();
        Ok(ended)
    }
}

/// Ends the sessions of a dead incarnation that this role may end; how many.
pub(super) async fn end_sessions(connection: &mut PgConnection, of: Uuid) -> Result<u64, sqlx::Error> {
    let ended: i64 = sqlx::query_scalar(include_str!("queries/members/end_sessions.sql"))
        .bind(session::name(of))
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(ended).unwrap_or(0))
}

/// As [`end_sessions`], for somebody who goes on whether it succeeds or not.
pub(super) async fn try_to_end_sessions(connection: &mut PgConnection, of: Uuid) {
    match end_sessions(connection, of).await {
        Ok(0) => {}
        Ok(ended) => tracing::info!(member = %of, ended, "sessions of a dead member were ended"),
        Err(error) => tracing::warn!(error = describe(&error), "the sessions of a dead member could not be ended"),
    }
}

fn pulse(standing: &str, version: i64, at: i64) -> Result<Pulse, StoreError> {
    Ok(Pulse { standing: standing_by(standing)?, version: stored::position(version)?, at: Timestamp(at) })
}

/// `None` for a row that only tells the version.
fn member((_, incarnation, name, address, role, standing, release): ViewRow) -> Option<Result<Member, StoreError>> {
    let (incarnation, name, address) = (Incarnation(incarnation?), name?, address?);
    let (role, standing, release) = (role?, standing?, release?);
    Some(standing_by(&standing).and_then(|standing| {
        let role = MemberRole::by_name(&role).ok_or_else(|| unknown("role", &role))?;
        Ok(Member { incarnation, name, address, role, standing, release })
    }))
}

fn standing_by(name: &str) -> Result<Standing, StoreError> {
    Standing::by_name(name).ok_or_else(|| unknown("standing", name))
}

fn unknown(what: &str, name: &str) -> StoreError {
    StoreError::Corrupt(format!("a member has the {what} {name:?}"))
}
