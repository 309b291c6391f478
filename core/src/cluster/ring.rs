//! Consistent hashing: which member should own a conversation.
//!
//! The points of a member follow from its name, so a restart moves nothing. What is hashed are explicit bytes under a
//! version, by SipHash with a fixed key: every process of every build finds the same owner.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use hashring::HashRing;
use uuid::Uuid;

use super::member::View;
use crate::{ConversationId, Incarnation};

/// Changes when the same view would give other owners; part of what is hashed.
pub const RING_VERSION: u8 = 1;
/// Points of each member on the ring. With 160, the fullest of 20 members has about a fifth more than the mean
/// (`the_shares_of_members_differ_little`).
pub const POINTS_PER_MEMBER: u16 = 160;
/// Conversations whose owners tell the shares.
const SAMPLE: u16 = 10_000;

/// The wished owner of every conversation, for one view.
#[derive(Clone, Default)]
pub struct Ring(HashRing<Point>);

#[derive(Clone, Debug)]
struct Point {
    name: Box<str>,
    number: u16,
    owner: Incarnation,
}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&[RING_VERSION]);
        state.write(self.name.as_bytes());
        state.write(&self.number.to_be_bytes());
    }
}

struct Key(ConversationId);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.0.as_bytes());
    }
}

impl Ring {
    /// The ring over the members that conversations are placed on ([`View::placed_on`]).
    #[must_use]
    pub fn over(view: &View) -> Self {
        let points = view.placed_on().into_iter().flat_map(|member| {
            (0..POINTS_PER_MEMBER).map(|number| Point {
                name: member.name.as_str().into(),
                number,
                owner: member.incarnation,
            })
        });
        let mut ring = HashRing::new();
        ring.batch_add(points.collect());
        Self(ring)
    }

    /// Who should own the conversation; `None` if there is nobody.
    #[must_use]
    pub fn owner(&self, conversation: ConversationId) -> Option<Incarnation> {
        self.0.get(&Key(conversation)).map(|point| point.owner)
    }

