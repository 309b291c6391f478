//! A path through the model in words: one line for each step, and what it changed.

use std::fmt;

use stateright::Path;

use crate::client::{Ack, Told};
use crate::log::{Entry, Event};
use crate::scenario::Command;
use crate::steps::Step;
use crate::store::{Answer, Incarnation, Stage, Statement, What};
use crate::world::{Cluster, World};

/// The lines of a path, numbered.
#[must_use]
pub fn lines(cluster: &Cluster, path: Path<World, Step>) -> Vec<String> {
    let path = path.into_vec();
    let steps = path.iter().zip(path.iter().skip(1)).zip(1..);
    let line = |(((before, step), (after, _)), number): ((&Passed, &Passed), usize)| {
        let step = step.map_or_else(String::new, |step| said(cluster, (before, after), step));
        let changes = changes(cluster, before, after).join("; ");
        let arrow = if changes.is_empty() { "" } else { " -> " };
        format!("{number:>4}. {step}{arrow}{changes}")
    };
    steps.map(line).collect()
}

/// A state, and the step that was taken in it.
type Passed = (World, Option<Step>);

fn said(cluster: &Cluster, (world, after): (&World, &World), step: Step) -> String {
    let commands = cluster.scenario.commands;
    let statement =
        |of: &World, pod: usize| of.pods[pod].statement.as_ref().map_or_else(String::new, ToString::to_string);
    let waits = |pod| statement(world, pod);
    let orphan = |number: usize| world.orphans.get(number).map_or_else(String::new, ToString::to_string);
    match step {
        Step::Send(command) => format!("{} is sent", commands[command]),
        Step::Claim(pod) => format!("{} claims", Pod(pod)),
        Step::Take(pod, command) => format!("{} takes up {}", Pod(pod), commands[command]),
        Step::Finish(pod) => format!("{}'s model has ended", Pod(pod)),
        Step::Advance(pod) => format!("the store: {}", statement(after, pod)),
        Step::Hear(pod) => format!("{} hears of {}", Pod(pod), waits(pod)),
        Step::AdvanceOrphan(number) => format!("the store, late: {}", orphan(number)),
        Step::LoseOrphan(number) => format!("lost: {}", orphan(number)),
        Step::Cut(pod) => format!("{} loses its connection during {}", Pod(pod), waits(pod)),
        Step::TurnAway(pod) => format!("the store does not take {}", waits(pod)),
        Step::Crash(pod) => format!("{} is killed", Pod(pod)),
        Step::Exit(pod) => format!("{} finds that it is over, and ends", Pod(pod)),
        Step::Restart(pod) => format!("{} starts again", Pod(pod)),
        Step::Bury(pod) => format!("{} is declared dead", Pod(pod)),
        Step::HandOver(pod) => format!("{} is asked to hand over", Pod(pod)),
        Step::Drain(pod) => format!("{} is shut down", Pod(pod)),
        Step::Passivate(pod) => format!("{}'s actor leaves memory", Pod(pod)),
        Step::Abandon(pod) => format!("{} calls off its model", Pod(pod)),
        Step::Retire(pod) => format!("{} ends", Pod(pod)),
        Step::Backup => "the store is copied".to_owned(),
        Step::Restore => "the store goes back to its copy".to_owned(),
    }
}

fn changes(cluster: &Cluster, before: &World, after: &World) -> Vec<String> {
    let mut changes = Vec::new();
    let (old, new) = (&before.store, &after.store);
    if (old.owner, old.epoch, old.nonce) != (new.owner, new.epoch, new.nonce) {
        let owner = new.owner.map_or_else(|| "nobody".to_owned(), |owner| owner.to_string());
        changes.push(format!("owner {owner}, epoch {}", new.epoch));
    }
    changes.extend(change(&old.log, &new.log).map(|entries| format!("stored: {entries}")));
    changes.extend(change(&before.shown, &after.shown).map(|entries| format!("shown: {entries}")));
    let sendings = before.sendings.iter().zip(&after.sendings).zip(cluster.scenario.commands);
    for ((_, new), command) in sendings.filter(|((old, new), _)| old.told != new.told) {
        changes.push(format!("{command} is told: {}", new.told));
    }
    changes
}

/// What was added, or all of it if something else changed.
fn change(before: &[Entry], after: &[Entry]) -> Option<String> {
    let added = after.strip_prefix(before).unwrap_or(after);
    (before != after).then(|| joined(added))
}

fn joined(entries: &[Entry]) -> String {
    entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A pod's name.
struct Pod(usize);

impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == 0 { "A" } else { "B" })
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Pod(self.pod), self.start)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Say => "`say`",
            Self::SayMore => "`say more`",
            Self::TakeOver => "`take over`",
            Self::HandBack => "`hand back`",
        })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seq, epoch) = (self.seq, self.fence.epoch);
        match self.event {
            Event::Opened => write!(f, "{seq} opened")?,
            Event::Said => write!(f, "{seq} said")?,
            Event::TurnOpened(_) => write!(f, "{seq} turn opened")?,
            Event::AttemptStarted(begun) => write!(f, "{seq} attempt {}", begun.attempt)?,
            Event::TurnEnded(_, outcome) => write!(f, "{seq} turn ended: {}", outcome.as_str())?,
            Event::ControlChanged(control, _) => write!(f, "{seq} control: {control:?}")?,
            Event::Other => write!(f, "{seq} other")?,
        }
        write!(f, " @{epoch}")
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Claim => write!(f, "{}'s claim", self.by)?,
            What::Append(append) => {
                write!(f, "{}'s append after {} [{}]", self.by, append.expected, joined(&append.entries))?;
            }
            What::Release(fence) => write!(f, "{}'s release of epoch {}", self.by, fence.epoch)?,
        }
        match &self.stage {
            Stage::Sent => Ok(()),
            Stage::Locked => f.write_str(": holds the lock"),
            Stage::Looked(_) => f.write_str(": has looked"),
            Stage::Answered(Answer::Owned(fence, read)) => {
                write!(f, ": epoch {}, read up to {}", fence.epoch, crate::log::last_seq(read))
            }
            Stage::Answered(answer) => write!(f, ": {}", format!("{answer:?}").to_lowercase()),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("that its acknowledgement is void"),
            Self::NotStored => f.write_str("not stored"),
            Self::Unknown => f.write_str("outcome unknown"),
            Self::Refused => f.write_str("refused"),
            Self::Acked(Ack { seq, .. }) => write!(f, "stored at {seq}"),
        }
    }
}
