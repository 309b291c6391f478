//! One conversation on this node: its readers here, the other nodes that read it here, its actor, and where its commands
//! go.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use onya_core::conversation::View;
use onya_core::{ConversationId, Incarnation, Seq};
use onya_protocol::peer::ToEdge;
use onya_protocol::{CloseCode, Delta};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::course::Course;
use crate::connection::{Published, Subscriber};
use crate::conversation::{Handle, Message};
use crate::relay::EdgeLink;

/// One conversation: its readers and its actor.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: ConversationId,
    readers: Mutex<Readers>,
    /// Other nodes whose readers are shown what is published here.
    edges: Mutex<Vec<Edge>>,
    pub(super) live: Mutex<Option<Handle>>,
    /// Only in a cluster, and only once a command or a reader went to another node.
    course: Mutex<Option<Box<Course>>>,
    return_wanted: AtomicBool,
    /// Times in a row that an actor ended before it had stored anything.
    pub(super) failures: AtomicU32,
}

/// Nearly always one.
pub(super) type Readers = SmallVec<[Arc<Subscriber>; 1]>;

/// Another node with readers, and the views that they read in.
#[derive(Debug)]
struct Edge {
    link: Arc<EdgeLink>,
    customer: bool,
    staff: bool,
    /// The newest entry that was published to it, and when.
    published: Option<(Seq, Instant)>,
}

impl Edge {
    fn is_by(&self, link: &EdgeLink) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.link), link)
    }
}

/// What was published so long ago has arrived, or never will: a link that nothing passes for longer is lost.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

impl Row {
    pub(super) fn new(id: ConversationId) -> Arc<Self> {
        Arc::new(Self {
            id,
            readers: Mutex::default(),
            edges: Mutex::default(),
            live: Mutex::default(),
            course: Mutex::default(),
            return_wanted: AtomicBool::new(false),
            failures: AtomicU32::new(0),
        })
    }

    /// Whether anybody reads, on this node or on others.
    pub(crate) fn is_read(&self) -> bool {
        self.has_readers() || self.has_edges()
    }

    pub(crate) fn has_readers(&self) -> bool {
        !lock(&self.readers).is_empty()
    }

    pub(crate) fn has_edges(&self) -> bool {
        !lock(&self.edges).is_empty()
    }

