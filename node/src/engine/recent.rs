//! A bounded memory of what has been seen.

use std::collections::{HashSet, VecDeque};

use super::wire::RecordId;

/// Ids remembered: several minutes at the highest rate of a busy unit, in about 2 MiB. What has been forgotten is
/// still recognised by the store.
const CAPACITY: usize = 16 * 1024;

/// The ids of records handled lately; the oldest is forgotten first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    order: VecDeque<RecordId>,
    ids: HashSet<RecordId>,
}

impl Recent {
    pub(super) fn contains(&self, id: &RecordId) -> bool {
        self.ids.contains(id)
    }

    pub(super) fn insert(&mut self, id: RecordId) {
        if !self.ids.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> RecordId {
        let mut bytes = [0; 32];
        for (byte, value) in bytes.iter_mut().zip(n.to_be_bytes()) {
            *byte = value;
        }
        RecordId::from_bytes(bytes)
    }

    #[test]
    fn the_oldest_is_forgotten_first_and_the_size_stays() {
        let mut recent = Recent::default();
        (0..CAPACITY + 5).for_each(|n| recent.insert(id(n)));
        assert!(!recent.contains(&id(4)));
        assert!(recent.contains(&id(5)));
        assert_eq!((recent.order.len(), recent.ids.len()), (CAPACITY, CAPACITY));
    }
}
