//! A campaign as a picture: which node stood how, when which fault struck, and one takeover of a conversation closely. One
//! HTML file without anything from elsewhere, made of a campaign's history and tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use uuid::Uuid;

use crate::campaign::Outcome;
use crate::history::{self, Event, Standing};
use crate::tables::{Tables, Taking};

const WIDTH: f64 = 1_200.0;
/// Where lanes begin, to the right of their names.
const LEFT: f64 = 110.0;
const LANE: f64 = 24.0;
/// What is shown around a takeover, in milliseconds.
const BEFORE_MS: u64 = 3_000;
const AFTER_MS: u64 = 6_000;
const STYLE: &str = "body{font:14px sans-serif;margin:2em;max-width:76em}svg{font:11px sans-serif}\
    rect{fill:#b0b0b0}table{border-collapse:collapse}td,th{padding:1px 1em 1px 0;text-align:left;font-variant-numeric:tabular-nums}\
    .up{fill:#7cb87c}.frozen{fill:#6aa5d8}.draining{fill:#e3c04f}.dead{fill:#444}.fault{fill:#d2543f;fill-opacity:.75}\
    .sent{fill:#999}.acked{fill:#2a7a2a}.shown{fill:#3b5fc0}.refused{fill:#d2543f}\
    .onya-0{fill:#b58bd0}.onya-1{fill:#e09a5f}.onya-2{fill:#5fb8b0}";

/// Writes `report.html` beside the history.
pub(crate) fn write(folder: &Path, outcome: &Outcome) -> Result<()> {
    let history = history::read_timed(&folder.join("history.jsonl"))?;
    let tables = Tables::load(&folder.join("tables.json"))?;
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Seed {}</title><style>{STYLE}</style>\
         <h1>Seed {}</h1><p>{}</p>",
        outcome.plan.seed,
        outcome.plan.seed,
        escaped(&outcome.to_string())
    );
    for violation in outcome.violations.iter().take(50) {
        write!(page, "<p><b>{}</b></p>", escaped(&violation.to_string()))?;
    }
    let end = history.iter().map(|(at, _)| *at).max().unwrap_or(1);
    let whole = Timeline { from: 0, until: end, history: &history };
    write!(page, "<h2>Nodes and faults</h2>{}{}", legend(&Standing::ALL.map(class)), whole.nodes_and_faults(&[]))?;
    if let Some((taking, at)) = a_takeover(&tables, &history) {
        page.push_str(&closely(&history, &tables, taking, at));
    }
    Ok(std::fs::write(folder.join("report.html"), page)?)
}

/// The first takeover of a conversation from another node, in the middle of a reply if there is one, and its time.
fn a_takeover<'a>(tables: &'a Tables, history: &[(u64, Event)]) -> Option<(&'a Taking, u64)> {
    let mut inherited: Vec<&Taking> = tables.takings.iter().filter(|taking| taking.is_from_another()).collect();
    inherited.sort_by_key(|taking| !taking.turn_was_open);
    let first = *inherited.first()?;
    Some((first, first.unix_ms.saturating_sub(began(history))))
}

/// The time of the machine at which the history begins.
fn began(history: &[(u64, Event)]) -> u64 {
    if let Some((_, Event::Began { unix_ms })) = history.first() { *unix_ms } else { 0 }
}

fn closely(history: &[(u64, Event)], tables: &Tables, taking: &Taking, at: u64) -> String {
    let conversation = taking.conversation;
    let line = Timeline { from: at.saturating_sub(BEFORE_MS), until: at + AFTER_MS, history };
    let owners = owners(tables, conversation, began(history));
    let mut told = String::from("<table><tr><th>ms<th>what");
    let mut marks = Vec::new();
    for (at, event) in history.iter().filter(|(at, _)| (line.from..=line.until).contains(at)) {
        let Some((kind, text)) = of_conversation(event, conversation) else { continue };
        let _ = write!(told, "<tr><td>{at}<td>{}", escaped(&format!("{kind} {text}")));
        marks.push((*at, kind, text));
    }
    format!(
        "<h2>One takeover</h2><p>Conversation {conversation}: {} took it from {} as epoch {}{}.</p>{}{}{}{told}</table>",
        escaped(&taking.owner),
        escaped(taking.previous.as_deref().unwrap_or("nobody")),
        taking.epoch,
        if taking.turn_was_open { ", in the middle of a reply" } else { "" },
        legend(&["sent", "acked", "refused", "shown"]),
        line.nodes_and_faults(&owners),
        line.marks(&marks),
    )
}

