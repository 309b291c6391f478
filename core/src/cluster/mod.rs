//! The cluster: who belongs to it, and who should own which conversation.
//!
//! A [`View`] is what the store says about the members; every change gives it a higher version. A [`Ring`] is made of a
//! view and names the wished owner of every conversation. It is a wish, never a right: a conversation belongs to whom the
//! store says, and the fence there decides.
//!
//! Who is dead is decided by the store as well. An [`Observer`] is what one member has seen of the others, and says whom to
//! accuse there; [`Times`] says what is late, [`Renewal`] when a lease is renewed.

mod member;
mod renewal;
mod ring;
mod steadiness;
mod suspicion;
mod times;

pub use member::{Member, MemberRole, Standing, View};
pub use renewal::Renewal;
pub use ring::{POINTS_PER_MEMBER, RING_VERSION, Ring};
pub use steadiness::Steadiness;
pub use suspicion::{Accusation, Evidence, Lease, Observer};
pub use times::Times;
