//! Events that a campaign must have hit to be worth something, counted from the history, the tables, the metrics and the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::history::Event;
use crate::server::Counters;
use crate::tables::Tables;

/// What an owner logs whose append is refused because of its fence.
const FENCED: &str = "fenced: another owner has the conversation";

/// What a node logs on whose word another one is dead.
const VERDICT: &str = "a member was found dead";

/// How often each happened.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// A repeat that memory had forgotten was found in the table.
    repeated: u64,
    /// An outcome was unknown, and a retry found the command stored.
    unknown_stored: u64,
    /// An outcome was unknown, and a retry stored the command.
    unknown_absent: u64,
    /// An append was refused because of its fence.
    fenced: u64,
    /// A row was locked by somebody else.
    locked: u64,
    /// A batch was taken apart to find the append that cannot be stored.
    bisected: u64,
    dead_letters: u64,
    /// An agent took over while a turn was open.
    taken_over: u64,
    /// A turn was gone on with by another owner.
    resumed: u64,
    /// Connections that were cut as ordered.
    cut: u64,
    nodes: OnNodes,
}

/// What only happens where there are several nodes.
#[derive(Debug, Default)]
struct OnNodes {
    /// A conversation was taken over from a dead node by another one.
    inherited: u64,
    /// The same, in the middle of a reply.
    inherited_reply: u64,
    /// A reader was brought up to date again by its node.
    moved: u64,
    /// A node was told to drain in the middle of a reply.
    drained_reply: u64,
    /// A member was found dead by the others.
    verdicts: u64,
    /// A command was refused for the time being.
    busy: u64,
    /// An agent had seen the same as another one, who was faster.
    lost_races: u64,
    /// A fault struck while another one lasted.
    met: u64,
    /// A replica of Redis became the master; nothing where there are no sentinels.
    failovers: Option<u64>,
}

impl Rare {
    pub(crate) fn of(
        history: &[Event],
        tables: &Tables,
        (counters, log): (&Counters, &str),
        (cut, failovers): (usize, Option<u64>),
    ) -> Self {
        let outcome = |name: &str| {
            counters.get(&format!("onya_append_outcomes_total{{outcome=\"{name}\"}}")).copied().unwrap_or_default()
        };
        let (unknown_stored, unknown_absent) = unknown(history);
        let count =
            |is_so: fn(&crate::tables::Turn) -> bool| tables.turns.iter().filter(|turn| is_so(turn)).count() as u64;
        Self {
            repeated: outcome("repeated"),
            unknown_stored,
            unknown_absent,
            // Who finds itself replaced ends by itself, and takes its counters with it.
            fenced: outcome("fenced").max(log.matches(FENCED).count() as u64),
            locked: outcome("locked"),
            bisected: counters.get("onya_append_bisections_total").copied().unwrap_or_default(),
            dead_letters: tables.dead_letters as u64,
            taken_over: count(|turn| turn.outcome.as_deref() == Some("taken_over")),
            resumed: count(|turn| turn.attempt > 1),
            cut: cut as u64,
            nodes: OnNodes { failovers, ..OnNodes::of(history, tables, log) },
        }
    }

    /// Those that a campaign on this database, or on several nodes, should have hit and has not.
    pub(crate) fn missing(&self, backend: &str, nodes: usize) -> Vec<&'static str> {
        let OnNodes { inherited_reply, moved, drained_reply, verdicts, busy, lost_races, met, failovers, .. } =
            self.nodes;
        let wanted = if nodes > 1 {
            // A node that was found dead nearly always ends before it has anything to store: a fenced append is luck here.
            vec![
                ("a reply gone on with by another node", inherited_reply),
                ("a reader brought up to date again", moved),
                ("a drain in the middle of a reply", drained_reply),
                ("a verdict", verdicts),
                ("a command refused as busy", busy),
                ("a lost race for a customer", lost_races),
                ("a fault while another one lasts", met),
                ("a failover of Redis", failovers.unwrap_or(1)),
            ]
        } else {
            vec![
                ("a repeat answered from the table", self.repeated),
                ("an unknown outcome that was stored", self.unknown_stored),
                ("an unknown outcome that was not", self.unknown_absent),
                ("a batch taken apart", self.bisected),
                ("a dead letter", self.dead_letters),
                ("a takeover with an open turn", self.taken_over),
                ("a turn gone on with by another owner", self.resumed),
                // One process owns everything on SQLite.
                ("a fenced append", if backend == "postgres" { self.fenced } else { 1 }),
            ]
        };
        wanted.into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect()
    }
}

