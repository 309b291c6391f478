//! Flags that every subcommand has: which settings apply.

use std::path::PathBuf;

use clap::Args;

use crate::config::{self, Config, Flag, Inputs, Loaded, Problems};

#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// Profile: development, staging or production [env: ONYA_PROFILE]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Settings")]
    profile: Option<String>,
    /// File with settings that differ from the default [env: ONYA_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    config: Option<PathBuf>,
    /// Address to listen on (server.host)
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = "Settings")]
    host: Option<String>,
    /// Port to listen on, 0 for any free one (server.port) [env: PORT]
    #[arg(long, global = true, value_name = "PORT", help_heading = "Settings")]
    port: Option<String>,
    /// Folder of the embedded database and the generated keys (node.data_dir)
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Settings")]
    data_dir: Option<String>,
    /// error, warn, info, debug, trace or a list (log.level) [env: LOG_LEVEL]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Settings")]
    log_level: Option<String>,
    /// Any setting by its key, for example --set llm.mock.tokens_per_second=200; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_and_value, help_heading = "Settings")]
    set: Vec<(String, String)>,
}

impl SettingsArgs {
    /// The settings in force.
    pub(super) fn load(&self) -> Result<Config, Problems> {
        self.load_with_origins().map(|loaded| loaded.config)
    }

    /// The settings in force, and where each came from.
    pub(super) fn load_with_origins(&self) -> Result<Loaded, Problems> {
        let mut inputs = Inputs::from_process();
        inputs.profile.clone_from(&self.profile);
        inputs.file.clone_from(&self.config);
        inputs.flags = self.flags();
        config::load(&inputs)
    }

    fn flags(&self) -> Vec<Flag> {
        let any = self.set.iter().map(|(key, value)| flag("--set", key, value));
        let named = [
            ("--host", "server.host", &self.host),
            ("--port", "server.port", &self.port),
            ("--data-dir", "node.data_dir", &self.data_dir),
            ("--log-level", "log.level", &self.log_level),
        ];
        let named = named.into_iter().filter_map(|(name, key, value)| Some(flag(name, key, value.as_deref()?)));
        any.chain(named).collect()
    }
}

fn flag(name: &str, key: &str, value: &str) -> Flag {
    Flag { name: name.to_owned(), key: key.to_owned(), value: value.to_owned() }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
