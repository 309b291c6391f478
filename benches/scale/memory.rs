//! What something takes in memory, as a process of its own holds it.
//!
//! Resident memory after less before, by the number: what an allocator rounds up and cannot use again is in it.

use std::fmt;
use std::hint::black_box;
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use onya_actors::testing::{HeldRows, Remembered};
use onya_core::cluster::Ring;

use crate::arguments::Arguments;
use crate::measure::{cpu, number, resident};
use crate::{links, pods, progress, say};

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Rings over so many pods.
    Ring(u32),
    /// Views of so many pods.
    View(u32),
    /// Rows of a directory.
    Rows(Remembered),
    /// Links, both ends.
    Links,
}

const ROWS: [(&str, Remembered, &str); 4] = [
    ("read-elsewhere", Remembered::ReadHereOwnedElsewhere, "an idle customer reads here, another node owns it"),
    ("read-here", Remembered::ReadHereOwnedHere, "an idle customer reads here, owned here, passivated"),
    ("shown", Remembered::ShownElsewhereOwnedHere, "owned here, passivated, shown to readers of another node"),
    ("unread", Remembered::Unread, "nobody reads it: passivated, given up, or elsewhere"),
];

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(pods) => write!(f, "ring:{pods}"),
            Self::View(pods) => write!(f, "view:{pods}"),
            Self::Links => write!(f, "links"),
            Self::Rows(rows) => {
                let name = ROWS.iter().find(|(_, known, _)| known == rows).map_or("", |(name, ..)| name);
                write!(f, "{name}")
            }
        }
    }
}

impl FromStr for Held {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(pods) = text.strip_prefix("ring:") {
            return Ok(Self::Ring(pods.parse()?));
        }
        if let Some(pods) = text.strip_prefix("view:") {
            return Ok(Self::View(pods.parse()?));
        }
        if text == "links" {
            return Ok(Self::Links);
        }
        let rows = ROWS.iter().find(|(name, ..)| *name == text);
        rows.map(|(_, rows, _)| Self::Rows(*rows)).context("nothing of this name can be held")
    }
}

/// Bytes that one of it takes, with so many held.
pub(crate) fn bytes_of_one(held: Held, count: u32) -> Result<f64> {
    let (held, count) = (held.to_string(), count.to_string());
    let output = Command::new(std::env::current_exe()?)
        .args(["--bench", "--hold", &held, "--count", &count])
        .output()
        .context("a process of its own cannot be started")?;
    if !output.status.success() {
        bail!("{held}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout)?;
    text.trim().parse().with_context(|| format!("{held}: printed {text:?}"))
}

/// Holds it and prints what one takes: the other side of [`bytes_of_one`].
pub(crate) fn hold(held: Held, count: u32) -> Result<()> {
    let grown = match held {
        Held::Ring(pods) => {
            let view = pods::view(pods);
            grown(|| (0..count).map(|_| Ring::over(&view)).collect::<Vec<_>>())?
        }
        Held::View(pods) => grown(|| (0..count).map(|_| pods::view(pods)).collect::<Vec<_>>())?,
        Held::Rows(rows) => grown(|| HeldRows::fill(rows, count))?,
        Held::Links => links::hold(count)?,
    };
    say(&format!("{:.1}", grown as f64 / f64::from(count)));
    Ok(())
}

/// How many bytes of memory are taken by what this makes.
fn grown<T>(make: impl FnOnce() -> T) -> Result<u64> {
    let before = resident()?;
    let made = make();
    let after = resident()?;
    drop(black_box(made));
    Ok(after.saturating_sub(before))
}

/// The rows of a directory.
pub(crate) fn rows(arguments: &Arguments) -> Result<()> {
    say("| conversation without an actor | bytes a row | 1,000,000 of them, MiB | a look through 1,000,000, ms |");
    say("|---|---|---|---|");
    for (name, rows, what) in ROWS {
        progress(&format!("rows: {name}"));
        let held = HeldRows::fill(rows, arguments.rows);
        if held.count() == 0 {
            say(&format!("| {what} | no row | 0 | 0 |"));
            continue;
        }
        let began = cpu();
        black_box(held.look_through());
        let look = cpu().saturating_sub(began).as_secs_f64() * 1e3 * 1e6 / f64::from(arguments.rows);
        drop(held);
        let bytes = bytes_of_one(Held::Rows(rows), arguments.rows)?;
        say(&format!("| {what} | {} | {} | {} |", number(bytes), number(bytes * 1e6 / 1024.0 / 1024.0), number(look)));
    }
    Ok(())
}

/// The links between all pods, and the view that each keeps.
pub(crate) fn links(arguments: &Arguments) -> Result<()> {
    progress("links");
    let idle = bytes_of_one(Held::Links, arguments.links)?;
    say(&format!("An idle link takes {} KiB, both ends together.\n", number(idle / 1024.0)));
    say("| pods | links of all | links of a pod, both ways | their memory, MiB | view of a pod, KiB |");
    say("|---|---|---|---|---|");
    for pods in arguments.pods.iter().copied() {
        let of_a_pod = 2 * (pods - 1);
        let view = bytes_of_one(Held::View(pods), (2_000_000 / pods).max(2))?;
        say(&format!(
            "| {pods} | {} | {of_a_pod} | {} | {} |",
            number(f64::from(pods) * f64::from(pods - 1)),
            number(f64::from(of_a_pod) * idle / 2.0 / 1024.0 / 1024.0),
            number(view / 1024.0),
        ));
    }
    Ok(())
}
