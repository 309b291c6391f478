//! What a subcommand tells its caller.

use std::io::{self, Write as _};

/// Writes a result to standard output. A reader that has gone away (`onya … | head`) is no failure.
pub(super) fn result(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a failure with its causes to standard error.
pub(super) fn error(error: &anyhow::Error) {
    // There is nobody left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "onya: {error:#}");
}
