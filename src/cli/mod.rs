//! The command line: one file per subcommand.
//!
//! Results go to standard output, everything else (logs, problems) to standard error. Exit codes: 0 done, 1 failed, 2 not
//! understood.

mod anchor;
mod backup;
mod chat;
mod check_config;
mod conversations;
mod dead_letters;
mod drain;
mod healthcheck;
mod history_epoch;
mod maintain;
mod members;
mod migrate;
mod output;
mod replay;
mod serve;
mod settings;
mod token;
mod verify_audit;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use settings::SettingsArgs;

/// Chat session server: an AI in front, people behind it.
///
/// Without a subcommand it serves, on http://127.0.0.1:3000 with an embedded database under data/ and a mock model.
/// Settings come from the embedded default, a profile, a file, the environment and these flags, the later one wins;
/// docs/CONFIG.md names them all.
#[derive(Debug, Parser)]
#[command(name = "onya", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve customers and staff until told to stop (the default)
    Serve,
    /// Print a token for a member of staff or a customer
    Token(token::TokenArgs),
    /// Print the settings in force and where each came from, or everything that is wrong with them
    CheckConfig(check_config::CheckConfigArgs),
    /// Hold a conversation in the terminal, as a customer or as an agent
    Chat(chat::ChatArgs),
    /// Bring the database's schema up to date, undo its newest step, or show what is applied
    Migrate(migrate::MigrateArgs),
    /// Apply a conversation's log again, print every state, and compare the end with what is stored
    Replay(replay::ReplayArgs),
    /// Make the partitions of the months to come, and drop those that hold nothing any more
    Maintain(maintain::MaintainArgs),
    /// Copy the embedded database to a new file, while the server works
    Backup(backup::BackupArgs),
    /// Put a copy in the place of the embedded database
    Restore(backup::RestoreArgs),
    /// Show or renew the name of the history: part of every restore
    HistoryEpoch(history_epoch::HistoryEpochArgs),
    /// Sign where all chains of the audit end, so that a later change of what is before shows
    Anchor(anchor::AnchorArgs),
    /// Check that nothing that was stored has been changed: exit code 0 if all is as it was, 1 if not
    VerifyAudit(verify_audit::VerifyAuditArgs),
    /// List what could not be stored, show it, or remove it after repair
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Find conversations that somebody should be at work on, and nobody is
    Conversations(conversations::ConversationsArgs),
    /// List the members of the cluster
    Members(members::MembersArgs),
    /// Tell a node to give up what it holds, and wait until it has
    Drain(drain::DrainArgs),
    /// Ask a running server whether it is ready: exit code 0 if it is, 1 if not
    Healthcheck(healthcheck::HealthcheckArgs),
}

/// Runs one subcommand to its end.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let settings = &cli.settings;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => return serve::run(settings.load_with_origins()?),
        Command::Token(args) => token::run(&args, &settings.load()?),
        Command::CheckConfig(args) => check_config::run(&args, settings),
        Command::Chat(args) => chat::run(&args),
        Command::Anchor(args) => anchor::run(&args, &settings.load()?),
        Command::VerifyAudit(args) => return verify_audit::run(&args, &settings.load()?),
        Command::Migrate(args) => migrate::run(&args, &settings.load()?),
        Command::Replay(args) => return replay::run(&args, &settings.load()?),
        Command::Maintain(args) => maintain::run(&args, &settings.load()?),
        Command::Backup(args) => backup::backup(&args, &settings.load()?),
        Command::Restore(args) => backup::restore(&args, &settings.load()?),
        Command::HistoryEpoch(args) => history_epoch::run(&args, &settings.load()?),
        Command::DeadLetters(args) => dead_letters::run(&args, &settings.load()?),
        Command::Conversations(args) => return conversations::run(&args, &settings.load()?),
        Command::Members(args) => members::run(&args, &settings.load()?),
        Command::Drain(args) => drain::run(&args, &settings.load()?),
        Command::Healthcheck(args) => healthcheck::run(&args, settings),
    }?;
    Ok(ExitCode::SUCCESS)
}
