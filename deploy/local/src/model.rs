//! What is shown: a row for each node, totals, rates, and what has happened between two looks. No clock, no I/O.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use uuid::Uuid;

use crate::look::{Conversation, Look, Member, Node, Process};

/// Rates are of so long.
const RATED: Duration = Duration::from_secs(5);
/// Conversations that an event names; it counts the others.
const NAMED: usize = 3;

/// The newest look, and what must be remembered of those before.
#[derive(Default)]
pub(crate) struct Model {
    look: Look,
    /// Who owned each conversation last.
    owners: HashMap<Uuid, Uuid>,
    /// The attempt that was made at each turn.
    attempts: HashMap<(Uuid, i64), i64>,
    /// By process, so that one that begins again counts from nothing.
    counted: VecDeque<(Duration, BTreeMap<i32, [f64; 2]>)>,
}

/// One line of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    pub name: String,
    /// The end of it, which tells starts apart.
    pub incarnation: String,
    pub standing: String,
    pub address: String,
    /// In per cent.
    pub share: f64,
    pub owned: usize,
    pub counters: Option<[f64; 2]>,
    pub pid: Option<i32>,
    pub process: String,
}

/// What all nodes do together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub conversations: usize,
    /// Nobody alive owns them.
    pub free: usize,
    pub sockets: f64,
    pub replies: f64,
    pub turns_per_second: f64,
    pub acknowledged_per_second: f64,
}

impl Model {
    /// Takes a new look; what has happened since the last one, in words.
    pub(crate) fn observe(&mut self, look: Look) -> Vec<String> {
        let mut events = self.process_events(&look);
        events.extend(look.verdicts.iter().map(|verdict| {
            format!("{} found {} dead by its {}", verdict.judge, title(&look.members, verdict.member), verdict.evidence)
        }));
        events.extend(self.member_events(&look));
        events.extend(self.moves(&look));
        events.extend(self.repeated_attempts(&look));
        let counted = look.nodes.iter().filter_map(|node| {
            let counters = node.counters?;
            Some((node.pid?, [counters.turns_ended, counters.commands_acknowledged]))
        });
        self.counted.push_back((look.at, counted.collect()));
        while self.counted.len() > 2 && look.at.saturating_sub(self.counted[0].0) > RATED {
            self.counted.pop_front();
        }
        self.look = look;
        events
    }

    fn process_events(&self, look: &Look) -> Vec<String> {
        let before = |name: &str| self.look.nodes.iter().find(|node| node.name == name).map(|node| &node.process);
        let changed = look.nodes.iter().filter(|node| before(&node.name) != Some(&node.process));
        let told = changed.filter_map(|node| match (before(&node.name), &node.process) {
            (_, Process::Dead(how)) => Some(format!("{}'s process has ended: {how}", node.name)),
            (_, Process::Paused) => Some(format!("{}'s process stands still", node.name)),
            (Some(Process::Paused), Process::Running) => Some(format!("{}'s process goes on", node.name)),
            _ => None,
        });
        told.collect()
    }

    fn member_events(&self, look: &Look) -> Vec<String> {
        let before = |member: &Member| self.look.members.iter().find(|old| old.incarnation == member.incarnation);
        let changed =
            look.members.iter().filter(|member| before(member).is_none_or(|old| old.standing != member.standing));
        changed.map(|member| format!("{} is {}", title(&look.members, member.incarnation), member.standing)).collect()
    }

    /// Conversations with another owner than the last one.
    fn moves(&mut self, look: &Look) -> Vec<String> {
        let mut moved: BTreeMap<(bool, Uuid, Uuid), Vec<Uuid>> = BTreeMap::new();
        for Conversation { id, owner, .. } in &look.conversations {
            let Some(owner) = *owner else { continue };
            if let Some(from) = self.owners.insert(*id, owner).filter(|from| *from != owner) {
                moved.entry((is_dead(&look.members, from), from, owner)).or_default().push(*id);
            }
        }
        let told = moved.into_iter().map(|((from_dead, from, to), ids)| {
            let (from, to) = (title(&look.members, from), title(&look.members, to));
            if from_dead {
                format!("{to} took over from {from}: {}", counted("conversation", &ids))
            } else {
                format!("{from} handed over to {to}: {}", counted("conversation", &ids))
            }
        });
        told.collect()
    }

