//! Views of many pods, and conversations to place.

use onya_core::cluster::{Member, MemberRole, Standing, View};
use onya_core::{ConversationId, Incarnation};
use uuid::Uuid;

/// The release that all pods have at first.
pub(crate) const RELEASE: &str = "0.1.0";

/// A view of so many live pods, named as a StatefulSet does.
pub(crate) fn view(pods: u32) -> View {
    View { version: 1, members: (0..pods).map(pod).collect() }
}

/// The first start of a pod.
pub(crate) fn pod(number: u32) -> Member {
    Member {
        incarnation: Incarnation(Uuid::from_u128(1 + u128::from(number))),
        name: format!("onya-{number}"),
        address: format!("onya-{number}.onya-nodes.onya.svc.cluster.local:3100"),
        role: MemberRole::Both,
        standing: Standing::Live,
        release: RELEASE.to_owned(),
    }
}

/// Ids that differ as those that a server makes do: the time first, then random bits.
pub(crate) fn conversation(number: u32) -> ConversationId {
    let bits = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    let time = (1_700_000_000_000 + u128::from(number / 8)) << 80;
    ConversationId(Uuid::from_u128(time | (bits >> 48)))
}
