//! Which change is made: drawn from a seed, written as statements.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

use crate::store::audit::source::{ActRow, EntryRow, HeadRow, Kind, LeafRow, Source};
use crate::store::chain::{GENESIS, Hash, Sealed, body_commitment, hex};

/// Kinds of changes; each must have been made.
pub(super) const KINDS: usize = 17;
/// Moves positions out of each other's way.
const FAR: i64 = 100_000;

/// How a database writes a value.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    fn id(self, id: Uuid) -> String {
        match self {
            Self::Sqlite => format!("X'{}'", hex(id.as_bytes())),
            Self::Postgres => format!("'{id}'"),
        }
    }

    fn bytes(self, bytes: &[u8]) -> String {
        match self {
            Self::Sqlite => format!("X'{}'", hex(bytes)),
            Self::Postgres => format!("'\\x{}'::bytea", hex(bytes)),
        }
    }
}

/// Everything that is there before a change.
pub(super) struct Data {
    heads: Vec<HeadRow>,
    entries: Vec<EntryRow>,
    acts: Vec<ActRow>,
    leaves: Vec<(Kind, LeafRow)>,
}

impl Data {
    pub(super) async fn read(source: &mut dyn Source) -> Self {
        let mut leaves = Vec::new();
        for kind in Kind::ALL {
            let of_kind = source.leaves(kind, (Uuid::nil(), 0, 0), 1_000).await.unwrap();
            leaves.extend(of_kind.into_iter().map(|leaf| (kind, leaf)));
        }
        Self {
            heads: source.heads(Uuid::nil(), 1_000).await.unwrap(),
            entries: source.entries((Uuid::nil(), 0), 1_000).await.unwrap(),
            acts: source.acts((Uuid::nil(), 0), 1_000).await.unwrap(),
            leaves,
        }
    }
}

pub(super) struct Draws {
    rng: StdRng,
    dialect: Dialect,
    data: Data,
}

