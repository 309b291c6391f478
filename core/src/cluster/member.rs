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
    /// The members that conversations are placed on: those that are live and own some, and of these the ones of the newest
    /// release, so that a conversation which has to move while releases change does not have to move again. While nobody is
    /// live, those that join.
    #[must_use]
    pub fn placed_on(&self) -> Vec<&Member> {
        let owners = |standing: Standing| {
            self.members.iter().filter(move |member| member.role.owns() && member.standing == standing)
        };
        let standing = if owners(Standing::Live).next().is_some() { Standing::Live } else { Standing::Joining };
        let newest = owners(standing).map(|member| Release::of(&member.release)).max();
        owners(standing).filter(|member| Some(Release::of(&member.release)) == newest).collect()
    }

    /// The member of this incarnation, if it is not dead.
    #[must_use]
    pub fn member(&self, incarnation: Incarnation) -> Option<&Member> {
        self.members.iter().find(|member| member.incarnation == incarnation)
    }
}

/// A version of the program, in the order in which versions appear: by its numbers, and one that is not finished (`0.2.0-rc.1`)
/// before the one that is. What is no version is older than any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Release {
    numbers: Vec<u64>,
    is_finished: bool,
}

impl Release {
    fn of(text: &str) -> Self {
        let version = text.split_once('+').map_or(text, |(version, _)| version);
        let (numbers, is_finished) = version.split_once('-').map_or((version, true), |(numbers, _)| (numbers, false));
        let numbers: Option<Vec<u64>> = numbers.split('.').map(|number| number.parse().ok()).collect();
        Self { numbers: numbers.unwrap_or_default(), is_finished }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_in_the_order_in_which_they_appear() {
        let ordered = ["unknown", "0.9.0", "0.10.0-rc.1", "0.10.0", "0.10.1", "1.0.0", "1.0.0.1", "10.0.0"];
        let releases: Vec<Release> = ordered.iter().map(|text| Release::of(text)).collect();
        assert!(releases.is_sorted_by(|before, after| before < after), "{releases:?}");
        assert_eq!(Release::of("1.0.0+build.7"), Release::of("1.0.0"));
        assert_eq!(Release::of(""), Release::of("unknown"));
    }
}
