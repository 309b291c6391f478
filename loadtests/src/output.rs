//! What is printed: results to standard output, progress and failures to standard error.

use std::io::{self, Write as _};

use anyhow::Result;

use crate::figures::Figures;

/// A line of a result.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// The figures of one measurement.
pub(crate) fn figures(figures: &Figures, json: bool) -> Result<()> {
    let text = if json { serde_json::to_string(figures)? } else { figures.text().trim_end().to_owned() };
    Ok(line(&text)?)
}

/// What is being done now. There is nobody left to tell when standard error is closed.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "loadtest: {text}");
}