impl OnNodes {
    fn of(history: &[Event], tables: &Tables, log: &str) -> Self {
        let count = |is_so: fn(&Event) -> bool| history.iter().filter(|event| is_so(event)).count() as u64;
        let inherited = || tables.takings.iter().filter(|taking| taking.is_from_another());
        Self {
            inherited: inherited().count() as u64,
            inherited_reply: inherited().filter(|taking| taking.turn_was_open).count() as u64,
            moved: count(|event| matches!(event, Event::Synced { asked: false, .. })),
            drained_reply: count(|event| matches!(event, Event::Drained { open_turns: 1.., .. })),
            verdicts: log.matches(VERDICT).count() as u64,
            busy: count(|event| matches!(event, Event::Refused { code, .. } if code == "busy")),
            lost_races: lost_races(history, tables),
            met: met(history),
            failovers: None,
        }
    }
}

/// Faults that began while another one lasted.
fn met(history: &[Event]) -> u64 {
    let (mut last, mut met) = (0_u64, 0);
    for event in history {
        match event {
            Event::Fault { .. } => {
                met += u64::from(last > 0);
                last += 1;
            }
            Event::FaultEnded { .. } => last = last.saturating_sub(1),
            _ => {}
        }
    }
    met
}

/// Commands that were refused because another agent had taken the conversation on the same version of control.
fn lost_races(history: &[Event], tables: &Tables) -> u64 {
    let (mut saw, mut lost) = (BTreeMap::new(), 0);
    for event in history {
        match event {
            Event::Sent { who, conversation, id, saw: Some(version), .. } => {
                saw.insert((*conversation, *who, id.as_str()), *version);
            }
            Event::Refused { who, conversation, id, code } if code == "control_changed" => {
                let saw = saw.get(&(*conversation, *who, id.as_str()));
                let winner = saw.and_then(|saw| tables.taken_by(*conversation, saw + 1));
                lost += u64::from(winner.is_some_and(|winner| winner != *who));
            }
            _ => {}
        }
    }
    lost
}

/// Commands whose outcome was unknown, and of which a retry then said that they had been stored, and had not.
fn unknown(history: &[Event]) -> (u64, u64) {
    let (mut unknown, mut stored, mut absent) = (BTreeSet::new(), 0, 0);
    for event in history {
        match event {
            Event::Lost { who, conversation, id } => drop(unknown.insert((*conversation, *who, id.as_str()))),
            Event::Refused { who, conversation, id, code } if code == "unknown" => {
                unknown.insert((*conversation, *who, id.as_str()));
            }
            Event::Acked { who, conversation, id, repeated, .. }
                if unknown.remove(&(*conversation, *who, id.as_str())) =>
            {
                stored += u64::from(*repeated);
                absent += u64::from(!*repeated);
            }
            _ => {}
        }
    }
    (stored, absent)
}

impl fmt::Display for Rare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repeated, unknown_stored, unknown_absent, fenced, locked, bisected, .. } = self;
        let Self { dead_letters, taken_over, resumed, cut, nodes, .. } = self;
        write!(
            f,
            "repeated {repeated}, unknown {unknown_stored} stored and {unknown_absent} not, fenced {fenced}, locked {locked}, \
             bisected {bisected}, dead letters {dead_letters}, taken over {taken_over}, resumed {resumed}, cut {cut}"
        )?;
        let OnNodes { inherited, inherited_reply, moved, drained_reply, verdicts, busy, lost_races, met, failovers } =
            nodes;
        if *inherited + *moved > 0 {
            write!(
                f,
                ", inherited {inherited}, in a reply {inherited_reply}, moved {moved}, drained in a reply {drained_reply}, \
                 verdicts {verdicts}, busy {busy}, lost races {lost_races}, two faults at once {met}"
            )?;
        }
        failovers.iter().try_for_each(|count| write!(f, ", failovers of Redis {count}"))
    }
}
