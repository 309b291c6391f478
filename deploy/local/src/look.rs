//! What is seen at one moment: rows of the database, what nodes say of themselves, processes.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;

/// Everything that was seen at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// Since the program began.
    pub at: Duration,
    /// Every start of a node there ever was, in order.
    pub members: Vec<Member>,
    pub conversations: Vec<Conversation>,
    pub nodes: Vec<Node>,
    /// The part of the ring that a member has, from 0 to 1.
    pub shares: HashMap<Uuid, f64>,
    pub verdicts: Vec<Verdict>,
}

/// One start of a node, as the table of members has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub incarnation: Uuid,
    pub name: String,
    /// joining, live, draining or dead
    pub standing: String,
    pub address: String,
}

/// A conversation that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    pub id: Uuid,
    pub owner: Option<Uuid>,
    /// Where its open turn began, and which attempt at a reply is made.
    pub turn: Option<i64>,
    pub attempt: Option<i64>,
}

/// A process of ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    pub name: String,
    /// Until it has ended.
    pub pid: Option<i32>,
    pub process: Process,
    /// Nothing if it does not answer.
    pub counters: Option<Counters>,
}

/// How a process stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Process {
    #[default]
    Running,
    Paused,
    /// With how it ended: `0`, `70`, `SIGKILL`.
    Dead(String),
}

/// What a node counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counters {
    pub sockets: f64,
    pub replies: f64,
    pub turns_ended: f64,
    pub commands_acknowledged: f64,
}

/// A node has found another one dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub judge: String,
    pub member: Uuid,
    /// lease or heartbeat
    pub evidence: String,
}

impl Counters {
    /// From the text of `/metrics`.
    pub(crate) fn read(metrics: &str) -> Self {
        let sum = |name: &str| -> f64 {
            let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
            let numbers =
                metrics.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            // A sum of nothing would be -0.
            numbers.fold(0.0, |sum, number| sum + number)
        };
        Self {
            sockets: sum("onya_connections"),
            replies: sum("onya_replies_in_progress"),
            turns_ended: sum("onya_turns_total"),
            commands_acknowledged: sum("onya_ack_seconds_count"),
        }
    }
}

/// The verdicts in a part of a node's log, which is in JSON.
pub(crate) fn verdicts_in(judge: &str, log: &str) -> Vec<Verdict> {
    #[derive(Deserialize)]
    struct Line {
        message: String,
        member: Uuid,
        evidence: String,
    }
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let verdicts = lines.filter(|line| line.message == "a member was found dead");
    verdicts.map(|line| Verdict { judge: judge.to_owned(), member: line.member, evidence: line.evidence }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_their_labels() {
        let text = "# TYPE onya_connections gauge\nonya_connections{role=\"customer\"} 3\nonya_connections{role=\"staff\"} 2\n\
                    onya_connections_of_others 9\nonya_replies_in_progress 4\nonya_turns_total{outcome=\"final\"} 7\n\
                    onya_ack_seconds_bucket{le=\"1\"} 80\nonya_ack_seconds_count 8\n";
        let counters = Counters { sockets: 5.0, replies: 4.0, turns_ended: 7.0, commands_acknowledged: 8.0 };
        assert_eq!(Counters::read(text), counters);
    }

    #[test]
    fn a_verdict_is_read_from_the_log_and_other_lines_are_not() {
        let member = Uuid::from_u128(7);
        let line = |message: &str| {
            format!("{{\"level\":\"WARN\",\"message\":\"{message}\",\"member\":\"{member}\",\"evidence\":\"lease\"}}\n")
        };
        let log = line("something else") + "{\"message\":\"ready\"}\n" + &line("a member was found dead") + "{\"mess";
        let verdict = Verdict { judge: "node-1".to_owned(), member, evidence: "lease".to_owned() };
        assert_eq!(verdicts_in("node-1", &log), [verdict]);
    }
}
