//! The final tables, read behind the server's back and kept beside the history.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};
use uuid::Uuid;

use crate::audit::Verified;

/// What is stored at the end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tables {
    /// Position of the newest entry, by conversation.
    pub last_seqs: BTreeMap<Uuid, u64>,
    /// Rows by conversation, in the order of their positions.
    pub entries: BTreeMap<Uuid, Vec<Entry>>,
    pub turns: Vec<Turn>,
    pub dead_letters: usize,
    /// Who became the owner of which conversation, in the order of time. Only on PostgreSQL.
    pub takings: Vec<Taking>,
    /// Who was found dead by others. Only on PostgreSQL.
    #[serde(default)]
    pub verdicts: Vec<Verdict>,
    /// The record of what is done beside the logs.
    pub acts: Vec<Act>,
    /// What the program itself says of the chains.
    pub verified: Verified,
}

/// A row of `entries`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub seq: u64,
    pub epoch: u64,
    pub kind: String,
    pub customer_sees: bool,
    pub participant: Option<Uuid>,
    pub id: Option<String>,
    pub body: Value,
}

/// A row of `turns`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub conversation: Uuid,
    pub turn: u64,
    pub attempt: u64,
    pub outcome: Option<String>,
}

/// A change of owner, as a trigger has noted it within the claim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Taking {
    pub conversation: Uuid,
    pub epoch: u64,
    /// The incarnation, and the name of its node.
    pub owner: String,
    /// Who had it until then and had not let go.
    pub previous: Option<String>,
    /// Whether that one was not dead.
    pub robbed: bool,
    pub turn_was_open: bool,
    /// By the clock of this machine.
    pub unix_ms: u64,
}

/// A verdict, as a trigger has noted it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// The name of its node, and the incarnation.
    pub dead: String,
    /// By the clock of this machine.
    pub unix_ms: u64,
}

/// A row of `audit_log`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Act {
    pub actor: String,
    pub role: String,
    pub action: String,
    pub conversation: Option<Uuid>,
    pub detail: Value,
}

/// Where the tables lie.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Postgres(String),
    Sqlite(String),
}

const CONVERSATIONS: &str = "SELECT id, last_seq FROM conversations";
const ENTRIES: &str = "SELECT conversation, seq, epoch, kind, customer_sees, participant, client_msg_id, body \
                       FROM entries ORDER BY conversation, seq";
const TURNS: &str = "SELECT conversation, turn, attempt, outcome FROM turns";
const DEAD_LETTERS: &str = "SELECT count(*) FROM dead_letters";
const ACTS: &str = "SELECT actor, actor_role, action, conversation, detail FROM audit_log ORDER BY chain, n";
/// Notes each change of owner, and each verdict, beside the program, in the transaction that makes it. It is a verdict when the
/// session of a living member of another name does it.
pub(crate) const WATCH: &str = "
    CREATE SCHEMA torture;
    CREATE TABLE torture.takings (
        n bigint GENERATED ALWAYS AS IDENTITY, conversation uuid, epoch bigint, owner uuid, previous uuid,
        robbed boolean, turn_was_open boolean, at timestamptz DEFAULT clock_timestamp());
    CREATE FUNCTION torture.note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO torture.takings (conversation, epoch, owner, previous, robbed, turn_was_open)
            VALUES (NEW.id, NEW.epoch, NEW.owner, OLD.owner,
                    OLD.owner <> NEW.owner
                        AND EXISTS (SELECT 1 FROM members WHERE incarnation = OLD.owner AND state = 'live'),
                    NEW.turn_seq IS NOT NULL);
            RETURN NULL;
        END $$;
    CREATE TRIGGER torture AFTER UPDATE OF owner ON conversations FOR EACH ROW
        WHEN (NEW.owner IS NOT NULL) EXECUTE FUNCTION torture.note();
    CREATE TABLE torture.pulse AS SELECT now() AS at;
    CREATE TABLE torture.verdicts (
        n bigint GENERATED ALWAYS AS IDENTITY, dead text, at timestamptz DEFAULT clock_timestamp());
    CREATE FUNCTION torture.note_verdict() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO torture.verdicts (dead)
            SELECT concat(NEW.name, ' ', NEW.incarnation) FROM members
            WHERE current_setting('application_name') = concat('onya ', incarnation) AND state = 'live' AND name <> NEW.name;
            RETURN NULL;
        END $$;
    CREATE TRIGGER torture AFTER UPDATE OF state ON members FOR EACH ROW
        WHEN (OLD.state = 'live' AND NEW.state = 'dead') EXECUTE FUNCTION torture.note_verdict()";
const TAKINGS: &str = "
    SELECT t.conversation, t.epoch, concat(m.name, ' ', t.owner), concat(p.name, ' ', t.previous), t.previous IS NOT NULL,
           coalesce(t.robbed, false), t.turn_was_open, (extract(epoch FROM t.at) * 1000)::bigint
    FROM torture.takings AS t
    LEFT JOIN members AS m ON m.incarnation = t.owner
    LEFT JOIN members AS p ON p.incarnation = t.previous
    ORDER BY t.n";
