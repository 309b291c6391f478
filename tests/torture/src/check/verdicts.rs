//! Who is found dead, and what befell the nodes at the time.

use super::Check;
use crate::history::Event;
use crate::nemesis::Fault;

/// So long after a fault somebody may still be found dead because of it, in milliseconds: longer than any evidence takes.
const AFTERMATH_MS: u64 = 15_000;

/// From when until when a fault was at work, in milliseconds since the history began, and its name.
type Span<'a> = (u64, u64, &'a str);

impl Check<'_> {
    /// Nobody is found dead while nothing is at work but faults because of which nobody may be, and the machine keeps up: nodes
    /// reach the database, whatever becomes of Redis, of links and of clocks.
    pub(super) fn verdicts(&mut self) {
        let (harmless, others): (Vec<Span<'_>>, Vec<_>) =
            spans(self.timed).into_iter().partition(|(.., name)| is_harmless(name));
        let began = match self.timed.first() {
            Some((_, Event::Began { unix_ms })) => *unix_ms,
            _ => 0,
        };
        for verdict in &self.tables.verdicts {
            let at = verdict.unix_ms.saturating_sub(began);
            let at_work = |spans: &[Span<'_>]| {
                let found = spans.iter().find(|(from, until, _)| (*from..=*until).contains(&at));
                found.map(|(.., name)| (*name).to_owned())
            };
            if let (Some(name), None) = (at_work(&harmless), at_work(&others)) {
                self.report(15, format!("{} was found dead at {at} ms, because of {name}", verdict.dead));
            }
        }
    }
}

fn is_harmless(name: &str) -> bool {
    Fault::NETWORK.iter().any(|fault| fault.name() == name)
}

/// When faults were at work, their aftermath included.
fn spans(timed: &[(u64, Event)]) -> Vec<Span<'_>> {
    let mut spans: Vec<Span<'_>> = Vec::new();
    for (at, event) in timed {
        match event {
            Event::Fault { name } => spans.push((*at, u64::MAX, name)),
            Event::StoodStill { ms } => spans.push((at.saturating_sub(*ms), at + AFTERMATH_MS, "a standstill")),
            Event::FaultEnded { name } => {
                let begun = spans.iter_mut().rfind(|(_, until, begun)| *until == u64::MAX && begun == name);
                if let Some((_, until, _)) = begun {
                    *until = at + AFTERMATH_MS;
                }
            }
            _ => {}
        }
    }
    spans
}