    fn repeated_attempts(&mut self, look: &Look) -> Vec<String> {
        let mut repeated: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        let mut attempts = HashMap::new();
        for conversation in &look.conversations {
            let (Some(turn), Some(attempt)) = (conversation.turn, conversation.attempt) else { continue };
            let before = self.attempts.get(&(conversation.id, turn)).copied().unwrap_or(1);
            attempts.insert((conversation.id, turn), attempt);
            if attempt > before
                && let Some(owner) = conversation.owner
            {
                repeated.entry(owner).or_default().push(conversation.id);
            }
        }
        self.attempts = attempts;
        let told = repeated
            .into_iter()
            .map(|(owner, ids)| format!("{} began again: {}", title(&look.members, owner), counted("reply", &ids)));
        told.collect()
    }

    /// A row for each node, in the order in which they were added.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.look.nodes.iter().map(|node| self.row(node)).collect()
    }

    fn row(&self, node: &Node) -> Row {
        let member = self.look.members.iter().rfind(|member| member.name == node.name);
        let owned_by = |incarnation: Uuid| {
            self.look.conversations.iter().filter(|conversation| conversation.owner == Some(incarnation)).count()
        };
        Row {
            name: node.name.clone(),
            incarnation: member.map_or_else(String::new, |member| tail(member.incarnation)),
            standing: member.map_or_else(|| "starting".to_owned(), |member| member.standing.clone()),
            address: member.map_or_else(String::new, |member| member.address.clone()),
            share: member
                .and_then(|member| self.look.shares.get(&member.incarnation))
                .map_or(0.0, |share| share * 100.0),
            owned: member.map_or(0, |member| owned_by(member.incarnation)),
            counters: node.counters.map(|counters| [counters.sockets, counters.replies]),
            pid: node.pid,
            process: match &node.process {
                Process::Running => "running".to_owned(),
                Process::Paused => "paused".to_owned(),
                Process::Dead(how) => format!("ended: {how}"),
            },
        }
    }

    /// What all nodes do together.
    pub(crate) fn totals(&self) -> Totals {
        let sum = |of: fn(&crate::look::Counters) -> f64| -> f64 {
            self.look
                .nodes
                .iter()
                .filter_map(|node| node.counters.as_ref())
                .map(of)
                .fold(0.0, |sum, number| sum + number)
        };
        let is_free =
            |conversation: &&Conversation| conversation.owner.is_none_or(|owner| is_dead(&self.look.members, owner));
        let [turns_per_second, acknowledged_per_second] = self.rates();
        Totals {
            conversations: self.look.conversations.len(),
            free: self.look.conversations.iter().filter(is_free).count(),
            sockets: sum(|counters| counters.sockets),
            replies: sum(|counters| counters.replies),
            turns_per_second,
            acknowledged_per_second,
        }
    }

    /// Over the looks that are remembered, of processes that were there at both ends.
    fn rates(&self) -> [f64; 2] {
        let (Some((from, first)), Some((to, last))) = (self.counted.front(), self.counted.back()) else {
            return [0.0; 2];
        };
        let seconds = to.saturating_sub(*from).as_secs_f64();
        [0, 1].map(|counter| {
            let grown = last.iter().filter_map(|(pid, now)| Some(now[counter] - first.get(pid)?[counter]));
            if seconds > 0.0 { grown.sum::<f64>() / seconds } else { 0.0 }
        })
    }
}

/// The last group of digits of a version 7 UUID is random.
fn tail(id: Uuid) -> String {
    let digits = id.simple().to_string();
    digits[digits.len() - 6..].to_owned()
}

fn title(members: &[Member], incarnation: Uuid) -> String {
    let member = members.iter().find(|member| member.incarnation == incarnation);
    format!("{} ({})", member.map_or("somebody", |member| &member.name), tail(incarnation))
}

fn is_dead(members: &[Member], incarnation: Uuid) -> bool {
    members.iter().any(|member| member.incarnation == incarnation && member.standing == "dead")
}

/// `2 replies, those of …a1b2c3 …d4e5f6`
fn counted(what: &str, ids: &[Uuid]) -> String {
    let named: Vec<String> = ids.iter().take(NAMED).map(|id| format!("…{}", tail(*id))).collect();
    let more = if ids.len() > NAMED { " and others" } else { "" };
    let what = match (ids.len(), what) {
        (1, what) => what.to_owned(),
        (_, "reply") => "replies".to_owned(),
        (_, what) => format!("{what}s"),
    };
    format!("{} {what}, {}{more}", ids.len(), named.join(" "))
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