    /// The readers of this node.
    pub(super) fn readers(&self) -> MutexGuard<'_, Readers> {
        lock(&self.readers)
    }

    /// Shows something to all readers, here and on other nodes.
    pub(crate) fn publish(&self, published: &Published) {
        self.show(published);
        self.relay(published, None);
    }

    /// Shows an entry of another node to those who are brought up to date from there, or are just being. The others may read in
    /// a view that has not been asked for there: they would take it for one that they are not shown.
    pub(crate) fn show_from_elsewhere(&self, published: &Published) {
        let attachment = lock(&self.course).as_ref().and_then(|course| course.attachment());
        for reader in lock(&self.readers).iter().filter(|reader| reader.hears(attachment)) {
            reader.publish(published.clone());
        }
    }

    /// Shows something to the readers of this node.
    pub(crate) fn show(&self, published: &Published) {
        for reader in lock(&self.readers).iter() {
            reader.publish(published.clone());
        }
    }

    /// Shows something to the readers of other nodes, but not of the one that it came from.
    pub(crate) fn relay(&self, published: &Published, from: Option<&Arc<EdgeLink>>) {
        for edge in lock(&self.edges).iter_mut() {
            if from.is_some_and(|from| Arc::ptr_eq(from, &edge.link)) {
                continue;
            }
            if let Published::Entry(entry) = published {
                edge.published = Some((entry.seq, Instant::now()));
            }
            if let Some(frame) = published.for_edge(self.id, edge.customer, edge.staff) {
                edge.link.push(frame);
            }
        }
    }

    /// Shows text of the reply in progress to all readers.
    pub(crate) fn publish_delta(&self, delta: Delta) {
        for edge in lock(&self.edges).iter() {
            edge.link.push(ToEdge::Delta(delta.clone()));
        }
        self.show_delta(delta);
    }

    /// Shows text of the reply in progress to the readers of this node.
    pub(crate) fn show_delta(&self, delta: Delta) {
        let readers = lock(&self.readers);
        if let Some((last, others)) = readers.split_last() {
            others.iter().for_each(|reader| reader.publish(Published::Delta(delta.clone())));
            last.publish(Published::Delta(delta));
        }
    }

    /// From now on the edge is shown what is published, in this view too.
    pub(crate) fn watched_by(&self, link: &Arc<EdgeLink>, view: View) {
        let mut edges = lock(&self.edges);
        let at = edges.iter().position(|edge| edge.is_by(link)).unwrap_or_else(|| {
            edges.push(Edge { link: Arc::clone(link), customer: false, staff: false, published: None });
            edges.len() - 1
        });
        match view {
            View::Customer => edges[at].customer = true,
            View::Staff => edges[at].staff = true,
        }
    }

    /// Whether the edge is shown what is published here.
    pub(crate) fn is_watched_by(&self, link: &EdgeLink) -> bool {
        lock(&self.edges).iter().any(|edge| edge.is_by(link))
    }

    /// Whether the edge is shown what is published here, and its readers, who were brought to this position, have missed
    /// nothing of it.
    pub(crate) fn keeps_up(&self, link: &EdgeLink, reached: Seq) -> bool {
        let edges = lock(&self.edges);
        let edge = edges.iter().find(|edge| edge.is_by(link));
        edge.is_some_and(|edge| edge.published.is_none_or(|(seq, at)| seq <= reached || at.elapsed() < ARRIVES_WITHIN))
    }

    /// Which node shows the conversation to the readers of this one, and how far all of them are; `None` if none is, or one is
    /// being brought up to date.
    pub(crate) fn reached(&self) -> Option<(Incarnation, Seq)> {
        let owner = lock(&self.course).as_ref()?.attached()?;
        let positions: Option<Vec<Seq>> = lock(&self.readers).iter().map(|reader| reader.position()).collect();
        Some((owner, positions?.into_iter().min()?))
    }

    /// The edge is shown nothing any more.
    pub(crate) fn forgotten_by(&self, link: &EdgeLink) {
        lock(&self.edges).retain(|edge| !edge.is_by(link));
    }

    /// Closes the sockets of customers who read on this node.
    pub(crate) fn cut_customers(&self, code: CloseCode) {
        for reader in lock(&self.readers).iter().filter(|reader| reader.view == View::Customer) {
            reader.close(code);
        }
    }

    /// All edges with readers.
    pub(crate) fn edges(&self) -> Vec<Arc<EdgeLink>> {
        lock(&self.edges).iter().map(|edge| Arc::clone(&edge.link)).collect()
    }

    /// Takes all edges out: they are shown nothing any more.
    pub(crate) fn take_edges(&self) -> Vec<Arc<EdgeLink>> {
        std::mem::take(&mut *lock(&self.edges)).into_iter().map(|edge| edge.link).collect()
    }

    /// Where commands and readers go.
    pub(crate) fn course(&self) -> MutexGuard<'_, Option<Box<Course>>> {
        lock(&self.course)
    }

    /// An actor works again: it has stored something.
    pub(crate) fn settled(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    pub(crate) fn left(&self, return_wanted: bool) {
        self.return_wanted.store(return_wanted, Ordering::Relaxed);
    }

    pub(super) fn take_return_wanted(&self) -> bool {
        self.return_wanted.swap(false, Ordering::Relaxed)
    }

    /// For how long there has been the actor that takes commands, if there is one.
    pub(crate) fn lives_for(&self) -> Option<Duration> {
        self.open_handle().map(|handle| handle.since.elapsed())
    }

    /// Tells the actor that another node should own the conversation.
    pub(crate) fn hand_over(&self) {
        if let Some(handle) = self.open_handle() {
            let _ = handle.actor.cast(Message::HandOver);
        }
    }

    /// Whether there is an actor that takes commands.
    pub(crate) fn is_live(&self) -> bool {
        self.open_handle().is_some()
    }

    /// The actor that takes commands, if there is one.
    pub(super) fn open_handle(&self) -> Option<Handle> {
        lock(&self.live).clone().filter(|handle| handle.admission.is_open())
    }

    pub(super) fn is_unused(&self) -> bool {
        !self.is_read()
            && lock(&self.live).is_none()
            && lock(&self.course).as_ref().is_none_or(|course| course.is_idle())
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use onya_core::ParticipantId;
    use uuid::Uuid;

    use super::*;
    use crate::connection::{PublishedEntry, SendQueue, SendQueueLimits, standing_at_3};

    /// A reader who was brought to position 3 through this attachment.
    fn reader(row: &Row, attachment: Option<u64>) -> Arc<Subscriber> {
        let reader = loading(row, attachment);
        reader.begin(reader.restart(), standing_at_3(None));
        reader
    }

    /// One who is just being brought up to date.
    fn loading(row: &Row, attachment: Option<u64>) -> Arc<Subscriber> {
        let queue = Arc::new(SendQueue::new(SendQueueLimits { frames: 8, bytes: 8_192 }));
        let reader = Subscriber::new(row.id, ParticipantId(Uuid::nil()), View::Customer, queue);
        reader.attached(attachment);
        row.readers().push(Arc::clone(&reader));
        reader
    }

    #[test]
    fn an_entry_of_another_node_is_for_those_who_are_brought_up_to_date_from_there() {
        let row = Row::new(ConversationId(Uuid::nil()));
        let attached_to = |node| {
            let mut course = row.course();
            let course = course.get_or_insert_default();
            course.attach(Some(Incarnation(Uuid::from_u128(node))));
            course.attachment()
        };
        let first = attached_to(1);
        let (adrift, asks_elsewhere, begun) = (reader(&row, first), loading(&row, first), Default::default());
        let attached = reader(&row, attached_to(2));
        // In a view that only one of them reads in, which the node that it comes from cannot know.
        let (customer, staff) = (None, None);
        let entry = PublishedEntry { seq: 4, customer, staff, opens_turn: false, ends_turn: None, erases: false };
        row.show_from_elsewhere(&Published::Entry(entry));
        asks_elsewhere.begin(begun, standing_at_3(None));
        let positions = [&adrift, &asks_elsewhere, &attached].map(|reader| reader.position());
        assert_eq!(positions, [Some(3), Some(3), Some(4)]);
    }
}
