//! Whether this program counts right, tried whenever it is not asked to measure.

use anyhow::{Result, ensure};
use onya_core::cluster::Ring;

use crate::moves::{Change, Moved};
use crate::rollout::Plan;
use crate::{measure, pods};

const CONVERSATIONS: u32 = 20_000;

pub(crate) fn all() -> Result<()> {
    moves()?;
    roll_outs()?;
    for (figure, text) in [(7.0, "7"), (99.94, "99.9"), (1_234.5, "1,234"), (1_000_000.0, "1,000,000")] {
        ensure!(measure::number(figure) == text, "{figure} is printed {}", measure::number(figure));
    }
    Ok(())
}

/// Only what a pod had moves when it goes, and only what it gets when it comes.
fn moves() -> Result<()> {
    let before = pods::view(5);
    let gone = before.members[2].incarnation;
    let ring = Ring::over(&before);
    let had = (0..CONVERSATIONS).filter(|id| ring.owner(pods::conversation(*id)) == Some(gone)).count();
    for change in [Change::Leaves, Change::ComesBack] {
        let moved = Moved::between(&before, &change.after(&before, 5), CONVERSATIONS);
        ensure!(
            moved.from.len() == 1 && moved.from.get(&gone) == u32::try_from(had).ok().as_ref(),
            "{moved:?} of {had}"
        );
    }
    let joined = Moved::between(&before, &Change::Joins.after(&before, 5), CONVERSATIONS);
    ensure!(joined.from.len() == 5, "one that joins is given something by all: {joined:?}");
    Ok(())
}

/// Pods that come back under their names have the ring of before: what is live all the time moves away once and back once. With one
/// release in step only what drains moves in a drain; with a newer one in haste, what the first pod had does so twice.
fn roll_outs() -> Result<()> {
    let ring = Ring::over(&pods::view(5));
    let first = pods::pod(0).incarnation;
    let of_first = (0..CONVERSATIONS).filter(|id| ring.owner(pods::conversation(*id)) == Some(first)).count();
    for (to_next_release, in_step, twice) in [(false, true, 0), (true, false, of_first)] {
        let outcome = Plan { pods: 5, to_next_release, in_step }.run(CONVERSATIONS);
        ensure!(outcome.moved == [0, 0, CONVERSATIONS], "away and back: {:?}", outcome.moved);
        ensure!(outcome.drained == CONVERSATIONS as usize + twice, "{} moved in drains", outcome.drained);
    }
    Ok(())
}
