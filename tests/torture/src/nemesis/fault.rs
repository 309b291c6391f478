//! Faults by name.

use clap::ValueEnum;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// A server is killed and started again.
    KillServer,
    /// A second server starts under the same name while the first one lives on for a while.
    Namesake,
    /// PostgreSQL is restarted, and ends its sessions first.
    RestartFast,
    /// PostgreSQL is restarted and recovers from its log.
    RestartImmediate,
    /// PostgreSQL is stopped for good with what its standby has not heard, and the standby takes its place.
    FailOverPostgres,
    /// PostgreSQL's processes that serve Onya are ended, most of them.
    EndBackends,
    /// Connections of a node are cut between a commit and its reply.
    EatReplies,
    /// Connections of a node are cut between a request and its arrival.
    CutRequests,
    /// The line of a node to PostgreSQL passes nothing on for a while.
    Hang,
    /// All processes of PostgreSQL stand still for a while.
    Freeze,
    /// The disk of the database is full.
    DiskFull,
    /// Another session holds the rows of some conversations.
    LockRows,
    /// Another program holds the whole database file.
    LockFile,
    /// A node is killed, and comes back when the others have taken over what it owned.
    KillNode,
    /// All nodes but one are killed, and come back when that one has taken over what they owned.
    KillMost,
    /// All nodes are killed at once, and started again.
    KillAll,
    /// A node stands still for a while.
    FreezeNode,
    /// A node is told to stop in the middle of a reply, and started again.
    DrainNode,
    /// The nodes are told to stop and started again, one after the other.
    RollingRestart,
    /// Redis is killed and started again with nothing in it.
    RestartRedis,
    /// Redis stands still for a while.
    FreezeRedis,
    /// Redis is emptied.
    FlushRedis,
    /// The master of Redis is killed with what its replica has not heard, and the sentinels make the replica the master.
    FailOverRedis,
    /// A node is cut off from Redis for a while.
    CutRedis,
    /// No other node reaches one of them for a while, but it reaches the others.
    CutLinks,
    /// What a node answers and shows to the others does not arrive for a while; what they ask it does.
    MuteLinks,
    /// Nothing passes between any two nodes for a while, and no connection ends.
    PartNodes,
    /// The other nodes' links to one, and its connections to Redis, are cut again and again for a while.
    FlapLines,
    /// The wall clock of a node jumps, and back after a while.
    JumpClock,
    /// The same for Redis.
    JumpRedisClock,
    /// All lines of a node, or all between nodes, are slow for a while.
    SlowLines,
}

/// What there is besides a PostgreSQL and a Redis.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spares {
    /// A replica of Redis, and sentinels.
    pub sentinels: bool,
    /// A standby of PostgreSQL.
    pub standby: bool,
}

impl Fault {
    /// Those of one node on PostgreSQL.
    pub(crate) const POSTGRES: &[Self] = &[
        Self::KillServer,
        Self::Namesake,
        Self::RestartFast,
        Self::RestartImmediate,
        Self::EndBackends,
        Self::EatReplies,
        Self::CutRequests,
        Self::Hang,
        Self::Freeze,
        Self::DiskFull,
        Self::LockRows,
    ];
    /// Those of one node on SQLite.
    pub(crate) const SQLITE: &[Self] = &[Self::KillServer, Self::DiskFull, Self::LockFile];
    /// Those of several nodes that befall nodes.
    pub(crate) const NODES: &[Self] =
        &[Self::KillNode, Self::KillMost, Self::KillAll, Self::FreezeNode, Self::DrainNode, Self::RollingRestart];
    /// Those of several nodes that befall Redis, the lines between nodes, and clocks: because of them nobody is found dead.
    pub(crate) const NETWORK: &[Self] = &[
        Self::RestartRedis,
        Self::FreezeRedis,
        Self::FlushRedis,
        Self::FailOverRedis,
        Self::CutRedis,
        Self::CutLinks,
        Self::MuteLinks,
        Self::PartNodes,
        Self::FlapLines,
        Self::JumpClock,
        Self::JumpRedisClock,
        Self::SlowLines,
    ];

    /// Whether it goes on until it is ended.
    pub(crate) fn lasts(self) -> bool {
        self.befalls_one() || matches!(self, Self::FreezeRedis | Self::PartNodes | Self::JumpRedisClock)
    }