/// From when until when which node owned a conversation; a node that let go is not told from one that did not.
fn owners(tables: &Tables, conversation: Uuid, began: u64) -> Vec<(u64, u64, &str)> {
    let mut owners: Vec<(u64, u64, &str)> = Vec::new();
    for taking in tables.takings.iter().filter(|taking| taking.conversation == conversation) {
        let at = taking.unix_ms.saturating_sub(began);
        if let Some(last) = owners.last_mut() {
            last.1 = at;
        }
        owners.push((at, u64::MAX, taking.node()));
    }
    owners
}

/// From when until when which fault lasted: those that struck alone or first, and those that struck meanwhile.
fn faults(history: &[(u64, Event)]) -> [Vec<(u64, u64, &str)>; 2] {
    let (mut last, mut lanes) = (Vec::<(u64, &str, usize)>::new(), [Vec::new(), Vec::new()]);
    for (at, event) in history {
        match event {
            Event::Fault { name } => last.push((*at, name, usize::from(!last.is_empty()))),
            Event::FaultEnded { name } => {
                let Some(place) = last.iter().position(|(_, begun, _)| begun == name) else { continue };
                let (from, name, lane) = last.remove(place);
                lanes[lane].push((from, *at, name));
            }
            _ => {}
        }
    }
    lanes
}

/// What customers and staff did and saw in one conversation.
pub(crate) fn of_conversation(event: &Event, wanted: Uuid) -> Option<(&'static str, String)> {
    let (conversation, kind, text) = match event {
        Event::Sent { conversation, id, .. } => (conversation, "sent", id.clone()),
        Event::Acked { conversation, id, seq, repeated, .. } => {
            (conversation, "acked", format!("{id} at {seq}{}", if *repeated { ", repeated" } else { "" }))
        }
        Event::Refused { conversation, id, code, .. } => (conversation, "refused", format!("{id}: {code}")),
        Event::Shown { socket, conversation, entry } => {
            (conversation, "shown", format!("{} {} on socket {socket}", entry.seq, entry.kind))
        }
        Event::Synced { socket, conversation, position, recovered, .. } => {
            (conversation, "shown", format!("brought to {position} on socket {socket}, recovered: {recovered}"))
        }
        Event::Reply { socket, conversation, turn, epoch, attempt } => {
            (conversation, "shown", format!("turn {turn} by epoch {epoch}, attempt {attempt} on socket {socket}"))
        }
        _ => return None,
    };
    (*conversation == wanted).then_some((kind, text))
}

/// A name, and boxes: from when until when, of which class, and their title.
type Lane<'a> = (String, Vec<(u64, u64, &'a str, &'a str)>);

/// A part of a history, drawn from left to right.
struct Timeline<'a> {
    from: u64,
    until: u64,
    history: &'a [(u64, Event)],
}

