//! The task that makes what was said searchable, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use onya_actors::ports::EventLog;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::store::INDEX_STEP;

/// Pause once everything is searchable, and after a failure: what is said can be found so much later. What comes meanwhile is
/// one step, and not many.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Runs until told to stop. While there is much to do it rests as long as it works, so that others get their turn.
pub(super) async fn run(log: Arc<dyn EventLog>, stop: CancellationToken) {
    let mut failing = false;
    loop {
        let began = Instant::now();
        let outcome = log.index_texts().await;
        let pause = if matches!(outcome, Ok(INDEX_STEP..)) { began.elapsed() } else { IDLE_PAUSE };
        if let Err(error) = &outcome
            && !failing
        {
            tracing::warn!(%error, "what is said cannot be made searchable");
        }
        failing = outcome.is_err();
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
