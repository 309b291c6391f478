//! `onya check-config`: the settings in force, or what is wrong with them.

use clap::Args;

use super::output;
use super::settings::SettingsArgs;
use crate::config;

#[derive(Debug, Args)]
pub(super) struct CheckConfigArgs {
    /// Print the reference of all settings instead (docs/CONFIG.md)
    #[arg(long)]
    reference: bool,
}

pub(super) fn run(args: &CheckConfigArgs, settings: &SettingsArgs) -> anyhow::Result<()> {
    if args.reference {
        return Ok(output::result(&config::reference())?);
    }
    let loaded = settings.load_with_origins()?;
    output::result(&loaded.show())?;
    Ok(loaded.config.may_serve()?)
}