    /// Whether it lasts and befalls one node, which another fault then spares.
    pub(crate) fn befalls_one(self) -> bool {
        matches!(
            self,
            Self::Hang
                | Self::FreezeNode
                | Self::CutRedis
                | Self::CutLinks
                | Self::MuteLinks
                | Self::FlapLines
                | Self::JumpClock
                | Self::SlowLines
        )
    }

    /// Those that may strike while this one lasts: a node at least is left that reaches the store, or the two do not last
    /// long together.
    pub(crate) const fn may_meet(self) -> &'static [Self] {
        match self {
            Self::FreezeRedis => &[
                Self::KillNode,
                Self::KillMost,
                Self::FreezeNode,
                Self::DrainNode,
                Self::CutLinks,
                Self::MuteLinks,
                Self::Hang,
                Self::RestartImmediate,
                Self::FailOverPostgres,
            ],
            Self::CutRedis => &[Self::KillNode, Self::FreezeNode, Self::DrainNode, Self::CutLinks, Self::Hang],
            Self::CutLinks | Self::MuteLinks | Self::FlapLines => {
                &[Self::KillNode, Self::FreezeNode, Self::DrainNode, Self::Hang, Self::FlushRedis, Self::EatReplies]
            }
            Self::PartNodes => &[
                Self::KillNode,
                Self::DrainNode,
                Self::RestartRedis,
                Self::FailOverRedis,
                Self::Hang,
                Self::EatReplies,
            ],
            Self::FreezeNode => &[
                Self::KillNode,
                Self::DrainNode,
                Self::CutLinks,
                Self::RestartRedis,
                Self::FailOverRedis,
                Self::FreezeRedis,
                Self::RestartFast,
                Self::FailOverPostgres,
            ],
            Self::Hang => &[
                Self::KillNode,
                Self::FreezeNode,
                Self::CutLinks,
                Self::MuteLinks,
                Self::FreezeRedis,
                Self::RestartRedis,
                Self::FailOverRedis,
            ],
            Self::JumpClock => {
                &[Self::KillNode, Self::DrainNode, Self::FreezeNode, Self::CutLinks, Self::Hang, Self::JumpRedisClock]
            }
            Self::JumpRedisClock => {
                &[Self::KillNode, Self::DrainNode, Self::FreezeNode, Self::CutRedis, Self::Hang, Self::RestartRedis]
            }
            Self::SlowLines => &[
                Self::KillNode,
                Self::DrainNode,
                Self::FreezeNode,
                Self::FlushRedis,
                Self::EatReplies,
                Self::JumpClock,
            ],
            _ => &[],
        }
    }

    /// Whether it needs clocks that can be set.
    pub(crate) const fn sets_clocks(self) -> bool {
        matches!(self, Self::JumpClock | Self::JumpRedisClock)
    }

    /// All that can befall so many nodes on PostgreSQL.
    pub(crate) fn of_nodes(nodes: usize, spares: Spares) -> Vec<Self> {
        let mut all =
            if nodes == 1 { Self::POSTGRES.to_vec() } else { [Self::POSTGRES, Self::NODES, Self::NETWORK].concat() };
        all.push(Self::FailOverPostgres);
        all.retain(|fault| fault.needs(spares).is_none());
        all
    }

    /// What is missing for it.
    pub(crate) const fn needs(self, spares: Spares) -> Option<&'static str> {
        match self {
            Self::CutRedis if spares.sentinels => {
                Some("a line to Redis, and sentinels name the address of the master itself")
            }
            Self::FailOverRedis if !spares.sentinels => Some("a replica of Redis: --sentinels"),
            Self::FailOverPostgres if !spares.standby => Some("a standby of PostgreSQL: --standby"),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_to_redis_is_cut_where_there_is_one_and_a_failover_needs_sentinels() {
        let redis = [Fault::RestartRedis, Fault::FreezeRedis, Fault::FlushRedis];
        for (sentinels, can, cannot) in
            [(false, Fault::CutRedis, Fault::FailOverRedis), (true, Fault::FailOverRedis, Fault::CutRedis)]
        {
            let spares = Spares { sentinels, standby: sentinels };
            let all = Fault::of_nodes(3, spares);
            assert_eq!(all.contains(&Fault::FailOverPostgres), sentinels);
            assert!(redis.iter().all(|fault| all.contains(fault)) && all.contains(&can) && !all.contains(&cannot));
            assert!(can.needs(spares).is_none() && cannot.needs(spares).is_some());
        }
    }
}
