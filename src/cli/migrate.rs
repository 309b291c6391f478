//! `onya migrate`: the database's schema, apart from a start of the server.

use std::fmt::Write as _;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::migrations::{Direction, StepStatus};
use crate::store::{self, Settings};

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// What to do
    #[arg(value_enum, default_value_t = Action::Up)]
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Apply every step that is missing
    Up,
    /// Undo the newest step, and with it what is stored in what it made
    Down,
    /// Show which steps are applied
    Status,
}

pub(super) fn run(args: &MigrateArgs, config: &Config) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let settings = app::store_settings(config);
    let steps = runtime.block_on(Box::pin(move_schema(args.action, &settings)))?;
    Ok(output::result(&table(&steps))?)
}

async fn move_schema(action: Action, settings: &Settings) -> Result<Vec<StepStatus>, store::ConnectError> {
    match action {
        Action::Up => store::migrate(settings, Direction::Up).await,
        Action::Down => store::migrate(settings, Direction::Down).await,
        Action::Status => store::migration_status(settings).await,
    }
}

fn table(steps: &[StepStatus]) -> String {
    steps.iter().fold(String::new(), |mut text, step| {
        let state = if step.applied { "applied" } else { "missing" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:04}  {state}  {}", step.version, step.name);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_step_and_its_state() {
        let step = |version, applied| StepStatus { version, name: "conversations".to_owned(), applied };
        let expected = "0001  applied  conversations\n0002  missing  conversations\n";
        assert_eq!(table(&[step(1, true), step(2, false)]), expected);
    }
}