impl Timeline<'_> {
    /// A lane for each node, one for faults, and one for who owned the conversation, if that is known.
    fn nodes_and_faults(&self, owners: &[(u64, u64, &str)]) -> String {
        let mut stands = BTreeMap::<&str, Vec<(u64, Standing)>>::new();
        for (at, event) in self.history {
            match event {
                Event::Started { node } => stands.entry(node).or_default().push((*at, Standing::Up)),
                Event::Stands { node, standing } => stands.entry(node).or_default().push((*at, *standing)),
                _ => {}
            }
        }
        let mut lanes = Vec::new();
        for (node, stood) in &stands {
            let ends = stood.iter().skip(1).map(|(at, _)| *at).chain([u64::MAX]);
            let boxes = stood
                .iter()
                .zip(ends)
                .map(|((from, standing), until)| (*from, until, class(*standing), class(*standing)));
            lanes.push(((*node).to_owned(), boxes.collect::<Vec<_>>()));
        }
        for (lane, faults) in ["faults", "meanwhile"].into_iter().zip(faults(self.history)) {
            let boxes = faults.into_iter().map(|(from, until, name)| (from, until, "fault", name)).collect();
            lanes.push((lane.to_owned(), boxes));
        }
        if !owners.is_empty() {
            lanes.push((
                "owner".to_owned(),
                owners.iter().map(|(from, until, node)| (*from, *until, *node, *node)).collect(),
            ));
        }
        self.lanes(&lanes)
    }

    fn lanes(&self, lanes: &[Lane<'_>]) -> String {
        let mut svg = self.begun(lanes.len());
        for (number, (name, boxes)) in lanes.iter().enumerate() {
            let y = LANE * number as f64;
            let _ = write!(svg, "<text x=0 y={:.0}>{}</text>", y + 16.0, escaped(name));
            for (from, until, class, title) in
                boxes.iter().filter(|(from, until, ..)| *from < self.until && *until > self.from)
            {
                let (x, end) = (self.x(*from), self.x(*until));
                let label = if end - x > 60.0 && *class != *title { *title } else { "" };
                let _ = write!(
                    svg,
                    "<rect class={class} x={x:.1} y={:.0} width={:.1} height=18><title>{title}, {from} ms</title></rect>\
                     <text x={:.1} y={:.0}>{label}</text>",
                    y + 3.0,
                    (end - x).max(2.0),
                    x + 2.0,
                    y + 16.0,
                );
            }
        }
        svg + "</svg>"
    }

    /// A lane for each kind of mark.
    fn marks(&self, marks: &[(u64, &str, String)]) -> String {
        let kinds = ["sent", "acked", "refused", "shown"];
        let mut svg = self.begun(kinds.len());
        for (number, kind) in kinds.iter().enumerate() {
            let y = LANE * number as f64;
            let _ = write!(svg, "<text x=0 y={:.0}>{kind}</text>", y + 16.0);
            for (at, _, text) in marks.iter().filter(|(_, of, _)| of == kind) {
                let (x, y, text) = (self.x(*at), y + 11.0, escaped(text));
                let _ =
                    write!(svg, "<circle class={kind} cx={x:.1} cy={y:.0} r=3><title>{text}, {at} ms</title></circle>");
            }
        }
        svg + "</svg>"
    }

    /// The frame, with a line each tenth of the time.
    fn begun(&self, lanes: usize) -> String {
        let height = LANE * lanes as f64;
        let mut svg = format!("<p><svg width={WIDTH} height={:.0}>", height + 16.0);
        for tenth in 0..10 {
            let at = self.from + (self.until - self.from) * tenth / 10;
            let x = self.x(at);
            let _ = write!(
                svg,
                "<path d='M{x:.1} 0V{height:.0}' stroke='#ddd'/><text x={x:.1} y={:.0}>{:.1} s</text>",
                height + 13.0,
                at as f64 / 1_000.0
            );
        }
        svg
    }

    fn x(&self, at: u64) -> f64 {
        let part = at.clamp(self.from, self.until) - self.from;
        LEFT + (WIDTH - LEFT) * part as f64 / (self.until - self.from).max(1) as f64
    }
}

const fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Up => "up",
        Standing::Frozen => "frozen",
        Standing::Draining => "draining",
        Standing::Dead => "dead",
    }
}

fn legend(classes: &[&str]) -> String {
    let one = |class: &&str| {
        format!(
            "<svg width=90 height=14><rect class={class} y=2 width=12 height=12></rect><text x=16 y=12>{class}</text></svg>"
        )
    };
    classes.iter().map(one).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&#39;")
}
