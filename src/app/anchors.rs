//! Anchors of an embedded database: made by the server itself, because nobody else can write it meanwhile.
//!
//! They lie beside the database, under the same hands. So they show accidents and what was changed by somebody who does
//! not know of them; they do not show what somebody changed who has the folder and its key. docs/AUDIT.md says it, too.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::settings;
use crate::config::Config;
use crate::store::audit::{AnchorKey, Anchoring, key_file};
use crate::store::{Settings, Store};

/// Time between two anchors.
const INTERVAL: Duration = Duration::from_secs(60);

/// The task that makes them.
pub(super) struct Anchors {
    stop: CancellationToken,
    task: TaskTracker,
}

/// Begins to make anchors if the store asks for it.
pub(super) fn start(config: &Config, store: &Store) -> anyhow::Result<Option<Anchors>> {
    let audit = &config.audit;
    let (true, Some(file), Some(key)) = (store.anchors_itself, &audit.anchor_file, &audit.anchor_key_file) else {
        return Ok(None);
    };
    let anchoring = Anchoring::open(file, key_of(key)?)
        .with_context(|| format!("the file of anchors {} cannot be used", file.display()))?;
    let (stop, task) = (CancellationToken::new(), TaskTracker::new());
    task.spawn(run(anchoring, settings::store(config), stop.clone()));
    task.close();
    Ok(Some(Anchors { stop, task }))
}

impl Anchors {
    /// Makes the last one.
    pub(super) async fn finish(&self) {
        self.stop.cancel();
        self.task.wait().await;
    }
}

async fn run(mut anchoring: Anchoring, settings: Settings, stop: CancellationToken) {
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = stop.cancelled() => is_last = true,
        }
        if let Err(error) = anchoring.anchor(&settings, false).await {
            tracing::warn!(%error, "no anchor could be made");
        }
    }
}

fn key_of(path: &Path) -> anyhow::Result<AnchorKey> {
    let unusable = || format!("the key file of anchors {} cannot be used", path.display());
    match key_file::read(path).with_context(unusable)? {
        Some(key) => Ok(key),
        None => key_file::create(path).with_context(unusable),
    }
}
