//! The node that has all sockets is killed, one of three: when everybody is in step again, and what the store bears.

use std::time::Duration;

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::Finding;
use super::crowd::{self, Crowd};
use super::customer::Habit;
use super::nodes::{CONNECTIONS_OF_A_NODE, Nodes, Setup, name};
use crate::figures::Figures;
use crate::output::progress;
use crate::process::{busy_share, machine_ticks};
use crate::report::table::{Mark, Row};
use crate::samples::Samples;
use crate::upstream::ScriptArgs;

const NODES: usize = 3;
/// The node that is killed.
const VICTIM: usize = 0;
/// Connections to the store of these nodes: each session says whose it is.
const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity a JOIN members m ON a.application_name = 'onya ' || m.incarnation \
                        WHERE a.datname = current_database() AND m.name = ANY($1)";
/// How often they are counted.
const GLANCE: Duration = Duration::from_millis(50);
/// Longest wait for everybody.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who is there.
pub(super) struct Shape {
    sockets: usize,
    /// How long nothing happens before.
    calm: Duration,
}

impl Shape {
    pub(super) fn of(quick: bool) -> Self {
        if quick {
            return Self { sockets: 30, calm: Duration::ZERO };
        }
        // Longer than after which a connection counts as good.
        Self { sockets: 5_000, calm: Duration::from_secs(6) }
    }
}

pub(super) async fn measure(setup: &Setup, shape: Shape) -> Result<Finding> {
    let script = ScriptArgs { tokens: 8, tokens_per_second: 200.0, first_token_ms: 10 };
    let mut nodes = Nodes::start(setup, &["both"; NODES], script).await?;
    let crowd = Crowd::gather(&nodes, &vec![(Habit::Idles, VICTIM); shape.sockets], script).await?;
    sleep(shape.calm).await;
    let connection = nodes.connection().await?;
    progress(&format!("herd: {} sockets are cut", shape.sockets));
    crowd.balancer.leave_out(VICTIM);
    let (killed, ticks) = (Instant::now(), machine_ticks()?);
    nodes.kill(VICTIM)?;
    let back = async { crowd.until(&crowd.signals.back, shape.sockets, PATIENCE).await };
    let (back, sessions) = most_sessions(connection, back).await?;
    let busy = busy_share(ticks, machine_ticks()?);
    let harvests = crowd.leave().await?;
    nodes.end().await?;
    let mut figures = Figures::of("cluster, all sockets of a node are cut");
    figures.add("sockets", shape.sockets as f64, "");
    match back {
        Some(at) => figures.add("all_in_step_after", (at - killed).as_secs_f64(), "s"),
        None => figures.problems.push(format!("not all were in step within {} s", PATIENCE.as_secs())),
    }
    figures.add("machine_busy", busy * 100.0, "%");
    figures.add("store_connections_most", sessions as f64, "");
    figures.add("store_connections_allowed", ((NODES - 1) * CONNECTIONS_OF_A_NODE) as f64, "");
    crowd::count(&mut figures, &harvests);
    let (mut gaps, mut returns) = (Samples::default(), Samples::default());
    for harvest in harvests {
        gaps.merge(harvest.moves.gaps);
        returns.merge(harvest.moves.returns);
    }
    figures.add_times("gap", gaps);
    figures.add_times("in_step_after_advice", returns);
    Ok(Finding { rows: rows(&figures), figures: vec![figures] })
}

/// The most connections that the nodes which are left have while something is done, and its outcome.
async fn most_sessions<T>(mut connection: PgConnection, work: impl Future<Output = T>) -> Result<(T, i64)> {
    let left: Vec<_> = (0..NODES).filter(|index| *index != VICTIM).map(name).collect();
    let mut most = 0;
    let mut work = std::pin::pin!(work);
    loop {
        let count: i64 = sqlx::query_scalar(SESSIONS).bind(&left).fetch_one(&mut connection).await?;
        most = most.max(count);
        tokio::select! {
            done = &mut work => {
                connection.close().await?;
                return Ok((done, most));
            }
            () = sleep(GLANCE) => {}
        }
    }
}

fn rows(figures: &Figures) -> Vec<Row> {
    let allowed = figures.get("store_connections_allowed").unwrap_or(0.0);
    vec![
        Row::of(
            "herd: all sockets of a node in step again after",
            (figures, "all_in_step_after"),
            "s",
            Mark::AtMost(30.0),
        ),
        Row::of("herd: a customer without a socket, p99", (figures, "gap_p99"), "ms", Mark::None),
        Row::of(
            "herd: most connections to the store, beside what the nodes may have",
            (figures, "store_connections_most"),
            "",
            Mark::AtMost(allowed),
        ),
    ]
}
