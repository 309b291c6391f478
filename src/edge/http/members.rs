//! The members of the cluster as this node sees them, on the port of the metrics: for those who operate it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use onya_actors::ports::Membership;
use onya_core::cluster::{MemberRole, Standing};
use serde::Serialize;
use uuid::Uuid;

/// This node's view.
#[derive(Serialize)]
pub(in crate::edge) struct MembersView {
    /// This start of this process.
    me: Uuid,
    /// Of the view: higher with every change.
    version: u64,
    members: Vec<MemberView>,
}

#[derive(Serialize)]
struct MemberView {
    name: String,
    incarnation: Uuid,
    standing: Standing,
    role: MemberRole,
    address: String,
    release: String,
    /// The part of all conversations that it should own, from 0 to 1.
    share: f64,
}

pub(in crate::edge) async fn show(State(membership): State<Arc<dyn Membership>>) -> Json<MembersView> {
    let placement = Arc::clone(&membership.placement().borrow());
    let shares = placement.ring.shares();
    let member = |member: &onya_core::cluster::Member| MemberView {
        name: member.name.clone(),
        incarnation: member.incarnation.0,
        standing: member.standing,
        role: member.role,
        address: member.address.clone(),
        release: member.release.clone(),
        share: shares.get(&member.incarnation).copied().unwrap_or_default(),
    };
    let members = placement.view.members.iter().map(member).collect();
    Json(MembersView { me: membership.me().0, version: placement.view.version, members })
}
