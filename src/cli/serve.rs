//! `onya serve`: the server itself.

use std::process::ExitCode;

use anyhow::Context as _;

use super::output;
use crate::app::{self, Addresses, Ending};
use crate::config::Loaded;

/// Tells whoever started the process that a fault of ours ended it, and that a new one may do better (sysexits.h:
/// EX_SOFTWARE).
const FAULT: u8 = 70;

pub(super) fn run(loaded: Loaded) -> anyhow::Result<ExitCode> {
    loaded.config.may_serve()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    // Boxed: what the server holds while it runs need not lie on the main thread's stack.
    match runtime.block_on(Box::pin(app::run(loaded, announce)))? {
        Ending::Stopped => Ok(ExitCode::SUCCESS),
        Ending::Failed => Ok(ExitCode::from(FAULT)),
    }
}

/// One line, for people and for programs that started the server on a free port.
fn announce(addresses: Addresses) {
    let Addresses { server, metrics } = addresses;
    // A closed standard output is no reason not to serve.
    let _ = output::result(&format!("onya: http://{server} (metrics: http://{metrics}/metrics)\n"));
}
