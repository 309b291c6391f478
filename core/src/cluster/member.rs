//! Members of the cluster, as the store lists them.

use serde::{Deserialize, Serialize};

use crate::Incarnation;

/// What a member does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Holds sockets and owns conversations.
    #[default]
    Both,
    /// Holds sockets and owns nothing.
    Edge,
    /// Owns conversations; no socket is sent to it.
    Owner,
}

impl MemberRole {
    /// Whether conversations are placed on a member of this role.
    #[must_use]
    pub const fn owns(self) -> bool {
        matches!(self, Self::Both | Self::Owner)
    }

    /// The role as it is configured and stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Edge => "edge",
            Self::Owner => "owner",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Both, Self::Edge, Self::Owner].into_iter().find(|role| role.as_str() == name)
    }
}

/// How a member stands. One that is dead is in no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Registered, and not ready to serve.
    Joining,
    /// Serves.
    Live,
    /// Gives up what it owns; nothing new is placed on it.
    Draining,
}

impl Standing {
    /// The standing as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Live => "live",
            Self::Draining => "draining",
        }
    }

    /// The standing of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Joining, Self::Live, Self::Draining].into_iter().find(|standing| standing.as_str() == name)
    }
}

/// One start of a process that belongs to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which start; a restart under the same name is another member.
    pub incarnation: Incarnation,
    /// The node's name, the same at every start.
    pub name: String,
    /// Where other members reach it, as `host:port`; empty if they cannot.
    pub address: String,
    /// What it does.
    pub role: MemberRole,
    /// How it stands.
    pub standing: Standing,
    /// The version of the program.
    pub release: String,
}

/// Everybody who is not dead, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Higher with every change of the members.
    pub version: u64,
    /// The members, in the order of their names; a name stands there once.
    pub members: Vec<Member>,
}

impl View {
    /// The member of this incarnation, if it is not dead.
    #[must_use]
    pub fn member(&self, incarnation: Incarnation) -> Option<&Member> {
        self.members.iter().find(|member| member.incarnation == incarnation)
    }
}
