//! `onya serve`: the server itself.

use anyhow::Context as _;

use crate::app;
use crate::config::Config;

pub(super) fn run(config: Config) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    // Boxed: what the server holds while it runs need not lie on the main thread's stack.
    runtime.block_on(Box::pin(app::run(config)))
}
