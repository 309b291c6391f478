//! The links that other nodes have to this one: one for each process, and not more than there is room for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onya_core::Incarnation;
use tokio_util::sync::CancellationToken;

/// The places. Cheap to clone.
#[derive(Clone)]
pub(super) struct Places {
    max: usize,
    taken: Arc<Mutex<HashMap<Incarnation, Arc<Holder>>>>,
}

/// Who has a place, in the eyes of whoever wants it next.
#[derive(Default)]
struct Holder {
    /// Tells the holder to leave.
    leave: CancellationToken,
    /// Says that the holder has left.
    left: CancellationToken,
}

/// Room for one link. It is given back when it is dropped.
pub(super) struct Place {
    places: Places,
    incarnation: Incarnation,
    holder: Arc<Holder>,
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Self { max, taken: Arc::default() }
    }

    /// Whether there is room for a link of this process.
    pub(super) fn has_room(&self, incarnation: Incarnation) -> bool {
        let taken = self.lock();
        taken.len() < self.max || taken.contains_key(&incarnation)
    }

    /// Takes the place for a process. If it has a link already, that one is closed first and has ended afterwards.
    pub(super) async fn take(&self, incarnation: Incarnation) -> Option<Place> {
        let holder = Arc::<Holder>::default();
        let before = {
            let mut taken = self.lock();
            if taken.len() >= self.max && !taken.contains_key(&incarnation) {
                return None;
            }
            taken.insert(incarnation, Arc::clone(&holder))
        };
        let place = Place { places: self.clone(), incarnation, holder };
        if let Some(before) = before {
            before.leave.cancel();
            before.left.cancelled().await;
        }
        Some(place)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Incarnation, Arc<Holder>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits until another link of the same process wants the place.
    pub(super) async fn wanted(&self) {
        self.holder.leave.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if taken.get(&self.incarnation).is_some_and(|holder| Arc::ptr_eq(holder, &self.holder)) {
            taken.remove(&self.incarnation);
        }
        drop(taken);
        self.holder.left.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::{FutureExt as _, poll};
    use uuid::Uuid;

    use super::*;

    fn process(number: u128) -> Incarnation {
        Incarnation(Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_processes() {
        let places = Places::new(2);
        let first = places.take(process(1)).await.unwrap();
        let _second = places.take(process(2)).await.unwrap();
        assert!(!places.has_room(process(3)) && places.take(process(3)).await.is_none());
        assert!(places.has_room(process(1)), "it has a place already");
        drop(first);
        assert!(places.has_room(process(3)) && places.take(process(3)).await.is_some());
    }

    #[tokio::test]
    async fn of_several_links_of_a_process_the_last_one_stays_and_each_waits_for_the_one_before() {
        let places = Places::new(1);
        let first = places.take(process(1)).await.unwrap();
        let mut second = pin!(places.take(process(1)));
        assert!(poll!(second.as_mut()).is_pending());
        let mut third = pin!(places.take(process(1)));
        assert!(poll!(third.as_mut()).is_pending());
        first.wanted().await;
        drop(first);
        let second = second.await.unwrap();
        assert!(poll!(third.as_mut()).is_pending());
        second.wanted().await;
        drop(second);
        let third = third.await.unwrap();
        assert!(third.wanted().now_or_never().is_none());
        drop(third);
        assert!(places.has_room(process(2)));
    }
}