const VERDICTS: &str = "SELECT dead, (extract(epoch FROM at) * 1000)::bigint FROM torture.verdicts ORDER BY n";
const OPEN_TURNS: &str = "SELECT count(*) FROM turns WHERE ended_seq IS NULL";

macro_rules! read_with {
    ($connection:expr) => {{
        let mut tables = Tables::default();
        for row in sqlx::query(CONVERSATIONS).fetch_all(&mut $connection).await? {
            tables.last_seqs.insert(row.try_get(0)?, number(row.try_get(1)?)?);
        }
        for row in sqlx::query(ENTRIES).fetch_all(&mut $connection).await? {
            let entry = Entry {
                seq: number(row.try_get(1)?)?,
                epoch: number(row.try_get(2)?)?,
                kind: row.try_get(3)?,
                customer_sees: row.try_get(4)?,
                participant: row.try_get(5)?,
                id: row.try_get(6)?,
                body: serde_json::from_str(row.try_get(7)?)?,
            };
            tables.entries.entry(row.try_get(0)?).or_default().push(entry);
        }
        for row in sqlx::query(TURNS).fetch_all(&mut $connection).await? {
            tables.turns.push(Turn {
                conversation: row.try_get(0)?,
                turn: number(row.try_get(1)?)?,
                attempt: number(row.try_get(2)?)?,
                outcome: row.try_get(3)?,
            });
        }
        let dead_letters: i64 = sqlx::query_scalar(DEAD_LETTERS).fetch_one(&mut $connection).await?;
        tables.dead_letters = usize::try_from(dead_letters)?;
        for row in sqlx::query(ACTS).fetch_all(&mut $connection).await? {
            tables.acts.push(Act {
                actor: row.try_get(0)?,
                role: row.try_get(1)?,
                action: row.try_get(2)?,
                conversation: row.try_get(3)?,
                detail: serde_json::from_str(row.try_get(4)?)?,
            });
        }
        anyhow::Ok(tables)
    }};
}

impl Source {
    pub(crate) async fn read(&self) -> Result<Tables> {
        match self {
            Self::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await?;
                let mut tables: Tables = read_with!(connection)?;
                tables.takings = takings(&mut connection).await?;
                tables.verdicts = verdicts(&mut connection).await?;
                Ok(tables)
            }
            Self::Sqlite(url) => {
                let mut connection = SqliteConnection::connect(url).await?;
                read_with!(connection)
            }
        }
    }

    /// How many turns have not ended yet.
    pub(crate) async fn open_turns(&self) -> Result<i64> {
        Ok(match self {
            Self::Postgres(url) => {
                sqlx::query_scalar(OPEN_TURNS).fetch_one(&mut PgConnection::connect(url).await?).await?
            }
            Self::Sqlite(url) => {
                sqlx::query_scalar(OPEN_TURNS).fetch_one(&mut SqliteConnection::connect(url).await?).await?
            }
        })
    }
}

impl Tables {
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, serde_json::to_vec(self)?)?)
    }

    pub(crate) fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

impl Tables {
    /// The person who took a conversation, if it was so that this version of control began.
    pub(crate) fn taken_by(&self, conversation: Uuid, version: u64) -> Option<Uuid> {
        let entries = self.entries.get(&conversation)?;
        let mut changes = entries.iter().filter(|entry| entry.kind == "control_changed");
        let begun = changes.find(|entry| entry.body["version"] == version)?;
        begun.body["control"]["id"].as_str()?.parse().ok()
    }
}

async fn takings(connection: &mut PgConnection) -> Result<Vec<Taking>> {
    let rows = sqlx::query(TAKINGS).fetch_all(connection).await?;
    let taking = |row: sqlx::postgres::PgRow| {
        let (previous, is_previous): (String, bool) = (row.try_get(3)?, row.try_get(4)?);
        Ok(Taking {
            conversation: row.try_get(0)?,
            epoch: number(row.try_get(1)?)?,
            owner: row.try_get(2)?,
            previous: is_previous.then_some(previous),
            robbed: row.try_get(5)?,
            turn_was_open: row.try_get(6)?,
            unix_ms: number(row.try_get(7)?)?,
        })
    };
    rows.into_iter().map(taking).collect()
}

async fn verdicts(connection: &mut PgConnection) -> Result<Vec<Verdict>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(VERDICTS).fetch_all(connection).await?;
    rows.into_iter().map(|(dead, unix_ms)| Ok(Verdict { dead, unix_ms: number(unix_ms)? })).collect()
}

impl Taking {
    /// The name of the node that took it.
    pub(crate) fn node(&self) -> &str {
        self.owner.split(' ').next().unwrap_or_default()
    }

    /// Whether it was another node's until then.
    pub(crate) fn is_from_another(&self) -> bool {
        self.previous.as_deref().and_then(|previous| previous.split(' ').next()).is_some_and(|name| name != self.node())
    }
}

fn number(number: i64) -> Result<u64> {
    Ok(u64::try_from(number)?)
}
