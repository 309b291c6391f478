//! More sockets than one process may have: further processes of this program each hold a share of them.
//!
//! ```text
//! here                          each of the others (`loadtest hold`)
//! a line: guests, opening   →   opens its sockets
//!                           ←   a line: how many are open
//! end of input              →   closes them
//!                           ←   exit code 0 if none was lost
//! ```

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::crowd::{Crowd, Opening};
use crate::child::Kin;
use crate::target::{Target, TargetArgs};
use crate::visitors::Guest;
use crate::{limits, output};

/// Where the sockets of another process go.
#[derive(Args, Clone, Debug)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    target: TargetArgs,
}

/// What another process is to open.
#[derive(Serialize, Deserialize)]
struct Share {
    guests: Vec<Guest>,
    opening: Opening,
}

/// All sockets, wherever they are held.
pub(crate) struct Hall {
    here: Option<Crowd>,
    others: Vec<Kin>,
}

impl Hall {
    /// Opens a socket for each guest and holds all of them, no more than so many in one process.
    pub(crate) async fn gather(
        target: &Arc<Target>,
        (guests, per_process): (Vec<Guest>, u32),
        opening: Opening,
    ) -> Result<Self> {
        let per_process = per_process as usize;
        if guests.len() <= per_process {
            limits::require(guests.len())?;
            let crowd = Crowd::gather(target, guests, opening).await?;
            return Ok(Self { here: Some(crowd), others: Vec::new() });
        }
        let mut others = Vec::new();
        for guests in shares(guests, per_process) {
            let count = guests.len();
            let mut other = Kin::own(&[vec!["hold".to_owned()], target.flags()].concat())?;
            other.tell(serde_json::to_string(&Share { guests, opening })?).await?;
            // One after the other, so that the pace is the one that was asked for.
            let open: usize = other.line().await.context("a process that holds sockets")?.parse()?;
            ensure!(open == count, "{open} of {count} sockets are open");
            others.push(other);
        }
        Ok(Self { here: None, others })
    }

    /// Closes all of them; fails if one was lost before.
    pub(crate) async fn leave(self) -> Result<()> {
        if let Some(crowd) = self.here {
            crowd.leave().await?;
        }
        for mut other in self.others {
            other.finish();
            ensure!(other.ended().await?.success(), "another process lost sockets");
        }
        Ok(())
    }
}

/// Even shares, none larger than a process may hold.
fn shares<T>(mut all: Vec<T>, per_process: usize) -> Vec<Vec<T>> {
    let count = all.len().div_ceil(per_process).max(1);
    let size = all.len().div_ceil(count);
    let mut shares = Vec::new();
    while all.len() > size {
        shares.push(all.split_off(all.len() - size));
    }
    shares.push(all);
    shares
}

/// Holds sockets until the input ends.
pub(crate) async fn hold(args: HoldArgs) -> Result<()> {
    let target = Arc::new(args.target.resolve().await?);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let line = lines.next_line().await?.context("nothing to hold")?;
    let Share { guests, opening } = serde_json::from_str(&line)?;
    let count = guests.len();
    limits::require(count)?;
    let crowd = Crowd::gather(&target, guests, opening).await?;
    output::line(&count.to_string())?;
    while lines.next_line().await?.is_some() {}
    crowd.leave().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_process_gets_more_than_it_may_hold_and_nobody_is_forgotten() {
        for count in [15_001, 19_000, 30_000, 30_001, 100_000] {
            let shares = shares((0..count).collect(), 15_000);
            assert!(shares.iter().all(|share| !share.is_empty() && share.len() <= 15_000), "{count}");
            let mut all = shares.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..count), "{count}");
        }
    }
}
