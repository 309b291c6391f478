//! Why a campaign does not come to its end: which client waits for what, which conversation has an open turn and who owns
//! it, how the members stand, and what the program itself calls stuck. Everything is asked for past the proxies.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::cast::Clients;
use crate::history;
use crate::report::of_conversation;
use crate::stage::Stage;
use crate::tables::Source;

/// How much of a conversation's story is told, from its end.
const STORY: usize = 12;
/// A timer that was due so many seconds ago should have been seen to.
const GRACE: &str = "5";

/// These conversations ($1) and those with an open turn, each with its owner.
const BEGUN: &str = "
    SELECT c.id, concat('last_seq ', c.last_seq, ', epoch ', c.epoch, ', control ', c.control, ' version ', c.control_version,
        ', turn ', coalesce(c.turn_seq::text, 'none'), ' attempt ', coalesce(c.turn_attempt::text, '-'), ', turns not ended: ',
        coalesce((SELECT string_agg(t.turn::text, ' ') FROM turns AS t
                  WHERE t.conversation = c.id AND t.ended_seq IS NULL), 'none'),
        ', due in ', c.next_deadline - floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, ' ms, owner ',
        coalesce(concat(m.name, ' ', c.owner, ' ', m.state, ' ', m.standing, ', heartbeat ',
                        clock_timestamp() - m.heartbeat_at, ' ago'), 'none'))
    FROM conversations AS c LEFT JOIN members AS m ON m.incarnation = c.owner
    WHERE c.id = ANY ($1)
       OR EXISTS (SELECT 1 FROM turns AS t WHERE t.conversation = c.id AND t.ended_seq IS NULL)
    ORDER BY c.id";

/// What is begun and not ended, in words; also written to `unsettled.txt` beside the history, and the tables as they are.
pub(crate) async fn why(folder: &Path, stage: &Stage, clients: &Clients, source: &Source) -> Result<String> {
    let mut told = String::new();
    for client in clients.at_work() {
        writeln!(told, "still at work: {}", client.name)?;
    }
    let mut wanted: BTreeSet<Uuid> = clients.at_work().filter_map(|client| client.conversation).collect();
    if let Source::Postgres(url) = source {
        let ids: Vec<Uuid> = wanted.iter().copied().collect();
        let rows: Vec<(Uuid, String)> =
            sqlx::query_as(BEGUN).bind(ids).fetch_all(&mut PgConnection::connect(url).await?).await?;
        for (conversation, stands) in rows {
            wanted.insert(conversation);
            writeln!(told, "conversation {conversation}: {stands}")?;
        }
    }
    for node in &stage.nodes {
        let addresses: Vec<String> = node.addresses().map(|address| address.to_string()).collect();
        writeln!(told, "{} listens on {addresses:?}, and sees {}", node.name(), node.view().await)?;
    }
    if let Some(redis) = &stage.redis {
        let leases =
            redis.leases().await.map_or_else(|| "has no master".to_owned(), |held| format!("holds {held} leases"));
        writeln!(told, "Redis {leases}")?;
    }
    for command in [&["members"][..], &["conversations", "stuck", "--grace", GRACE]] {
        writeln!(told, "onya {}:\n{}", command.join(" "), stage.ask(command).await?)?;
    }
    stage.history.flush()?;
    let history = history::read_timed(&folder.join("history.jsonl"))?;
    for conversation in wanted {
        let story: Vec<_> =
            history.iter().filter_map(|(at, event)| Some((at, of_conversation(event, conversation)?))).collect();
        writeln!(told, "the end of {conversation}:")?;
        for (at, (kind, text)) in story.iter().skip(story.len().saturating_sub(STORY)) {
            writeln!(told, "  {at} ms {kind} {text}")?;
        }
    }
    source.read().await?.save(&folder.join("tables.json"))?;
    std::fs::write(folder.join("unsettled.txt"), &told)?;
    Ok(told)
}
