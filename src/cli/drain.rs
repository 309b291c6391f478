//! `onya drain`: tells a node to give up what it holds, and waits until it has.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::members::{self, Drain, Listed};
use crate::store::{ConnectError, Settings};

/// Between two looks at how far it is.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A heartbeat tells of the drain if it is so much younger than the word: the node has heard it by then. In milliseconds.
const HEARD_AFTER_MS: i64 = 1_000;

/// The node gets no new conversations and is not ready any more; replies in progress finish, what it owns is given up,
/// its sockets are told to come back and are closed, and its process ends. It may be asked again and again. To be run in
/// the node's own container (Kubernetes: a preStop hook), or anywhere with the same settings of the database.
///
/// Exit code 0: it holds nothing any more, or is gone. 1: not in time.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct DrainArgs {
    /// The node [default: node.name of this one]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Longest wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

pub(super) fn run(args: &DrainArgs, config: &Config) -> anyhow::Result<()> {
    ensure!(
        config.is_clustered(),
        "with the embedded database there is one node: stop it with SIGTERM, which drains it (database.url)"
    );
    let name = args.name.as_deref().unwrap_or(&config.node.name);
    let limit = Duration::from_secs(args.timeout);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(Box::pin(drain(&app::store_settings(config), name, limit)))
}

async fn drain(settings: &Settings, name: &str, limit: Duration) -> anyhow::Result<()> {
    let (incarnation, told_at_ms) = match members::drain(settings, name).await? {
        Drain::Told { incarnation, at_ms } => (incarnation, at_ms),
        Drain::Gone => return Ok(output::result(&format!("{name}: gone\n"))?),
        Drain::Unknown => bail!("there is no node {name:?}: `onya members` lists them"),
    };
    let (began, mut shown) = (Instant::now(), None);
    loop {
        let now = Progress::of(members::list(settings).await, incarnation, told_at_ms);
        if shown.as_ref() != Some(&now) && now != Progress::Deaf {
            output::result(&format!("{name}: {now}\n"))?;
        }
        if matches!(now, Progress::Drained | Progress::Gone) {
            return Ok(());
        }
        if now == Progress::Deaf {
            bail!("{name} is {now}");
        }
        if began.elapsed() >= limit {
            bail!("{name} is not drained after {} s: {now}", limit.as_secs());
        }
        shown = Some(now);
        sleep(LOOK_INTERVAL.min(limit.saturating_sub(began.elapsed()))).await;
    }
}

/// How far a drain is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// It may not have heard of it.
    Told,
    /// It cannot hear of it: the program is too old.
    Deaf,
    /// It still holds something.
    Holds { sockets: i64, conversations: i64 },
    /// It holds nothing.
    Drained,
    /// It is no member any more.
    Gone,
    /// The database does not answer just now.
    NotSeen(String),
}

impl Progress {
    fn of(listed: Result<Vec<Listed>, ConnectError>, incarnation: Uuid, told_at_ms: i64) -> Self {
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return Self::NotSeen(error.to_string()),
        };
        let Some(member) = listed.into_iter().find(|member| member.incarnation == incarnation) else {
            return Self::Gone;
        };
        match member.heartbeat {
            None => Self::Deaf,
            Some(heartbeat) if heartbeat.at_ms < told_at_ms + HEARD_AFTER_MS => Self::Told,
            Some(heartbeat) => match (heartbeat.sockets, heartbeat.conversations) {
                (0, 0) => Self::Drained,
                (sockets, conversations) => Self::Holds { sockets, conversations },
            },
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told => f.write_str("told to drain"),
            Self::Deaf => f.write_str("of a version that does not hear of it: stop it with SIGTERM"),
            Self::Holds { sockets, conversations } => write!(f, "{sockets} sockets, {conversations} conversations"),
            Self::Drained => f.write_str("drained"),
            Self::Gone => f.write_str("gone"),
            Self::NotSeen(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::members::Heartbeat;

    #[test]
    fn a_node_is_drained_once_a_heartbeat_after_the_word_says_that_it_holds_nothing() {
        let me = Uuid::from_u128(1);
        let listed = |at_ms: Option<i64>, sockets, conversations| Listed {
            name: "a".to_owned(),
            incarnation: me,
            standing: "draining".to_owned(),
            role: "both".to_owned(),
            address: String::new(),
            release: String::new(),
            heartbeat: at_ms.map(|at_ms| Heartbeat { at_ms, age_ms: 0, sockets, conversations }),
        };
        let of = |member: Listed| Progress::of(Ok(vec![member]), me, 10_000);
        assert_eq!(of(listed(Some(10_999), 0, 0)), Progress::Told);
        assert_eq!(of(listed(Some(11_000), 2, 3)), Progress::Holds { sockets: 2, conversations: 3 });
        assert_eq!(of(listed(Some(11_000), 0, 3)), Progress::Holds { sockets: 0, conversations: 3 });
        assert_eq!(of(listed(Some(11_000), 0, 0)), Progress::Drained);
        assert_eq!(of(listed(None, 0, 0)), Progress::Deaf);
        assert_eq!(Progress::of(Ok(vec![listed(Some(11_000), 0, 0)]), Uuid::from_u128(2), 10_000), Progress::Gone);
    }
}
