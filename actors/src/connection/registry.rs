//! All open sockets of this node, to say goodbye to them, and to know who of the staff is there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use dashmap::DashMap;
use onya_core::ParticipantId;
use onya_core::conversation::{Actor, Role};
use onya_protocol::{CloseCode, ServerFrame};
use tokio::sync::Notify;

use super::queue::SendQueue;
use crate::order::SameOrder;
use crate::ports::Random;

/// All open sockets.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    next: AtomicU64,
    queues: DashMap<u64, Weak<SendQueue>, SameOrder>,
    /// How many sockets each of the staff has open.
    staff: Mutex<BTreeMap<ParticipantId, usize>>,
    closed: OnceLock<CloseCode>,
    left: Notify,
}

/// Keeps a socket registered.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    number: u64,
    who: (ParticipantId, Role),
}

impl Registry {
    pub(crate) fn register(self: &Arc<Self>, queue: &Arc<SendQueue>, who: &Actor) -> Registration {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.queues.insert(number, Arc::downgrade(queue));
        if let Some(code) = self.closed.get() {
            queue.close(*code);
        }
        if who.role.is_staff() {
            *self.staff().entry(who.id).or_default() += 1;
        }
        metrics::gauge!("onya_connections", "role" => role_name(who.role)).increment(1.0);
        Registration { registry: Arc::clone(self), number, who: (who.id, who.role) }
    }

    /// Agents and supervisors who have a socket here.
    pub(crate) fn connected_staff(&self) -> Vec<ParticipantId> {
        self.staff().keys().copied().collect()
    }

    fn staff_left(&self, id: ParticipantId) {
        if let Entry::Occupied(mut sockets) = self.staff().entry(id) {
            *sockets.get_mut() -= 1;
            if *sockets.get() == 0 {
                sockets.remove();
            }
        }
    }

    fn staff(&self) -> MutexGuard<'_, BTreeMap<ParticipantId, usize>> {
        self.staff.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every socket to come back, each at another moment within the spread.
    pub(crate) fn say_goaway(&self, spread_ms: u64, random: &dyn Random) {
        for queue in self.queues.iter().filter_map(|entry| entry.value().upgrade()) {
            queue.push(ServerFrame::Goaway { retry_after_ms: random.below(spread_ms) });
        }
    }

    /// Resolves when no socket is open.
    pub(crate) async fn emptied(&self) {
        loop {
            let left = self.left.notified();
            if self.queues.is_empty() {
                return;
            }
            left.await;
        }
    }

    /// Closes every socket, and each that still comes.
    pub(crate) fn close_all(&self, code: CloseCode) {
        // Set before the look around: a socket that registers meanwhile is seen here or sees this.
        let code = *self.closed.get_or_init(|| code);
        for queue in self.queues.iter().filter_map(|entry| entry.value().upgrade()) {
            queue.close(code);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.queues.remove(&self.number);
        self.registry.left.notify_one();
        let (id, role) = self.who;
        if role.is_staff() {
            self.registry.staff_left(id);
        }
        metrics::gauge!("onya_connections", "role" => role_name(role)).decrement(1.0);
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Agent => "agent",
        Role::Supervisor => "supervisor",
    }
}
