//! Whether the machine keeps up. A campaign beside other work may get no answer from its database for seconds, with no fault
//! of its own; whoever is found dead then tells nothing of the nodes. So a session of the campaign's stores something again
//! and again, past every proxy, and notes when that took long.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::history::{Event, History};
use crate::postgres::execute;

/// Between two beats.
const REST: Duration = Duration::from_millis(250);
/// A beat that takes longer is noted: so long no heartbeat of a node's may have been stored either.
const LONG: Duration = Duration::from_millis(500);

/// Beats until it is dropped.
pub(crate) struct Pulse {
    _task: JoinSet<()>,
}

impl Pulse {
    pub(crate) fn start(url: String, history: Arc<History>) -> Self {
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut session = None;
            loop {
                let began = Instant::now();
                sleep(REST).await;
                while beat(&mut session, &url).await.is_err() {
                    session = None;
                    sleep(REST).await;
                }
                let took = began.elapsed().saturating_sub(REST);
                if took > LONG {
                    history.note(&Event::StoodStill { ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) });
                }
            }
        });
        Self { _task: task }
    }
}

async fn beat(session: &mut Option<PgConnection>, url: &str) -> Result<()> {
    let session = match session {
        Some(session) => session,
        None => session.insert(PgConnection::connect(url).await?),
    };
    execute(session, "UPDATE torture.pulse SET at = clock_timestamp()".to_owned()).await
}
