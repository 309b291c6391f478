//! Every setting: its default, what it allows, where its value came from.
//!
//! The embedded default file (`config/onya.default.toml`) names every key; a profile, a file, the environment and flags
//! are laid over it, each value is checked against its [`Rule`], and the result is one plain struct per section. All
//! problems are collected and told together, before anything is opened. Nothing here reaches into the rest of Onya, and
//! nothing here reads the process's environment except [`Inputs::from_process`].
//!
//! Read [`load()`] for the order of the layers, then the file of the section in question. To add a key: the default
//! file, the struct and its `RULES`, then `onya check-config --reference > docs/CONFIG.md`.

mod audit;
mod auth;
mod cluster;
mod coherence;
mod conversation;
mod database;
mod drain;
mod layers;
mod llm;
mod load;
mod log;
mod metrics;
mod node;
mod notices;
mod problem;
mod redis;
mod reference;
mod retention;
mod rule;
mod server;
mod show;
mod socket;
#[cfg(test)]
mod tests;
mod trace;
mod web;

use secrecy::ExposeSecret as _;
use serde::Deserialize;

pub use audit::AuditConfig;
pub use auth::{AuthConfig, NamedKey, decode_hex, is_key_id, parse_keys, shared_key};
pub use cluster::{ClusterConfig, NodeRole};
pub(crate) use coherence::LINK_MESSAGE_BYTES;
pub use conversation::ConversationConfig;
pub use database::DatabaseConfig;
pub use drain::DrainConfig;
pub use layers::{Flag, Origin, RESERVED_VARIABLES, Setting};
pub use llm::{LlmConfig, LlmProvider, MockConfig};
pub use load::{Inputs, Loaded, load};
pub use log::{LogConfig, LogFormat};
pub use metrics::MetricsConfig;
pub use node::NodeConfig;
pub use notices::{NoticeTexts, NoticesConfig};
pub use problem::{Problem, Problems};
pub use redis::RedisConfig;
pub use reference::reference;
pub use retention::RetentionConfig;
pub use rule::{Allowed, Rule, Secrecy};
pub use server::ServerConfig;
pub use socket::SocketConfig;
pub use trace::TraceConfig;
pub use web::WebConfig;

/// The default file, as it is built in.
pub const DEFAULT_TOML: &str = include_str!("../../config/onya.default.toml");

/// All settings, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The profile that was chosen.
    #[serde(skip)]
    pub profile: Profile,
    /// The server that customers and staff connect to.
    pub server: ServerConfig,
    /// The customer's app inside other sites.
    pub web: WebConfig,
    /// Where `/metrics` is served.
    pub metrics: MetricsConfig,
    /// This process: its name and its folder.
    pub node: NodeConfig,
    /// Where conversations are stored.
    pub database: DatabaseConfig,
    /// Where the nodes of a cluster leave signs of life.
    pub redis: RedisConfig,
    /// How the nodes of a cluster find and judge each other.
    pub cluster: ClusterConfig,
    /// Who writes the assistant's replies.
    pub llm: LlmConfig,
    /// Limits and times of a conversation.
    pub conversation: ConversationConfig,
    /// For how long what people said is kept.
    pub retention: RetentionConfig,
    /// Limits and times of a WebSocket.
    pub socket: SocketConfig,
    /// Tokens.
    pub auth: AuthConfig,
    /// What proves that nothing was changed.
    pub audit: AuditConfig,
    /// How the server stops.
    pub drain: DrainConfig,
    /// What is logged.
    pub log: LogConfig,
    /// Where traces go.
    pub trace: TraceConfig,
    /// What customers are told.
    pub notices: NoticesConfig,
}

impl Config {
    /// Whether other nodes may work on the same conversations: on PostgreSQL.
    #[must_use]
    pub fn is_clustered(&self) -> bool {
        !self.database.url.expose_secret().starts_with("sqlite:")
    }

    /// What `onya serve` needs beside settings that are allowed: other nodes must be able to reach this one.
    ///
    /// # Errors
    /// With a line that says what to set.
    pub fn may_serve(&self) -> Result<(), Problems> {
        let listening = (self.cluster.host, self.cluster.port).into();
        if !self.is_clustered() || self.cluster.advertised(listening).is_some() {
            return Ok(());
        }
        Err(Problems(vec![Problem::new(format!(
            "cluster.advertise is empty: with PostgreSQL the other nodes must be told where they reach this one, and \
             cluster.host = {} is every interface; set ONYA_CLUSTER__ADVERTISE to host:port, such as the pod's own name \
             and cluster.port",
            self.cluster.host
        ))]))
    }
}

/// A set of settings for a place where Onya runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// None chosen: somebody's own machine.
    #[default]
    Laptop,
    /// People who work on Onya.
    Development,
    /// The rehearsal.
    Staging,
    /// Real customers.
    Production,
}

impl Profile {
    /// The profile by the name that `--profile` and `ONYA_PROFILE` take.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Development, Self::Staging, Self::Production].into_iter().find(|profile| profile.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Laptop => "laptop",
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    /// Its file, as it is built in; empty for a laptop.
    #[must_use]
    pub fn toml(self) -> &'static str {
        match self {
            Self::Laptop => "",
            Self::Development => include_str!("../../config/development.toml"),
            Self::Staging => include_str!("../../config/staging.toml"),
            Self::Production => include_str!("../../config/production.toml"),
        }
    }
}

/// The rules of all keys, in the order of the default file.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        server::RULES,
        web::RULES,
        metrics::RULES,
        node::RULES,
        database::RULES,
        redis::RULES,
        cluster::RULES,
        llm::RULES,
        conversation::RULES,
        retention::RULES,
        socket::RULES,
        auth::RULES,
        audit::RULES,
        drain::RULES,
        log::RULES,
        trace::RULES,
        notices::RULES,
    ]
    .into_iter()
    .flatten()
}
