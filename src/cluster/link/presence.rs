//! An open link as logs and metrics see it.

use metrics::{counter, gauge};
use onya_core::Incarnation;

use super::ending::Ending;
use crate::telemetry::names::{LINK_LOSSES_TOTAL, LINKS};

/// Which end of a link this node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// This node opened it.
    Dialed,
    /// This node took it.
    Accepted,
}

impl Direction {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Dialed => "dialed",
            Self::Accepted => "accepted",
        }
    }
}

/// Counts an open link while it is there, and tells of its end, also if what carries it is dropped.
pub(super) struct Presence {
    direction: Direction,
    peer: Incarnation,
    ending: Ending,
}

impl Presence {
    pub(super) fn opened(direction: Direction, peer: Incarnation, version: u16) -> Self {
        tracing::info!(direction = direction.as_str(), %peer, version, "a link is open");
        gauge!(LINKS, "direction" => direction.as_str()).increment(1);
        Self { direction, peer, ending: Ending::Closed }
    }

    pub(super) fn ended(mut self, ending: Ending) {
        self.ending = ending;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let (direction, peer, reason) = (self.direction.as_str(), self.peer, &self.ending);
        if reason.is_fault() {
            tracing::error!(direction, %peer, %reason, "a link is lost: releases or settings of the nodes do not fit");
        } else {
            tracing::info!(direction, %peer, %reason, "a link is lost");
        }
        gauge!(LINKS, "direction" => direction).decrement(1);
        counter!(LINK_LOSSES_TOTAL, "direction" => direction, "reason" => reason.reason()).increment(1);
    }
}
