//! What becomes of readers, here and on other nodes, when the members change or a link is lost.

use std::sync::Arc;

use onya_core::Incarnation;

use super::Directory;
use super::row::Row;
use crate::relay::Peers;
use crate::system::System;

impl Directory {
    /// The members are others, or stand otherwise: readers go to who shows their conversations now.
    pub(crate) fn members_changed(&self, system: &Arc<System>, peers: &Peers) {
        let rows = self.all();
        self.leave_owners(system, peers, &rows);
        send_edges_on(peers, &rows);
        self.tell_wished(system, &rows);
    }

    /// Sets the readers of conversations adrift that are shown by somebody who should not, or cannot, any more.
    pub(crate) fn set_adrift(&self, system: &Arc<System>, peers: &Peers) {
        self.leave_owners(system, peers, &self.all());
    }

    fn leave_owners(&self, system: &Arc<System>, peers: &Peers, rows: &[Arc<Row>]) {
        for row in rows.iter().filter(|row| row.has_readers()) {
            let mut course = row.course();
            let course = course.get_or_insert_default();
            let way = self.way(system, row, course).node(peers);
            if way.is_none() || way != course.attached() {
                course.attach(None);
                peers.adrift(row.id);
            }
        }
    }

    /// Tells the nodes which should own conversations that are live here where they are. By another view of the members such a
    /// node may have shown to readers what was stored before this one claimed it, and nobody would tell them what follows.
    pub(crate) fn tell_wished(&self, system: &System, rows: &[Arc<Row>]) {
        let Some(peers) = &system.peers else { return };
        for row in rows.iter().filter(|row| row.is_live()) {
            let edge = peers.wished_elsewhere(row.id).and_then(|wished| peers.edge(wished));
            if let Some(edge) = edge.filter(|edge| !row.is_watched_by(edge)) {
                edge.moved(row.id, Some(peers.me()));
            }
        }
    }

    /// The link to a node is lost: what it has not answered is sent again, and its readers are adrift.
    pub(crate) fn lost(&self, peers: &Peers, owner: Incarnation) {
        for row in self.all() {
            let mut course = row.course();
            let Some(course) = course.as_mut() else { continue };
            course.lost(owner);
            if course.attached() == Some(owner) {
                course.attach(None);
                peers.adrift(row.id);
            }
        }
    }
}

/// Sends the readers of other nodes on to who should own what they read, where this node neither does nor should any more.
fn send_edges_on(peers: &Peers, rows: &[Arc<Row>]) {
    for row in rows.iter().filter(|row| !row.is_live()) {
        let owned = row.course().as_ref().and_then(|course| course.heard_of()) == Some(peers.me());
        let wished = peers.wished_elsewhere(row.id).filter(|_| !owned);
        if wished.is_some() {
            row.take_edges().iter().for_each(|edge| edge.moved(row.id, wished));
        }
    }
}