    /// Which part of all conversations each owner should have, from 0 to 1, as [`SAMPLE`] of them tell.
    #[must_use]
    pub fn shares(&self) -> BTreeMap<Incarnation, f64> {
        let mut shares = BTreeMap::new();
        for number in 0..SAMPLE {
            if let Some(owner) = self.owner(ConversationId(Uuid::from_u128(number.into()))) {
                *shares.entry(owner).or_default() += 1.0 / f64::from(SAMPLE);
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Member, MemberRole, Standing};

    fn view(names: &[&str]) -> View {
        let member = |name: &&str| Member {
            incarnation: Incarnation(Uuid::from_u128(name.bytes().fold(7, |sum, byte| sum * 31 + u128::from(byte)))),
            name: (*name).to_owned(),
            address: String::new(),
            role: MemberRole::Both,
            standing: Standing::Live,
            release: String::new(),
        };
        View { version: 1, members: names.iter().map(member).collect() }
    }

    fn conversations() -> impl Iterator<Item = ConversationId> {
        (0..20_000_u128).map(|number| ConversationId(Uuid::from_u128(number << 64 | number)))
    }

    #[test]
    fn a_member_that_leaves_moves_only_what_it_had() {
        let (before, after) = (Ring::over(&view(&["a", "b", "c"])), Ring::over(&view(&["a", "c"])));
        let gone = view(&["b"]).members[0].incarnation;
        for id in conversations() {
            let was = before.owner(id).unwrap();
            assert!(was == gone || after.owner(id) == Some(was), "{id} moved without need");
            assert_ne!(after.owner(id), Some(gone));
        }
    }

    #[test]
    fn the_shares_of_members_differ_little() {
        let names: Vec<String> = (0..20).map(|number| format!("onya-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let ring = Ring::over(&view(&names));
        let mut shares = BTreeMap::new();
        conversations().for_each(|id| *shares.entry(ring.owner(id).unwrap()).or_insert(0_u32) += 1);
        let (most, least) = (shares.values().max().unwrap(), shares.values().min().unwrap());
        assert_eq!(shares.len(), 20);
        assert!(*most < 1_300 && *least > 700, "of 1,000 in the mean: {least} to {most}");
    }

    #[test]
    fn the_shares_come_to_all() {
        let view = view(&["a", "b", "c"]);
        let shares = Ring::over(&view).shares();
        assert!(shares.len() == 3 && shares.values().all(|share| (0.2..0.5).contains(share)), "{shares:?}");
        assert!((shares.values().sum::<f64>() - 1.0).abs() < 1e-6);
        assert!(Ring::over(&View::default()).shares().is_empty());
    }

    #[test]
    fn a_restart_under_the_same_name_moves_nothing() {
        let (before, mut view) = (Ring::over(&view(&["a", "b"])), view(&["a", "b"]));
        let (old, new) = (view.members[0].incarnation, Incarnation(Uuid::from_u128(99)));
        view.members[0].incarnation = new;
        let after = Ring::over(&view);
        for id in conversations() {
            let expected = before.owner(id).map(|was| if was == old { new } else { was });
            assert_eq!(after.owner(id), expected);
        }
    }

    #[test]
    fn what_has_to_move_while_releases_change_goes_to_the_newest_and_does_not_move_again() {
        let mut view = view(&["a", "b", "c"]);
        let first = view.members[0].incarnation;
        let ring = Ring::over(&view);
        let mut owners: Vec<_> = conversations().map(|id| (id, ring.owner(id).unwrap(), 0)).collect();
        let of_first = owners.iter().filter(|(_, owner, _)| *owner == first).count();
        for at in 0..3 {
            let old = view.members[at].incarnation;
            view.members[at].standing = Standing::Draining;
            let ring = Ring::over(&view);
            for (id, owner, moves) in owners.iter_mut().filter(|(_, owner, _)| *owner == old) {
                (*owner, *moves) = (ring.owner(*id).unwrap(), *moves + 1);
            }
            let renewed = Incarnation(Uuid::from_u128(at as u128));
            let member = &mut view.members[at];
            (member.incarnation, member.release, member.standing) = (renewed, "0.2.0".to_owned(), Standing::Live);
        }
        assert!(owners.iter().all(|(_, owner, _)| view.member(*owner).is_some()));
        // While the first one drains, there is nobody of the newer release yet.
        assert_eq!(owners.iter().filter(|(_, _, moves)| *moves > 1).count(), of_first);
    }

    #[test]
    fn a_release_that_nobody_live_has_attracts_nothing() {
        let mut view = view(&["a", "b"]);
        view.members[1].release = "0.2.0".to_owned();
        let (before, newest) = (view.members[0].incarnation, view.members[1].incarnation);
        let all_at = |ring: Ring, owner| conversations().all(|id| ring.owner(id) == Some(owner));
        assert!(all_at(Ring::over(&view), newest));
        view.members[1].standing = Standing::Draining;
        assert!(all_at(Ring::over(&view), before));
        (view.members[1].standing, view.members[1].role) = (Standing::Live, MemberRole::Edge);
        assert!(all_at(Ring::over(&view), before));
    }

    #[test]
    fn nothing_is_placed_on_members_that_drain_join_or_only_hold_sockets() {
        let mut view = view(&["a", "b", "c", "d"]);
        view.members[1].standing = Standing::Draining;
        view.members[2].standing = Standing::Joining;
        view.members[3].role = MemberRole::Edge;
        let ring = Ring::over(&view);
        assert!(conversations().all(|id| ring.owner(id) == Some(view.members[0].incarnation)));
        view.members[0].standing = Standing::Joining;
        let starting = Ring::over(&view);
        assert!(conversations().all(|id| starting.owner(id).is_some_and(|owner| owner != view.members[1].incarnation)));
        assert_eq!(Ring::over(&View::default()).owner(ConversationId(Uuid::nil())), None);
    }
}
