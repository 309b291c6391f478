//! What befalls Redis and does not last.

use anyhow::{Context as _, Result};

use super::{Fault, Nemesis};

impl Nemesis<'_> {
    pub(super) async fn forget(&mut self, fault: Fault) -> Result<()> {
        let away = self.apart() / 2;
        let redis = self.stage.redis.as_mut().context("a single node has no Redis")?;
        match fault {
            Fault::RestartRedis => redis.restart(away).await,
            Fault::FlushRedis => redis.flush().await,
            Fault::FailOverRedis => redis.fail_over(away).await,
            other => anyhow::bail!("{} is no fault of Redis", other.name()),
        }
    }
}
