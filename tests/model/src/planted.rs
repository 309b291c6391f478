//! What can be wrong on purpose: each must be refuted, or the properties prove little.

use crate::scenario::Scenario;
use crate::{properties, scenarios};

/// A part of the protocol that is left out or done in the obvious wrong way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// An append is written whatever the row says, over what stands there.
    NoFence,
    /// An append looks at the fence, and writes afterwards, without a lock in between.
    FenceLookedAt,
    /// The fence is epoch and position alone.
    NoNonce,
    /// A claim reads the log before it locks the row.
    ReadBeforeLock,
    /// A claim does not ask whether the owner lives.
    LiveOwnerRobbed,
    /// A claim takes an owner that drains for a dead one.
    DrainingTakenForDead,
    /// A command is acknowledged when its append is sent.
    AckBeforeCommit,
    /// Readers are shown entries when their append is sent.
    PublishBeforeCommit,
    /// A command that is sent again is another command.
    NoDedupe,
    /// A sender gives its command a new name after an unknown outcome.
    RetryUnderNewName,
    /// An append whose outcome is unknown is sent again as it was, and its refusal believed.
    BlindRetry,
    /// A repeat that memory has forgotten is dropped by its unique key, and its neighbours are stored.
    RepeatDropped,
    /// A takeover leaves the open turn alone.
    FinalWithoutControl,
    /// An open turn is not gone on with by the next owner.
    TurnForgotten,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::NoFence,
        Self::FenceLookedAt,
        Self::NoNonce,
        Self::ReadBeforeLock,
        Self::LiveOwnerRobbed,
        Self::DrainingTakenForDead,
        Self::AckBeforeCommit,
        Self::PublishBeforeCommit,
        Self::NoDedupe,
        Self::RetryUnderNewName,
        Self::BlindRetry,
        Self::RepeatDropped,
        Self::FinalWithoutControl,
        Self::TurnForgotten,
    ];

    /// The property that it breaks.
    #[must_use]
    pub const fn breaks(self) -> &'static str {
        match self {
            Self::NoFence | Self::AckBeforeCommit => properties::ACKNOWLEDGED,
            Self::FenceLookedAt | Self::ReadBeforeLock => properties::ALL_READ,
            Self::NoNonce => properties::ONE_CLAIM,
            Self::LiveOwnerRobbed | Self::DrainingTakenForDead => properties::NOT_ROBBED,
            Self::PublishBeforeCommit => properties::READERS,
            Self::NoDedupe | Self::RetryUnderNewName => properties::ONCE,
            Self::BlindRetry => properties::REFUSED,
            Self::RepeatDropped => properties::NO_GAP,
            Self::FinalWithoutControl => properties::CONTROL,
            Self::TurnForgotten => properties::AT_REST,
        }
    }

    /// The scenario in which that is found; without the fault it holds there.
    #[must_use]
    pub const fn scenario(self) -> Scenario {
        match self {
            Self::NoFence | Self::FenceLookedAt | Self::ReadBeforeLock => scenarios::SLOW,
            Self::NoNonce => scenarios::RESTORED,
            Self::DrainingTakenForDead => scenarios::MOVED,
            Self::RepeatDropped => scenarios::FORGOTTEN,
            Self::FinalWithoutControl => scenarios::TALK,
            Self::NoDedupe => scenarios::REPEATED,
            Self::RetryUnderNewName | Self::BlindRetry => scenarios::CUT,
            Self::LiveOwnerRobbed | Self::AckBeforeCommit | Self::PublishBeforeCommit => scenarios::KILLED,
            Self::TurnForgotten => scenarios::MOVED_AND_KILLED,
        }
        .with(self)
    }
}