type Change = (&'static str, Vec<String>);

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Draws {
    pub(super) fn new(seed: u64, dialect: Dialect, data: Data) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), dialect, data }
    }

    pub(super) fn next(&mut self) -> Change {
        match self.rng.random_range(0..KINDS) {
            0 => ("a column of an entry", vec![self.entry_column()]),
            1 => ("a column of an act", vec![self.act_column()]),
            2 => ("a column of a head", vec![self.head_column()]),
            3 => ("a column of a leaf", vec![self.leaf_column()]),
            4 => ("an entry deleted", vec![format!("DELETE FROM entries WHERE {}", self.some_entry())]),
            5 => ("an act deleted", vec![format!("DELETE FROM audit_log WHERE {}", self.some_act())]),
            6 => ("a leaf deleted", vec![format!("DELETE FROM audit_anchor_heads WHERE {}", self.some_leaf())]),
            7 => ("a conversation deleted", self.conversation_deleted()),
            8 => ("an audit chain deleted", self.audit_chain_deleted()),
            9 => ("an anchor's leaves deleted", vec![self.anchor_deleted()]),
            10 => ("entries swapped", self.entries_swapped()),
            11 => ("acts swapped", self.acts_swapped()),
            12 => ("an entry inserted", self.entry_inserted()),
            13 => ("an act inserted", self.act_inserted()),
            14 => ("a tail cut, its head mended", self.tail_cut()),
            15 => ("a conversation rewritten from some entry on", self.rewritten()),
            _ => ("acts rewritten from some act on", self.acts_rewritten()),
        }
    }

    fn entry(&mut self) -> EntryRow {
        self.data.entries.choose(&mut self.rng).unwrap().clone()
    }

    fn act(&mut self) -> ActRow {
        self.data.acts.choose(&mut self.rng).unwrap().clone()
    }

    fn head(&mut self) -> HeadRow {
        self.data.heads.choose(&mut self.rng).unwrap().clone()
    }

    fn hash(&mut self) -> String {
        let bytes: [u8; 32] = self.rng.random();
        self.dialect.bytes(&bytes)
    }

    fn number(&mut self) -> i64 {
        self.rng.random_range(1..1_000)
    }

    fn new_id(&mut self) -> Uuid {
        Uuid::from_u128(self.rng.random())
    }

    fn entry_is(&self, entry: &EntryRow) -> String {
        format!("conversation = {} AND seq = {}", self.dialect.id(entry.conversation), entry.seq)
    }

    fn act_is(&self, act: &ActRow) -> String {
        format!("chain = {} AND n = {}", self.dialect.id(act.chain), act.n)
    }

    fn some_entry(&mut self) -> String {
        let entry = self.entry();
        self.entry_is(&entry)
    }

    fn some_act(&mut self) -> String {
        let act = self.act();
        self.act_is(&act)
    }

    fn some_leaf(&mut self) -> String {
        let (kind, leaf) = self.data.leaves.choose(&mut self.rng).unwrap().clone();
        format!("anchor = {} AND kind = '{}' AND chain = {}", leaf.anchor, kind.name(), self.dialect.id(leaf.chain))
    }

    fn entry_column(&mut self) -> String {
        let entry = self.entry();
        let other = self.data.heads.iter().map(|head| head.conversation).find(|id| *id != entry.conversation).unwrap();
        let moved = if self.rng.random() { other } else { self.new_id() };
        let set = match self.rng.random_range(0..16) {
            0 => format!("conversation = {}", self.dialect.id(moved)),
            1 => format!("seq = {}", entry.seq + self.number()),
            2 if entry.customer_prev > 0 => format!("customer_prev = {}", entry.customer_prev - 1),
            3 => format!("customer_sees = {}", if entry.customer_sees { "FALSE" } else { "TRUE" }),
            4 => format!("at = {}", entry.at + self.number()),
            5 => format!("epoch = {}", entry.epoch + self.number()),
            6 => format!("kind = {}", text(if entry.kind == "rated" { "opened" } else { "rated" })),
            7 => format!("body = {}", text(&format!("{} ", entry.body))),
            8 => format!("body = {}", text("{}")),
            9 => {
                let (participant, hash) = (self.new_id(), self.hash());
                format!("participant = {}, client_msg_id = 'forged', commitment = {hash}", self.dialect.id(participant))
            }
            10 if entry.participant.is_some() => {
                "participant = NULL, client_msg_id = NULL, commitment = NULL".to_owned()
            }
            11 if entry.participant.is_some() => format!("client_msg_id = 'm{}'", self.number()),
            12 => format!("salt = {}", self.hash()),
            13 => "salt = NULL".to_owned(),
            14 => format!("body_commitment = {}", if self.rng.random() { self.hash() } else { "NULL".to_owned() }),
            _ => format!("link = {}", if self.rng.random() { self.hash() } else { "NULL".to_owned() }),
        };
        format!("UPDATE entries SET {set} WHERE {}", self.entry_is(&entry))
    }

    fn act_column(&mut self) -> String {
        let act = self.act();
        let (id, number, hash) = (self.new_id(), self.number(), self.hash());
        let set = match self.rng.random_range(0..9) {
            0 => format!("chain = {}", self.dialect.id(id)),
            1 => format!("n = {}", act.n + number),
            2 => format!("at = {}", act.at + number),
            3 => "actor = 'nobody'".to_owned(),
            4 => "actor_role = 'admin'".to_owned(),
            5 => "action = 'logged_in'".to_owned(),
            6 if act.conversation.is_some() => "conversation = NULL".to_owned(),
            6 => format!("conversation = {}", self.dialect.id(id)),
            7 => "detail = '{}'".to_owned(),
            _ => format!("link = {hash}"),
        };
        format!("UPDATE audit_log SET {set} WHERE {}", self.act_is(&act))
    }

    fn head_column(&mut self) -> String {
        let head = self.head();
        let (id, number, hash) = (self.new_id(), self.number(), self.hash());
        let set = match self.rng.random_range(0..5) {
            0 => format!("id = {}", self.dialect.id(id)),
            1 => format!("last_seq = {}", head.last_seq + number),
            2 => format!("last_seq = {}", head.last_seq - 1),
            3 => "link = NULL".to_owned(),
            _ => format!("link = {hash}"),
        };
        format!("UPDATE conversations SET {set} WHERE id = {}", self.dialect.id(head.conversation))
    }

    fn leaf_column(&mut self) -> String {
        let (id, number, hash) = (self.new_id(), self.number(), self.hash());
        let set = match self.rng.random_range(0..5) {
            0 => format!("anchor = anchor + {number}"),
            1 => "kind = CASE kind WHEN 'audit' THEN 'conversation' ELSE 'audit' END".to_owned(),
            2 => format!("chain = {}", self.dialect.id(id)),
            3 => format!("position = position + {number}"),
            _ => format!("link = {hash}"),
        };
        format!("UPDATE audit_anchor_heads SET {set} WHERE {}", self.some_leaf())
    }

    /// With or without its row, its entries, its leaves.
    fn conversation_deleted(&mut self) -> Vec<String> {
        let head = self.head();
        let id = self.dialect.id(head.conversation);
        let all = [
            format!("DELETE FROM conversations WHERE id = {id}"),
            format!("DELETE FROM entries WHERE conversation = {id}"),
            format!("DELETE FROM audit_anchor_heads WHERE chain = {id}"),
        ];
        let which = self.rng.random_range(1..8_u8);
        all.into_iter().enumerate().filter(|(bit, _)| which & (1 << bit) != 0).map(|(_, statement)| statement).collect()
    }

    fn audit_chain_deleted(&mut self) -> Vec<String> {
        let act = self.act();
        let chain = self.dialect.id(act.chain);
        let mut statements = vec![format!("DELETE FROM audit_log WHERE chain = {chain}")];
        if self.rng.random() {
            statements.push(format!("DELETE FROM audit_anchor_heads WHERE chain = {chain}"));
        }
        statements
    }

    fn anchor_deleted(&mut self) -> String {
        format!("DELETE FROM audit_anchor_heads WHERE anchor = {}", self.rng.random_range(1..=3))
    }

    /// Two entries change places, or only their words.
    fn entries_swapped(&mut self) -> Vec<String> {
        let (one, two) = (self.entry(), self.entry());
        if (one.conversation, one.seq) == (two.conversation, two.seq) {
            return Vec::new();
        }
        if self.rng.random() && one.body != two.body {
            let set = |words: &EntryRow, place: &EntryRow| {
                let salt = self.dialect.bytes(words.salt.as_ref().unwrap());
                format!("UPDATE entries SET body = {}, salt = {salt} WHERE {}", text(&words.body), self.entry_is(place))
            };
            return vec![set(&one, &two), set(&two, &one)];
        }
        let to = |from: String, place: (Uuid, i64), prev: i64| {
            let id = self.dialect.id(place.0);
            format!("UPDATE entries SET conversation = {id}, seq = {}, customer_prev = {prev} WHERE {from}", place.1)
        };
        let away = (one.conversation, one.seq + FAR);
        let at_away = format!("conversation = {} AND seq = {}", self.dialect.id(away.0), away.1);
        vec![
            to(self.entry_is(&one), away, one.customer_prev),
            to(self.entry_is(&two), (one.conversation, one.seq), one.customer_prev),
            to(at_away, (two.conversation, two.seq), two.customer_prev),
        ]
    }

    fn acts_swapped(&mut self) -> Vec<String> {
        let (one, two) = (self.act(), self.act());
        if (one.chain, one.n) == (two.chain, two.n) {
            return Vec::new();
        }
        let to = |from: String, (chain, n): (Uuid, i64)| {
            format!("UPDATE audit_log SET chain = {}, n = {n} WHERE {from}", self.dialect.id(chain))
        };
        let at_away = format!("chain = {} AND n = {}", self.dialect.id(one.chain), one.n + FAR);
        vec![
            to(self.act_is(&one), (one.chain, one.n + FAR)),
            to(self.act_is(&two), (one.chain, one.n)),
            to(at_away, (two.chain, two.n)),
        ]
    }

    /// What comes after moves on; the head is mended.
    fn entry_inserted(&mut self) -> Vec<String> {
        let entry = self.entry();
        let id = self.dialect.id(entry.conversation);
        vec![
            format!("UPDATE entries SET seq = seq + {FAR} WHERE conversation = {id} AND seq >= {}", entry.seq),
            format!("UPDATE entries SET seq = seq - {FAR} + 1 WHERE conversation = {id} AND seq > {FAR}"),
            format!(
                "INSERT INTO entries (conversation, seq, customer_prev, customer_sees, at, epoch, kind, body, salt, \
                 body_commitment, link) SELECT conversation, {}, customer_prev, customer_sees, at, epoch, kind, body, \
                 salt, body_commitment, link FROM entries WHERE conversation = {id} AND seq = {}",
                entry.seq,
                entry.seq + 1
            ),
            format!("UPDATE conversations SET last_seq = last_seq + 1 WHERE id = {id}"),
        ]
    }

    fn act_inserted(&mut self) -> Vec<String> {
        let act = self.act();
        let (chain, n) = (self.dialect.id(act.chain), act.n);
        let (moved, columns) = match self.dialect {
            Dialect::Sqlite => (", moved", ", moved"),
            Dialect::Postgres => ("", ""),
        };
        vec![
            format!("UPDATE audit_log SET n = n + {FAR} WHERE chain = {chain} AND n >= {n}"),
            format!("UPDATE audit_log SET n = n - {FAR} + 1 WHERE chain = {chain} AND n > {FAR}"),
            format!(
                "INSERT INTO audit_log (chain, n, at, actor, actor_role, action, detail, link{moved}) \
                 SELECT chain, {n}, at, actor, actor_role, action, detail, link{columns} FROM audit_log \
                 WHERE chain = {chain} AND n = {}",
                n + 1
            ),
        ]
    }

    /// Of a conversation with its head mended, or of acts.
    fn tail_cut(&mut self) -> Vec<String> {
        if self.rng.random_range(0..3) == 0 {
            let act = self.act();
            return vec![format!(
                "DELETE FROM audit_log WHERE chain = {} AND n >= {}",
                self.dialect.id(act.chain),
                act.n
            )];
        }
        let entry = self.entry();
        let id = self.dialect.id(entry.conversation);
        let link = self.dialect.bytes(entry.link.as_ref().unwrap());
        vec![
            format!("DELETE FROM entries WHERE conversation = {id} AND seq > {}", entry.seq),
            format!(
                "UPDATE conversations SET last_seq = {0}, link = {link} WHERE id = {id} AND last_seq > {0}",
                entry.seq
            ),
        ]
    }

    /// A body is exchanged and everything after it made to fit: commitment, links, head, and sometimes the leaves.
    fn rewritten(&mut self) -> Vec<String> {
        let target = self.entry();
        let id = target.conversation;
        let mut log: Vec<EntryRow> =
            self.data.entries.iter().filter(|entry| entry.conversation == id).cloned().collect();
        let (mut link, mut statements) = (GENESIS, Vec::new());
        for entry in &mut log {
            if entry.seq == target.seq {
                entry.body.push(' ');
                entry.at += self.rng.random_range(0..2);
                let salt: [u8; 16] = self.rng.random();
                entry.salt = Some(salt.to_vec());
                entry.body_commitment = Some(body_commitment(&salt, &entry.body).to_vec());
            }
            link = sealed(entry).link(&link);
            if entry.seq >= target.seq {
                let bytes = |bytes: &Option<Vec<u8>>| self.dialect.bytes(bytes.as_ref().unwrap());
                statements.push(format!(
                    "UPDATE entries SET body = {}, at = {}, salt = {}, body_commitment = {}, link = {} WHERE {}",
                    text(&entry.body),
                    entry.at,
                    bytes(&entry.salt),
                    bytes(&entry.body_commitment),
                    self.dialect.bytes(&link),
                    self.entry_is(entry),
                ));
            }
        }
        let (link, id) = (self.dialect.bytes(&link), self.dialect.id(id));
        statements.push(format!("UPDATE conversations SET link = {link} WHERE id = {id}"));
        if self.rng.random() {
            let links = "(SELECT e.link FROM entries AS e WHERE e.conversation = chain AND e.seq = position)";
            statements.push(format!("UPDATE audit_anchor_heads SET link = {links} WHERE chain = {id}"));
        }
        statements
    }

    fn acts_rewritten(&mut self) -> Vec<String> {
        let target = self.act();
        let mut chain: Vec<ActRow> = self.data.acts.iter().filter(|act| act.chain == target.chain).cloned().collect();
        let (mut link, mut statements): (Hash, _) = (GENESIS, Vec::new());
        for act in &mut chain {
            if act.n == target.n {
                act.actor = "somebody else".to_owned();
            }
            link = act.link_after(&link);
            if act.n >= target.n {
                let set = format!("actor = {}, link = {}", text(&act.actor), self.dialect.bytes(&link));
                statements.push(format!("UPDATE audit_log SET {set} WHERE {}", self.act_is(act)));
            }
        }
        statements
    }
}

fn sealed(entry: &EntryRow) -> Sealed<'_> {
    Sealed {
        conversation: entry.conversation,
        seq: entry.seq,
        customer_prev: entry.customer_prev,
        customer_sees: entry.customer_sees,
        at: entry.at,
        epoch: entry.epoch,
        kind: &entry.kind,
        participant: entry.participant,
        client_msg_id: entry.client_msg_id.as_deref(),
        commitment: entry.commitment.as_deref(),
        body_commitment: entry.body_commitment.as_ref().unwrap(),
    }
}
