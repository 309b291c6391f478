//! What befalls Redis, and the lines between it and the nodes and between nodes.

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use tokio::time::sleep;

use super::{Fault, Nemesis};
use crate::line::{Line, State};

impl Nemesis<'_> {
    pub(super) async fn part(&mut self, fault: Fault, node: usize) -> Result<()> {
        let apart = self.apart();
        let stage = &mut *self.stage;
        let redis = stage.redis.as_mut().context("a single node has no Redis")?;
        let (one, all) = (&stage.nodes[node..=node], &stage.nodes[..]);
        let (lines, state): (Vec<&Line>, _) = match fault {
            Fault::RestartRedis => return redis.restart(apart / 2).await,
            Fault::FreezeRedis => {
                redis.signal(Signal::STOP);
                sleep(apart).await;
                redis.signal(Signal::CONT);
                return Ok(());
            }
            Fault::FlushRedis => return redis.flush().await,
            Fault::CutRedis => (one.iter().filter_map(|node| node.redis.as_ref()).collect(), State::Cut),
            Fault::CutLinks => (one.iter().filter_map(|node| node.link.as_ref()).collect(), State::Cut),
            Fault::MuteLinks => (one.iter().filter_map(|node| node.link.as_ref()).collect(), State::Mute),
            Fault::PartNodes => (all.iter().filter_map(|node| node.link.as_ref()).collect(), State::Silent),
            other => anyhow::bail!("{} is no fault of lines", other.name()),
        };
        lines.iter().for_each(|line| line.set(state));
        sleep(apart).await;
        lines.iter().for_each(|line| line.set(State::Open));
        Ok(())
    }
}
