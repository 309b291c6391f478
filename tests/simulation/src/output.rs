//! What a simulation tells its caller.

use std::io::{self, Write as _};

/// Writes a line to standard output. A reader that has gone away is no failure.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
