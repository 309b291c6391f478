//! How many conversations change their wished owner when a pod comes, goes or is replaced, and how long it takes to leave them.

use std::collections::HashMap;
use std::time::Duration;

use onya_actors::testing::{AT_A_TIME, EVERY, RESIDENCE};
use onya_core::Incarnation;
use onya_core::cluster::{Ring, View};
use uuid::Uuid;

use crate::arguments::Arguments;
use crate::measure::number;
use crate::{pods, progress, say};

/// What becomes of the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Joins,
    Leaves,
    ComesBack,
    IsReplaced,
}

/// Conversations that have another wished owner after a change.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// By the pod that had them.
    pub(crate) from: HashMap<Incarnation, u32>,
}

impl Moved {
    /// Those of so many conversations that move between two views.
    pub(crate) fn between(before: &View, after: &View, conversations: u32) -> Self {
        let (before, after) = (Ring::over(before), Ring::over(after));
        let mut moved = Self::default();
        for id in (0..conversations).map(pods::conversation) {
            if let Some(was) = before.owner(id).filter(|was| after.owner(id) != Some(*was)) {
                *moved.from.entry(was).or_insert(0) += 1;
            }
        }
        moved
    }

    pub(crate) fn count(&self) -> u32 {
        self.from.values().sum()
    }

    /// How long pods that stay take to leave them, if all are live: each leaves so many at a time.
    fn handed_over_in(&self, after: &View) -> Duration {
        let stays = |pod: &Incarnation| after.member(*pod).is_some();
        let most = self.from.iter().filter(|(pod, _)| stays(pod)).map(|(_, count)| *count).max().unwrap_or(0);
        if most == 0 {
            return Duration::ZERO;
        }
        RESIDENCE + EVERY * most.div_ceil(u32::try_from(AT_A_TIME).unwrap_or(u32::MAX))
    }
}

impl Change {
    const ALL: [Self; 4] = [Self::Joins, Self::Leaves, Self::ComesBack, Self::IsReplaced];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Joins => "one joins",
            Self::Leaves => "one leaves",
            Self::ComesBack => "one is replaced under its name",
            Self::IsReplaced => "one is replaced under another name",
        }
    }

    pub(crate) fn after(self, before: &View, pods: u32) -> View {
        let mut view = before.clone();
        let at = pods as usize / 2;
        match self {
            Self::Joins => view.members.push(pods::pod(pods)),
            Self::Leaves => drop(view.members.remove(at)),
            Self::ComesBack => view.members[at].incarnation = Incarnation(Uuid::from_u128(u128::MAX)),
            Self::IsReplaced => view.members[at] = pods::pod(pods),
        }
        view
    }

    /// The least part that has to move for the shares to be even.
    fn ideal(self, pods: u32) -> f64 {
        1.0 / f64::from(if self == Self::Joins { pods + 1 } else { pods })
    }
}

pub(crate) fn report(arguments: &Arguments) {
    say("| pods | what happens | conversations that move | part, % | ideal, % | paced hand-over if all are live, s |");
    say("|---|---|---|---|---|---|");
    for pods in arguments.pods.iter().copied() {
        progress(&format!("moves among {pods}"));
        let before = pods::view(pods);
        for change in Change::ALL {
            let after = change.after(&before, pods);
            let moved = Moved::between(&before, &after, arguments.conversations);
            let part = f64::from(moved.count()) / f64::from(arguments.conversations);
            say(&format!(
                "| {pods} | {} | {} | {:.2} | {:.2} | {} |",
                change.as_str(),
                number(f64::from(moved.count())),
                100.0 * part,
                100.0 * change.ideal(pods),
                number(moved.handed_over_in(&after).as_secs_f64()),
            ));
        }
    }
}
